/* SPDX-License-Identifier: Apache-2.0
 *
 * What a candidate must exceed: levels of beats and of noise, the weights of the two bands, the shape of the beats so far.
 */
#ifndef HBC_RPEAK_THRESHOLD_H
#define HBC_RPEAK_THRESHOLD_H

#include "hbc_rpeak_tune.h"

static void order(int32_t *a, int32_t *b)
{
    const int32_t low = lesser(*a, *b);
    *b = greater(*a, *b);
    *a = low;
}

/* Mean of the two middle values of eight; same work for any order. */
static int32_t median8(const int32_t *values)
{
    int32_t v[8], i;
    for (i = 0; i < 8; i++) {
        v[i] = values[i];
    }
    for (i = 0; i < 8; i += 4) { /* sort each half */
        order(&v[i], &v[i + 1]);
        order(&v[i + 2], &v[i + 3]);
        order(&v[i], &v[i + 2]);
        order(&v[i + 1], &v[i + 3]);
        order(&v[i + 1], &v[i + 2]);
    }
    for (i = 0; i < 4; i++) { /* one half up against the other down: the four lowest, the four highest */
        order(&v[i], &v[7 - i]);
    }
    return (greater(greater(v[0], v[1]), greater(v[2], v[3])) + lesser(lesser(v[4], v[5]), lesser(v[6], v[7]))) >> 1;
}

/* Energy of both bands on the scale of the coarse one. */
static int32_t weighted(const hbc_rpeak *det, int32_t coarse, int32_t fine)
{
    return (coarse >> 4) * det->coarse_weight + (fine >> 4) * det->fine_weight;
}

/* a / b in 1/16, 1023 at most. */
static int32_t ratio_q4(int32_t a, int32_t b)
{
    const int32_t ratio = a / ((b >> 4) + 1);
    return ratio > 1023 ? 1023 : ratio;
}

/* part / whole in 1/1024, 1024 at most; whole > 0. */
static int32_t share_q10(int32_t part, int32_t whole)
{
    if (part >= whole) {
        return 1024;
    }
    while (whole >= 1 << 20) { /* keep part * 1024 below 2^30 */
        whole >>= 1;
        part >>= 1;
    }
    return part * 1024 / whole;
}

/* Medians, not Pan-Tompkins' running means: one artefact must not move the threshold.  Kept, as every change of what
 * they summarise goes through one of these two. */
static void summarise_signal(hbc_rpeak *det)
{
    det->signal_mid = median8(det->signal);
    det->signal_fine_mid = median8(det->signal_fine);
}

static void summarise_noise(hbc_rpeak *det)
{
    det->noise_mid = median8(det->noise);
    det->noise_fine_mid = median8(det->noise_fine);
}

/* How much of a beat's energy is usual between beats too. */
static int32_t noise_share_q10(const hbc_rpeak *det)
{
    return share_q10(weighted(det, det->usual_coarse, det->usual_fine),
                     weighted(det, det->signal_mid, det->signal_fine_mid) + 1);
}

/* The more of a beat's energy is usual between beats too, the higher the threshold, and the more an early beat must
 * prove. */
static void update_threshold(hbc_rpeak *det)
{
    const int32_t noise = weighted(det, det->noise_mid, det->noise_fine_mid);
    const int32_t signal = weighted(det, det->signal_mid, det->signal_fine_mid);
    const int32_t share = noise_share_q10(det);
    int32_t part = HBC_TUNE_THRESHOLD_Q10, early = 0;
    if (share > HBC_TUNE_NOISE_FROM_Q10) {
        part += (share - HBC_TUNE_NOISE_FROM_Q10) * HBC_TUNE_NOISE_GAIN;
        if (part > HBC_TUNE_THRESHOLD_MAX_Q10) {
            part = HBC_TUNE_THRESHOLD_MAX_Q10;
        }
    }
    if (share > HBC_TUNE_EARLY_FROM_Q10) {
        early = (share - HBC_TUNE_EARLY_FROM_Q10) * HBC_TUNE_EARLY_GAIN;
        if (early > HBC_TUNE_EARLY_MAX_Q10) {
            early = HBC_TUNE_EARLY_MAX_Q10;
        }
    }
    det->span_q10 = signal > noise ? (signal - noise) >> 10 : 0;
    det->early_q10 = early;
    det->threshold = noise + det->span_q10 * part;
    if (det->threshold < det->floor_energy) {
        det->threshold = det->floor_energy;
    }
    CHECK(det->threshold <= ENERGY_MAX);
}

/* n bends from this age on, oldest first, the largest brought to 2^11..2^12.  Returns by how much they were shifted to
 * the right; below 0: to the left.  Only at over 196 steps a second does anybody ask for more than the ring has. */
static int32_t read_bends(const hbc_rpeak *det, int32_t age, int32_t n, int32_t *values)
{
    int32_t i, most = 1, down = 0, up = 0;
    for (i = 0; i < n; i++) {
        values[i] = det->bend_ring[(det->steps_n - 1u - (uint32_t)lesser(age - i, 63)) & 63];
        most = greater(most, magnitude(values[i]));
    }
    while (most >> down >= 1 << 12) {
        down++;
    }
    while (most << up < 1 << 11) {
        up++;
    }
    for (i = 0; i < n; i++) {
        values[i] = (values[i] >> down) * (1 << up);
    }
    return down - up;
}

