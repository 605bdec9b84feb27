/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs the frames and the chunks of each input (u32 length, bytes) from memory of exactly its size, into memory of
 * exactly the size that is promised to be enough; prints what was found.  To be built with sanitizers.
 */
#include "hbc_frames.h"

#include <stdio.h>
#include <stdlib.h>

static void *room(size_t n)
{
    void *memory = malloc(n > 0 ? n : 1);
    if (memory == NULL) {
        exit(3);
    }
    return memory;
}

static void run(const hbc_crc *crc, const uint8_t *data, int64_t n)
{
    const int64_t frames_n = n / HBC_FRAME_MIN_N + 1, chunks_n = n / HBC_LOG_HEAD_N + 1;
    uint8_t *payloads = room((size_t)n);
    int64_t *ends = room((size_t)frames_n * sizeof *ends), *at = room((size_t)frames_n * sizeof *at);
    int64_t *places = room((size_t)chunks_n * sizeof *places), found_n;
    const uint8_t magic[4] = {0xC5, 'h', 'b', 0xA9};
    hbc_deframed found;
    if (hbc_deframe(crc, data, n, 1, 320, payloads, ends, at, frames_n, &found) != 0) {
        exit(4);
    }
    found_n = hbc_log_chunks(crc, data, n, 0, magic, 1 << 16, places, chunks_n);
    printf("%ld %ld %08lx %ld %ld %ld\n", (long)found.frames_n, (long)found.payload_bytes_n,
           (unsigned long)hbc_crc_of(crc, 0, payloads, found.payload_bytes_n), (long)found.bad_n,
           (long)found.skipped_bytes_n, (long)found_n);
    free(payloads);
    free(ends);
    free(at);
    free(places);
}

int main(int arguments_n, char **arguments)
{
    FILE *file = arguments_n == 2 ? fopen(arguments[1], "rb") : NULL;
    uint8_t length[4];
    hbc_crc crc;
    if (file == NULL) {
        return 2;
    }
    hbc_crc_init(&crc);
    while (fread(length, 1, sizeof length, file) == sizeof length) {
        const size_t n = (size_t)length[0] | (size_t)length[1] << 8 | (size_t)length[2] << 16 | (size_t)length[3] << 24;
        uint8_t *data = malloc(n); /* a read beyond no bytes at all is seen, too */
        if ((data == NULL && n > 0) || fread(data, 1, n, file) != n) {
            return 2;
        }
        run(&crc, data, (int64_t)n);
        free(data);
    }
    fclose(file);
    return 0;
}
