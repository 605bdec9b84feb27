/* SPDX-License-Identifier: Apache-2.0
 *
 * hbc_frames: takes a whole recording apart, many times faster than byte by byte in Python.  For hosts only.
 *
 * What a frame is, is defined in firmware/hbc_wire/framing.py; what a chunk of a log is, in hbc_host/recorder.py.  This
 * is a second reading of both for bytes that are there as a whole; tests hold it against the first on any damage.
 *
 * C99, no malloc, no float, no globals, no calls to the outside.  The caller owns all memory.  Reads data[0..data_n-1]
 * and the tables, writes within the sizes given, whatever the bytes are.
 */
#ifndef HBC_FRAMES_H
#define HBC_FRAMES_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* [cffi] Everything down to the closing mark is read by build_native.py; keep it free of preprocessor lines. */

enum {
    HBC_FRAME_MIN_N = 7,    /* bytes of the shortest frame with its closing delimiter: a payload of one byte */
    HBC_LOG_HEAD_N = 24,    /* bytes before the body of a chunk */
    HBC_CRC_STEP_N = 8      /* bytes of a checksum that are looked up at a time */
};

/* CRC-32 (IEEE 802.3), eight bytes at a time; filled once, then only read. */
typedef struct {
    uint32_t after[8][256];
} hbc_crc;

void hbc_crc_init(hbc_crc *crc);

/* The checksum of n bytes that follow those whose checksum is before (0 when there are none), as zlib's crc32. */
uint32_t hbc_crc_of(const hbc_crc *crc, uint32_t before, const uint8_t *bytes, int64_t n);

/* What hbc_deframe found; the counts of hbc_wire.framing.Deframer. */
typedef struct {
    int64_t frames_n;
    int64_t payload_bytes_n;
    int64_t bad_n;
    int64_t skipped_bytes_n;
} hbc_deframed;

/* All frames in data[0..data_n-1], which begins where a frame may begin.
 *
 * joining      : 1 when nothing came before: what stands before the first delimiter may then be half a frame, and is
 *                not counted as bad.
 * body_max_n   : longest COBS body that is accepted; a longer one is noise.
 * payloads     : data_n bytes; the payloads without their checksums, one after the other.
 * payload_end  : frames_max_n places; where each payload ends in payloads.
 * delimiter_at : frames_max_n places; where in data the delimiter stands that ended each frame.
 * frames_max_n : data_n / HBC_FRAME_MIN_N + 1 is enough for any bytes.
 *
 * Returns 0, or -1 when there are more frames than places. */
int32_t hbc_deframe(const hbc_crc *crc, const uint8_t *data, int64_t data_n, int32_t joining, int64_t body_max_n,
                    uint8_t *payloads, int64_t *payload_end, int64_t *delimiter_at, int64_t frames_max_n,
                    hbc_deframed *found);

/* The chunks of a log whose checksums hold, from data[at] on, past any damage: places[i] is where the head begins.
 *
 * magic        : the 4 bytes that begin a head.
 * body_max_n   : a head that promises a longer body is none.
 * places_max_n : data_n / HBC_LOG_HEAD_N + 1 is enough for any bytes.
 *
 * Returns how many there are, or -1 when there are more than places. */
int64_t hbc_log_chunks(const hbc_crc *crc, const uint8_t *data, int64_t data_n, int64_t at, const uint8_t *magic,
                       int64_t body_max_n, int64_t *places, int64_t places_max_n);

/* Copies pieces_n pieces of data, piece i from data[at[i]] on, length_n[i] bytes long, one after the other to out.  The
 * caller has seen to it that all lie in data, and has room for them. */
void hbc_gather(const uint8_t *data, const int64_t *at, const int64_t *length_n, int64_t pieces_n, uint8_t *out);
/* [/cffi] */

#ifdef __cplusplus
}
#endif

#endif /* HBC_FRAMES_H */
