/* SPDX-License-Identifier: Apache-2.0
 *
 * Built by test_artefact_filter.py with UBSan, ASan and -DHBC_RPEAK_CHECK: full-scale samples and random pulses through
 * hbc_artefact at every third rate; prints how many samples, how many were held, and the largest offset.
 */
#include <stdio.h>

#include "../../native/src/hbc_artefact.c"
#include "harness_noise.h"

/* kind 0: white; 1: random telegraph; 2: a ramp from rail to rail after each pulse, which the filter learns. */
static int16_t sample(int32_t kind, int32_t lag_n, int32_t period_n)
{
    static int32_t level = 0;
    switch (kind) {
    case 0: return (int16_t)noise16();
    case 1: level ^= (noise16() & 15) == 0; return level ? 32767 : -32768;
    default: return (int16_t)(lag_n * (65535 / period_n) - 32768);
    }
}

int main(void)
{
    static hbc_artefact filter;
    int32_t rate_hz, kind, i, period_n, is, offset_max_q4 = 0;
    long samples_n = 0, held_n = 0;
    for (rate_hz = 100; rate_hz <= 1000; rate_hz += 3) {
        for (kind = 0; kind < 3; kind++) {
            hbc_artefact_init(&filter, rate_hz);
            period_n = rate_hz * (40 + (noise16() & 255)) / 1000;
            for (i = 0; i < rate_hz * 6; i++) {
                is = i % period_n < rate_hz / 80 + 1 && i < rate_hz * 5 / 2 ? HBC_ARTEFACT_PULSE
                                                                            : ((noise16() & 1023) == 0) * HBC_ARTEFACT_OFF;
                held_n += hbc_artefact_push(&filter, sample(kind, i % period_n, period_n), is) == HBC_ARTEFACT_HELD;
                samples_n++;
                offset_max_q4 = magnitude(filter.offset_q4) > offset_max_q4 ? magnitude(filter.offset_q4) : offset_max_q4;
            }
        }
    }
    printf("%ld samples, %ld held, offset %d\n", samples_n, held_n, (int)offset_max_q4);
    return 0;
}
