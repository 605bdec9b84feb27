/* SPDX-License-Identifier: Apache-2.0
 *
 * Built by test_detector_bounds.py with UBSan, ASan and -DHBC_RPEAK_CHECK: drives the detector at 400 rates with
 * signals chosen to reach the bounds, half of them under pulses, and prints how near they came.
 */
#include <stdio.h>

#include "../../native/src/hbc_rpeak.c"
#include "harness_noise.h"

static int16_t rail(int32_t high)
{
    return high ? 32767 : -32768;
}

/* kind 0: square of bend_n steps a half (resonance of the second difference); 1: of the energy window;
 * 2: white; 3: random telegraph; 4: lone full-scale spikes; 5: amplitude steps between tiny and full scale. */
static int16_t sample(const hbc_rpeak *det, int32_t kind, int32_t i)
{
    static int32_t level = 0;
    switch (kind) {
    case 0: return rail(i / (det->decim_n * det->bend_n) & 1);
    case 1: return rail(i / (det->decim_n * det->energy_n) & 1);
    case 2: return (int16_t)noise16();
    case 3: level ^= (noise16() & 31) == 0; return rail(level);
    case 4: return i % (det->decim_n * 60) == 0 ? rail(i & 1) : 0;
    default: return (i / (det->decim_n * 700) & 1) ? rail(i / (det->decim_n * 90) & 1) : (int16_t)(noise16() >> 9);
    }
}

/* Nothing for kinds 0..2, so that the bounds are reached; then a train of 10 Hz in every other second, now and then an
 * electrode off. */
static uint8_t mask(const hbc_rpeak *det, int32_t kind, int32_t i, int32_t rate_hz)
{
    if (kind < 3 || det->seen_n == 0) {
        return HBC_RPEAK_ECG;
    }
    if ((noise16() & 255) == 0) {
        return HBC_RPEAK_OFF;
    }
    return (i / rate_hz & 1) && i % (rate_hz / 10) <= rate_hz / 80;
}

int main(void)
{
    static hbc_rpeak det;
    hbc_rpeak_peak peak;
    int32_t rate_hz, kind, i, smooth_max = 0, coarse_max = 0, fine_max = 0, energy_max = 0, threshold_max = 0;
    long peaks_n = 0, samples_n = 0, held_n = 0;
    if (hbc_rpeak_init(&det, 99) != HBC_RPEAK_BAD_RATE || hbc_rpeak_init(&det, 1001) != HBC_RPEAK_BAD_RATE) {
        return 1;
    }
    for (rate_hz = HBC_RPEAK_RATE_MIN_HZ; rate_hz <= HBC_RPEAK_RATE_MAX_HZ; rate_hz += rate_hz < 240 ? 1 : 3) {
        for (kind = 0; kind < 6; kind++) {
            (void)hbc_rpeak_init(&det, rate_hz);
            for (i = 0; i < rate_hz * 4; i++) {
                peaks_n += hbc_rpeak_push(&det, sample(&det, kind, i), mask(&det, kind, i, rate_hz), &peak);
                samples_n++;
                held_n += det.artefact.holding;
                smooth_max = magnitude(det.smooth_sum) > smooth_max ? magnitude(det.smooth_sum) : smooth_max;
                coarse_max = det.coarse > coarse_max ? det.coarse : coarse_max;
                fine_max = det.fine > fine_max ? det.fine : fine_max;
                energy_max = det.energy_prev > energy_max ? det.energy_prev : energy_max;
                threshold_max = det.threshold > threshold_max ? det.threshold : threshold_max;
            }
        }
    }
    printf("%ld samples, %ld peaks, %ld held, smooth_sum %d, coarse %d, fine %d, energy %d, threshold %d\n", samples_n,
           peaks_n, held_n, (int)smooth_max, (int)coarse_max, (int)fine_max, (int)energy_max, (int)threshold_max);
    return 0;
}