/* Bend of the candidate around its extremum.  Returns how many values. */
static int32_t read_shape(const hbc_rpeak *det, int32_t *values)
{
    const int32_t n = 2 * det->shape_half_n + 1;
    read_bends(det, det->bend_age + det->shape_half_n, n, values);
    return n;
}

/* Squared correlation of the candidate with the beats before it; 0 when they are opposite. */
static int32_t likeness_q10(const hbc_rpeak *det)
{
    int32_t values[SHAPE_MAX_N], i, own = 0, usual = 0, both = 0;
    const int32_t n = read_shape(det, values);
    for (i = 0; i < n; i++) {
        own += values[i] * values[i];
        usual += det->shape[i] * det->shape[i];
        both += values[i] * det->shape[i];
    }
    CHECK(own < 1 << 29 && usual < 1 << 29);
    own >>= 14;
    usual >>= 14;
    both = both > 0 ? both >> 14 : 0;
    return lesser(both * both / ((own * usual >> 10) + 1), 1024);
}

/* Mean of about the last eight beats.  Not of a noisy ECG: what is taken for a beat there may be none. */
static void learn_shape(hbc_rpeak *det)
{
    int32_t values[SHAPE_MAX_N], i, n;
    if (det->bend_age < 0 || (det->shape_n == SHAPE_KNOWN_N && noise_share_q10(det) > NOISY_Q10)) {
        return;
    }
    n = read_shape(det, values);
    for (i = 0; i < n; i++) {
        det->shape[i] += (values[i] - det->shape[i]) >> lesser(det->shape_n, 3);
    }
    det->shape_n = lesser(det->shape_n + 1, SHAPE_KNOWN_N);
}

/* In noise, and near a TMS pulse, a candidate that looks like the beats before it needs less energy, one that does not
 * needs more. */
static int32_t shape_part(const hbc_rpeak *det)
{
    int32_t weight = lesser(4 * (noise_share_q10(det) - HBC_TUNE_SHAPE_FROM_Q10), 1024);
    if (det->cand_near >= 0) {
        weight = greater(weight, 256);
    }
    if (weight <= 0 || det->bend_age < 0 || det->shape_n < SHAPE_KNOWN_N) {
        return 0;
    }
    return (weight * (HBC_TUNE_SHAPE_LIKE_Q10 - likeness_q10(det)) * HBC_TUNE_SHAPE_GAIN) >> 12;
}

/* How far an early candidate is doubted: as in noise where more than a quarter of it is hidden. */
static int32_t early_part(const hbc_rpeak *det, int32_t since_n)
{
    const int32_t usual_n = (det->rr_usual_n * HBC_TUNE_EARLY_RR_Q5) >> 5;
    const int32_t hidden_q10 = det->cand_hidden_n * 1024 / det->hidden_of_n;
    if (since_n >= usual_n) {
        return 0;
    }
    return greater(det->early_q10, lesser(2 * (hidden_q10 - 256), HBC_TUNE_EARLY_MAX_Q10)) * (usual_n - since_n)
           / usual_n;
}

/* What a candidate since_n steps after the last beat must exceed. */
static int32_t limit_at(const hbc_rpeak *det, int32_t since_n)
{
    return det->threshold + det->span_q10 * (shape_part(det) + early_part(det, since_n));
}

/* Fisher's linear discriminant for two bands with noise as high as their usual energy: weight = signal / usual^2.
 * Electrode motion spoils the coarse band, muscle and hum the fine one.  Clean ECG is left to the coarse band, as
 * ventricular beats are wide; so is everything where the fine band is not the better one. */
static void weigh_bands(hbc_rpeak *det)
{
    const int32_t coarse = det->signal_mid;
    const int32_t coarse_snr = ratio_q4(coarse, det->usual_coarse) + 1;
    const int32_t fine_snr = ratio_q4(det->signal_fine_mid, det->usual_fine) + 1;
    int32_t share, target = 0;
    if (fine_snr > coarse_snr) {
        share = share_q10(det->usual_coarse, coarse + 1);
        target = fine_snr * ratio_q4(det->usual_coarse, det->usual_fine) / coarse_snr * HBC_TUNE_FINE_GAIN;
        if (share < 256) {
            target = (target >> 4) * share >> 4;
        }
        if (target > 1024) {
            target = 1024;
        }
    }
    det->fine_to_coarse_q4 += (target - det->fine_to_coarse_q4) >> 2;
    if (det->fine_to_coarse_q4 <= 256) {
        det->coarse_weight = 16;
        det->fine_weight = det->fine_to_coarse_q4;
    } else {
        det->coarse_weight = 4096 / det->fine_to_coarse_q4;
        det->fine_weight = 256;
    }
}

static int32_t quality_of(const hbc_rpeak *det, int32_t energy)
{
    const int32_t usual = weighted(det, det->usual_coarse, det->usual_fine);
    int32_t above = weighted(det, det->noise_mid, det->noise_fine_mid);
    if (above < usual) {
        above = usual;
    }
    above = energy - above;
    if (above <= 0) {
        return 0;
    }
    if (energy >= 1 << 22) { /* keep above * 255 below 2^30 */
        above >>= 7;
        energy >>= 7;
    }
    return above * 255 / energy;
}

#endif /* HBC_RPEAK_THRESHOLD_H */
