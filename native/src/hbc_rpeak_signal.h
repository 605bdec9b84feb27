/* SPDX-License-Identifier: Apache-2.0
 *
 * Good, noisy, hum, saturated, flat or lead off: once a second.
 */
#ifndef HBC_RPEAK_SIGNAL_H
#define HBC_RPEAK_SIGNAL_H

#include "hbc_rpeak_threshold.h"

/* Once a second, the worst first.  Thresholds are derived in docs/detector.md. */
static int32_t judge_second(const hbc_rpeak *det)
{
    const int32_t samples_n = det->second_n * det->decim_n;
    const int32_t signal = det->signal_mid;
    int32_t i, in_phase, quadrature, hum = 0;
    if (det->off_n * 4 >= samples_n) {
        return HBC_RPEAK_LEAD_OFF;
    }
    if (det->railed_n * 16 >= samples_n) {
        return HBC_RPEAK_SATURATED;
    }
    if (det->largest_coarse < det->floor_energy) {
        return HBC_RPEAK_FLAT;
    }
    for (i = 0; i < 2; i++) {
        in_phase = magnitude(det->hum_in_phase[i]);
        quadrature = magnitude(det->hum_quadrature[i]);
        in_phase = in_phase > quadrature ? in_phase + (quadrature >> 1) : quadrature + (in_phase >> 1);
        hum = in_phase > hum ? in_phase : hum;
    }
    /* A sine gives 0.71..1.06 of the sum of magnitudes; a hum of an eighth of the R wave and more counts. */
    if (8 * hum > 5 * det->hum_sum && (det->hum_sum / det->second_n) * (7 * det->smooth_n * det->energy_n) > signal >> 6) {
        return HBC_RPEAK_HUM;
    }
    if (det->learn_left_n != 0) { /* nothing to compare with yet */
        return HBC_RPEAK_GOOD;
    }
    return share_q10(det->usual_coarse, signal + 1) > NOISY_Q10 ? HBC_RPEAK_NOISY : HBC_RPEAK_GOOD;
}

static void end_second(hbc_rpeak *det)
{
    int32_t i;
    det->signal_state = judge_second(det);
    det->watched_n = 0;
    det->off_n = 0;
    det->railed_n = 0;
    det->largest_coarse = 0;
    det->hum_sum = 0;
    for (i = 0; i < 2; i++) {
        det->hum_in_phase[i] = 0;
        det->hum_quadrature[i] = 0;
    }
}

/* One step of the watch over a second.  Hum: second difference of the decimated stream against square waves of 50 and
 * 60 Hz, so no multiplication. */
static void watch_signal(hbc_rpeak *det, int32_t mean)
{
    const int32_t d2 = (mean - 2 * det->mean_prev + det->mean_prev2) >> 6;
    int32_t i;
    det->mean_prev2 = det->mean_prev;
    det->mean_prev = mean;
    det->hum_sum += magnitude(d2);
    for (i = 0; i < 2; i++) {
        det->hum_phase[i] = (det->hum_phase[i] + det->hum_turn[i]) & 65535;
        det->hum_in_phase[i] += (det->hum_phase[i] & 32768) != 0 ? d2 : -d2;
        det->hum_quadrature[i] += ((det->hum_phase[i] + 16384) & 32768) != 0 ? d2 : -d2;
    }
    if (det->coarse > det->largest_coarse) {
        det->largest_coarse = det->coarse;
    }
    if (++det->watched_n == det->second_n) {
        end_second(det);
    }
}

#endif /* HBC_RPEAK_SIGNAL_H */
