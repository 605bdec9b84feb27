/* SPDX-License-Identifier: Apache-2.0
 *
 * The detector over a file of int16 samples in blocks of 64, as the box feeds its twin; device_twin.py counts both.
 * Usage: device_host FILE
 */
#include <stdio.h>

#include "hbc_rpeak.h"

int main(int argc, char **argv)
{
    static hbc_rpeak det;
    static int16_t block[64];
    static const uint8_t mask[64];
    hbc_rpeak_peak peaks[64 / 15 + 16];
    size_t n;
    long peaks_n = 0;
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (file == NULL || hbc_rpeak_init(&det, RATE_HZ) != HBC_RPEAK_OK) {
        return 2;
    }
    while ((n = fread(block, sizeof block[0], 64, file)) > 0) {
        peaks_n += hbc_rpeak_push_block(&det, block, mask, (int32_t)n, peaks, (int32_t)(sizeof peaks / sizeof peaks[0]));
    }
    (void)fclose(file);
    return peaks_n > 0 ? 0 : 1;
}
