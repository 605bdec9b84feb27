/* SPDX-License-Identifier: Apache-2.0
 *
 * Candidates near TMS pulses: what is usual there, what is hidden, and whether the candidate holds enough of a beat.
 */
#ifndef HBC_RPEAK_NEAR_H
#define HBC_RPEAK_NEAR_H

#include "hbc_rpeak_position.h"
#include "hbc_rpeak_threshold.h"

/* Follow the lower third of the energies at this time after a pulse, so that beats do not count; a quarter of a beat
 * until known better.  Held output has no energy and says nothing; what follows has its own.  Returns the place in
 * near[], -1 when no pulse is near. */
static int32_t watch_near(hbc_rpeak *det, int32_t energy)
{
    const int32_t lag_n = det->artefact.lag_n;
    int32_t place, usual;
    if (lag_n >= det->artefact.lag_max_n) {
        return -1;
    }
    place = (lag_n * det->near_recip_q16) >> 16;
    CHECK(place >= 0 && place < NEAR_N);
    usual = det->near[place];
    if (energy >= det->floor_energy) {
        if (usual == 0) {
            usual = greater(energy, weighted(det, det->signal_mid, det->signal_fine_mid) >> 2);
        } else {
            usual = energy > usual ? usual + (usual >> 5) + 1 : usual - (usual >> 4);
        }
        det->near[place] = usual;
    }
    return place;
}

/* Held steps show no ECG: how many there are among those that make the energy of a QRS complex and its neighbours. */
static void watch_hidden(hbc_rpeak *det)
{
    const int32_t last = det->hidden_of_n - 1, held = det->spoilt & HBC_ARTEFACT_HELD;
    int32_t gone;
    if ((held | det->hidden[0] | det->hidden[1]) == 0) { /* far from pulses */
        return;
    }
    gone = (last < 20 ? det->hidden[0] >> last : det->hidden[1] >> (last - 20)) & 1;
    det->hidden[1] = ((det->hidden[1] << 1) | (det->hidden[0] >> 19)) & 0xFFFFF;
    det->hidden[0] = ((det->hidden[0] << 1) | held) & 0xFFFFF;
    det->hidden_n += held - gone;
    CHECK(det->hidden_n >= 0 && det->hidden_n <= det->hidden_of_n);
}

/* How much coarse energy of a beat the candidate holds: the shape of the beats before it, fitted to the bends where it
 * fits best, from 48 ms before the middle of the energy to 48 ms after it.  Noise of the same energy holds less. */
static int32_t fitted(const hbc_rpeak *det)
{
    const int32_t n = 2 * det->shape_half_n + 1, starts_n = 4 * det->bend_seek_n + 1;
    const int32_t from = det->shape_half_n - (det->energy_n >> 1);
    int32_t values[FIT_MAX_N], i, start, shift, own = 0, energy = 0, both, best = 0;
    CHECK(n + starts_n - 1 <= FIT_MAX_N && from >= 0 && from + det->energy_n <= n);
    shift = read_bends(det, bend_centre(det) + det->shape_half_n + 2 * det->bend_seek_n, n + starts_n - 1, values);
    for (i = 0; i < n; i++) {
        own += det->shape[i] * det->shape[i];
    }
    for (i = from; i < from + det->energy_n; i++) {
        energy += magnitude(det->shape[i]);
    }
    for (start = 0; start < starts_n; start++) {
        both = 0;
        for (i = 0; i < n; i++) {
            both += values[start + i] * det->shape[i];
        }
        CHECK(magnitude(both) < 1 << 29);
        best = greater(best, both);
    }
    CHECK(own < 1 << 29 && energy <= 19 << 12);
    energy = energy * lesser((best >> 10) * 1024 / ((own >> 10) + 1), 4095) >> 10;
    return shift < 0 ? energy >> -shift : energy * (1 << shift);
}

/* Recharge noise and what remains of an artefact come at the same time after every pulse, beats do not.  So a candidate
 * near a pulse must have 3.5 times the energy that is usual there, or a whole beat's; or hold enough of the shape of a
 * beat: a third, and a sixth of what is usual there.  While no shape is known a quarter of a beat's energy and what is
 * usual is enough, two thirds at most.  energy: as far as it was seen, seen_q5. */
static int32_t stands_out(const hbc_rpeak *det, int32_t energy, int32_t seen_q5)
{
    const int32_t signal = weighted(det, det->signal_mid, det->signal_fine_mid);
    int32_t usual = 0, most = signal, limit_q10, i;
    for (i = det->cand_near - 1; i <= det->cand_near + 1; i++) {
        if (i >= 0 && i < NEAR_N) {
            usual = greater(usual, det->near[i]);
        }
    }
    CHECK(usual <= 33 << 24 && signal <= ENERGY_MAX);
    if (det->shape_n < SHAPE_KNOWN_N) {
        most = (signal >> 6) * 16 + lesser(usual, (signal >> 6) * 26);
    }
    if (energy > lesser((usual >> 1) * 7, most)) {
        return 1;
    }
    limit_q10 = 340 + (share_q10(usual, signal + 1) * 11 >> 6);
    return det->shape_n == SHAPE_KNOWN_N && (fitted(det) >> 5) * seen_q5 > (det->signal_mid >> 10) * limit_q10;
}

/* More than half hidden: the energy counts only as far as the rest was seen, down to nothing.  Between two rails the
 * artefact itself would pass for a beat, and a true one could not be placed. */
static int32_t shows_too_little(const hbc_rpeak *det, int32_t energy, int32_t since_n)
{
    const int32_t seen_q5 = lesser((det->hidden_of_n - det->cand_hidden_n) * 64 / det->hidden_of_n, 32);
    if (seen_q5 < 32) {
        energy = (energy >> 5) * seen_q5;
        if (energy <= limit_at(det, since_n)) {
            return 1;
        }
    }
    return det->cand_near >= 0 && !stands_out(det, energy, seen_q5);
}

#endif /* HBC_RPEAK_NEAR_H */
