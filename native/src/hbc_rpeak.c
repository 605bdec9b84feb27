/* SPDX-License-Identifier: Apache-2.0
 *
 * Streaming R-peak detector; the manual is hbc_rpeak.h, the derivations are in docs/detector.md.
 *
 * Chain: box decimation to 100..239 Hz -> two bands, each a symmetric second difference: coarse (24 ms, near 20 Hz,
 * "bend") and fine (1 step, near 36 Hz) -> |.| -> 80 ms moving sums ("energy") -> weighted sum, the fine band counting
 * only where noise spoils it less -> largest of 180 ms -> threshold that rises with the noise, for early beats and
 * for odd shapes, T-wave rule, search-back -> position on the raw samples.
 */
#include "hbc_rpeak.h"

#ifdef HBC_RPEAK_CHECK
#include <assert.h>
#define CHECK(condition) assert(condition)
#else
#define CHECK(condition) ((void)0)
#endif

/* Arithmetic shift of negatives, and no padding before the raw ring: the device twin relies on both. */
typedef char assert_arithmetic_shift[((int32_t)-1 >> 1) == -1 ? 1 : -1];
typedef char assert_words_only[sizeof(hbc_rpeak) == sizeof(int32_t) * 460 + sizeof(hbc_artefact) + sizeof(int16_t) * 512
                               ? 1 : -1];

/* Chosen on records, one half checked against the other: tests/study/detector_halves.py sets them with -D. */
#ifndef HBC_TUNE_ENERGY_MS
#define HBC_TUNE_ENERGY_MS 80 /* moving sum of |bend| */
#endif
#ifndef HBC_TUNE_HOLD_MS
#define HBC_TUNE_HOLD_MS 180 /* a candidate must stay the largest for this long */
#endif
#ifndef HBC_TUNE_THRESHOLD_Q10
#define HBC_TUNE_THRESHOLD_Q10 336 /* beat above noise + this part of (signal - noise), clean ECG */
#endif
#ifndef HBC_TUNE_THRESHOLD_MAX_Q10
#define HBC_TUNE_THRESHOLD_MAX_Q10 640 /* the same in noise */
#endif
#ifndef HBC_TUNE_NOISE_FROM_Q10
#define HBC_TUNE_NOISE_FROM_Q10 256 /* usual energy / beat energy from which the threshold rises */
#endif
#ifndef HBC_TUNE_NOISE_GAIN
#define HBC_TUNE_NOISE_GAIN 2 /* how fast it rises */
#endif
#ifndef HBC_TUNE_EARLY_FROM_Q10
#define HBC_TUNE_EARLY_FROM_Q10 150 /* usual energy / beat energy from which early beats are doubted */
#endif
#ifndef HBC_TUNE_EARLY_GAIN
#define HBC_TUNE_EARLY_GAIN 2 /* how fast the doubt rises */
#endif
#ifndef HBC_TUNE_EARLY_MAX_Q10
#define HBC_TUNE_EARLY_MAX_Q10 640 /* most that is added to the threshold part just after a beat */
#endif
#ifndef HBC_TUNE_EARLY_RR_Q5
#define HBC_TUNE_EARLY_RR_Q5 28 /* early = before this part of the usual RR */
#endif
#ifndef HBC_TUNE_FINE_GAIN
#define HBC_TUNE_FINE_GAIN 4 /* weight of the fine band, Fisher's rule times this */
#endif
#ifndef HBC_TUNE_T_WAVE_Q4
#define HBC_TUNE_T_WAVE_Q4 9 /* within 360 ms a candidate below this part of the last beat is a T wave */
#endif
#ifndef HBC_TUNE_BACK_Q4
#define HBC_TUNE_BACK_Q4 10 /* search-back takes a candidate above this part of the threshold */
#endif
#ifndef HBC_TUNE_BACK_RR_Q4
#define HBC_TUNE_BACK_RR_Q4 9 /* search back after 1 + this part of the mean RR without a beat */
#endif

#ifndef HBC_TUNE_SHAPE_FROM_Q10
#define HBC_TUNE_SHAPE_FROM_Q10 280 /* usual energy / beat energy from which the shape counts */
#endif
#ifndef HBC_TUNE_SHAPE_LIKE_Q10
#define HBC_TUNE_SHAPE_LIKE_Q10 700 /* likeness that speaks neither for a beat nor against it */
#endif
#ifndef HBC_TUNE_SHAPE_GAIN
#define HBC_TUNE_SHAPE_GAIN 3 /* what likeness weighs, quarters */
#endif
enum {
    STEP_RATE_HZ = 120,     /* decimate to the lowest rate at or above this */
    COUNT_MAX_N = 1 << 20,  /* over an hour; keeps every time difference small */
    RAW_MASK = HBC_RPEAK_RAW_N - 1,
    ENERGY_MAX = 1 << 29,   /* coarse 119.5e6, fine times 16 319e6 at most: docs/detector.md */
    NOISY_Q10 = 400,        /* usual energy / beat energy of a noisy second */
    SHAPE_MAX_N = 32,       /* places of shape[] */
    SHAPE_KNOWN_N = 8,      /* beats that make a shape */
    NEAR_N = 12,            /* places of near[] */
    DOWN = 256              /* flag beside the fraction of a position: the R wave points down */
};

static int32_t steps_of(int32_t duration_ms, int32_t rate_hz, int32_t least)
{
    const int32_t n = (duration_ms * rate_hz + 500) / 1000;
    return n < least ? least : n;
}

static int32_t magnitude(int32_t x)
{
    return x < 0 ? -x : x;
}

static int32_t rr_limit(const hbc_rpeak *det, int32_t rr_n)
{
    return rr_n + ((rr_n * HBC_TUNE_BACK_RR_Q4) >> 4) + det->hold_n;
}

hbc_rpeak_status hbc_rpeak_init(hbc_rpeak *det, int32_t rate_hz)
{
    unsigned char *bytes = (unsigned char *)det;
    uint32_t i;
    int32_t step_hz, spent, room;
    if (rate_hz < HBC_RPEAK_RATE_MIN_HZ || rate_hz > HBC_RPEAK_RATE_MAX_HZ) {
        return HBC_RPEAK_BAD_RATE;
    }
    for (i = 0; i < (uint32_t)sizeof *det; i++) {
        bytes[i] = 0;
    }
    det->decim_n = rate_hz < STEP_RATE_HZ ? 1 : rate_hz / STEP_RATE_HZ;
    det->decim_recip_q12 = 4096 / det->decim_n;
    step_hz = rate_hz / det->decim_n;
    det->smooth_n = steps_of(24, step_hz, 1);
    det->bend_n = steps_of(24, step_hz, 1);
    det->energy_n = steps_of(HBC_TUNE_ENERGY_MS, step_hz, 1);
    det->refractory_n = steps_of(200, step_hz, 1);
    det->t_wave_n = steps_of(360, step_hz, 1);
    det->second_n = step_hz;
    det->floor_energy = 48 * det->smooth_n * det->energy_n;
    det->fine_delay_n = (det->smooth_n + 2 * det->bend_n - 3) / 2;
    det->shape_half_n = steps_of(60, step_hz, 1);
    det->bend_seek_n = steps_of(24, step_hz, 1);
    det->raw_seek_n = steps_of(16, rate_hz, 1);
    det->raw_back_n = steps_of(48, rate_hz, 1);
    det->raw_smooth_n = rate_hz * 4 / 1000;
    det->raw_arm_n = steps_of(4, rate_hz, 1);
    det->raw_late_n = rate_hz * HBC_RPEAK_LATENCY_MS / 1000 - 1 - det->raw_arm_n;
    /* Group delays: decimation box, smoothing box, 2-step box, second difference. */
    det->raw_delay_n = ((det->decim_n - 1) + (det->smooth_n - 1) * det->decim_n + det->decim_n
                        + 2 * det->bend_n * det->decim_n) / 2;
    /* The longest hold that still keeps the promised latency for the earliest position the search can return. */
    spent = det->raw_delay_n + det->raw_seek_n + 1
            + det->decim_n * ((det->energy_n - 1) / 2 + det->bend_seek_n + 1);
    room = (rate_hz * HBC_RPEAK_LATENCY_MS / 1000 - spent) / det->decim_n;
    det->hold_n = steps_of(HBC_TUNE_HOLD_MS, step_hz, 1);
    if (det->hold_n > room) {
        det->hold_n = room;
    }
    det->hum_turn[0] = (50 * det->decim_n * 65536) / rate_hz;
    det->hum_turn[1] = (60 * det->decim_n * 65536) / rate_hz;
    hbc_artefact_init(&det->artefact, rate_hz);
    det->near_recip_q16 = 65536 * NEAR_N / det->artefact.lag_max_n;
    det->rail_low = -32768;
    det->rail_high = 32767;
    det->coarse_weight = 16;
    det->polarity = 1;
    det->since_n = 3 * step_hz;
    det->rr_limit_n = rr_limit(det, det->second_n);
    det->learn_left_n = 2 * step_hz;
    det->no_beat_n = (5 * step_hz) >> 1;
    return HBC_RPEAK_OK;
}

/* --- thresholds -------------------------------------------------------------------------------------------- */

static int32_t lesser(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static int32_t greater(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

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

/* Bend of the candidate around its extremum, oldest first, the largest brought to 2^11..2^12.  Returns how many. */
static int32_t read_shape(const hbc_rpeak *det, int32_t *values)
{
    const int32_t n = 2 * det->shape_half_n + 1;
    int32_t i, age, most = 1, down = 0, up = 0;
    for (i = 0; i < n; i++) {
        age = lesser(det->bend_age + det->shape_half_n - i, 63); /* only steps of over 180 Hz reach the ring's end */
        values[i] = det->bend_ring[(det->steps_n - 1u - (uint32_t)age) & 63];
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

/* What a candidate since_n steps after the last beat must exceed. */
static int32_t limit_at(const hbc_rpeak *det, int32_t since_n)
{
    const int32_t usual_n = (det->rr_usual_n * HBC_TUNE_EARLY_RR_Q5) >> 5;
    int32_t part = shape_part(det);
    if (since_n < usual_n) {
        part += det->early_q10 * (usual_n - since_n) / usual_n;
    }
    return det->threshold + det->span_q10 * part;
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

/* --- position ---------------------------------------------------------------------------------------------- */

/* Ages count back from the newest: age 0 is the newest raw sample, or the newest step. */
static int32_t raw_at(const hbc_rpeak *det, int32_t age_n)
{
    return det->raw_ring[(det->samples_n - 1u - (uint32_t)age_n) & RAW_MASK];
}

static int32_t raw_smoothed(const hbc_rpeak *det, int32_t age_n)
{
    int32_t i, sum = 0;
    for (i = age_n - det->raw_smooth_n; i <= age_n + det->raw_smooth_n; i++) {
        sum += raw_at(det, i);
    }
    return sum;
}

/* Age of the step in the middle of the candidate's energy. */
static int32_t bend_centre(const hbc_rpeak *det)
{
    return det->hold_n + ((det->energy_n - 1) >> 1);
}

/* Largest bend near the energy centre, in the usual direction unless the other is 1.5 times larger, so that a
 * biphasic complex does not flip from beat to beat.  Returns age in steps, negated when the peak points down. */
static int32_t find_bend(hbc_rpeak *det)
{
    const int32_t centre = bend_centre(det);
    int32_t up = 0, down = 0, up_age = centre, down_age = centre, age, bend;
    for (age = centre - det->bend_seek_n; age <= centre + det->bend_seek_n; age++) {
        bend = det->bend_ring[(det->steps_n - 1u - (uint32_t)age) & 63];
        up_age = bend > up ? age : up_age;
        up = greater(bend, up);
        down_age = -bend > down ? age : down_age;
        down = greater(-bend, down);
    }
    det->polarity_votes += up >= down ? 1 : -1;
    if (det->polarity_votes >= 4) {
        det->polarity_votes = 4;
        det->polarity = 1;
    } else if (det->polarity_votes <= -4) {
        det->polarity_votes = -4;
        det->polarity = -1;
    }
    if (det->polarity > 0) {
        return 3 * up >= 2 * down ? up_age : -down_age;
    }
    return 2 * up > 3 * down ? up_age : -down_age;
}

/* R-peak on the raw samples: highest value of an 8 ms box from 48 ms before the bend to 16 ms after it, then a parabola
 * through it and its neighbours one arm away.  Result in found_idx and found_q8. */
static void locate(hbc_rpeak *det)
{
    int32_t bend_age = find_bend(det), sign = 1, centre, age, oldest, best_age, best, sum, value;
    int32_t before, after, num, den, off;
    if (bend_age < 0) {
        bend_age = -bend_age;
        sign = -1;
    }
    det->bend_age = bend_age;
    centre = bend_age * det->decim_n + det->raw_delay_n;
    /* Wide beats bend most on a late shoulder; their peak lies before it.  Never older than the promised latency. */
    oldest = centre + det->raw_back_n;
    CHECK(centre <= det->raw_late_n);
    if (oldest > det->raw_late_n) {
        oldest = det->raw_late_n;
    }
    if (oldest >= det->seen_n) { /* not before the first sample */
        oldest = det->seen_n - 1;
    }
    CHECK(oldest + det->raw_smooth_n + det->raw_arm_n < HBC_RPEAK_RAW_N);
    CHECK(centre - det->raw_seek_n - det->raw_smooth_n - det->raw_arm_n >= 0);
    best_age = oldest;
    sum = raw_smoothed(det, oldest);
    best = sign * sum;
    for (age = oldest - 1; age >= centre - det->raw_seek_n; age--) {
        sum += raw_at(det, age - det->raw_smooth_n) - raw_at(det, age + det->raw_smooth_n + 1);
        value = sign * sum;
        best_age = value > best ? age : best_age;
        best = greater(value, best);
    }
    before = sign * raw_smoothed(det, best_age + det->raw_arm_n);
    after = sign * raw_smoothed(det, best_age - det->raw_arm_n);
    den = 2 * best - before - after;
    num = after - before;
    off = 0;
    if (den > 0) {
        /* |num| <= 2 * 9 * 2^15, times 128 * 4: below 2^29. */
        CHECK(magnitude(num) <= 589824);
        off = (magnitude(num) * 128 * det->raw_arm_n) / den;
        if (off > 128 * det->raw_arm_n) { /* no true maximum: edge of the search */
            off = 128 * det->raw_arm_n;
        }
        off = num < 0 ? -off : off;
    }
    if (best_age - (off >> 8) >= det->seen_n) { /* never before the first sample */
        off = 0;
    }
    det->found_idx = det->samples_n - 1u - (uint32_t)(best_age - (off >> 8));
    det->found_q8 = (off & 255) | (sign < 0 ? DOWN : 0);
}

/* --- decision ---------------------------------------------------------------------------------------------- */

static void enqueue(hbc_rpeak *det, uint32_t idx, int32_t q8, int32_t quality)
{
    const int32_t slot = (det->queue_head + det->queue_n) & 15;
    CHECK(det->queue_n < HBC_RPEAK_QUEUE_N);
    if (det->queue_n == HBC_RPEAK_QUEUE_N) { /* unreachable while the caller takes the peaks; never overwrite */
        return;
    }
    det->queue_idx[slot] = idx;
    det->queue_q8[slot] = q8;
    det->queue_quality[slot] = quality;
    det->queue_n++;
}

/* A beat whose energy peak lay since_n steps after the last beat's. */
static void accept(hbc_rpeak *det, int32_t coarse, int32_t fine, uint32_t idx, int32_t q8, int32_t since_n,
                   int32_t quality)
{
    int32_t i, sum = 0;
    det->signal[det->signal_pos] = coarse;
    det->signal_fine[det->signal_pos] = fine;
    det->signal_pos = (det->signal_pos + 1) & 7;
    summarise_signal(det);
    if (since_n < 3 * det->second_n) { /* a longer pause is no rhythm */
        det->rr[det->rr_pos] = since_n;
        det->rr_pos = (det->rr_pos + 1) & 7;
        if (det->rr_n < 8) {
            det->rr_n++;
        }
        for (i = 0; i < det->rr_n; i++) {
            sum += det->rr[i];
        }
        det->rr_limit_n = rr_limit(det, sum / det->rr_n);
        if (det->rr_n == 8) {
            det->rr_usual_n = median8(det->rr);
        }
    }
    det->since_n -= since_n;
    det->last_coarse = coarse;
    det->last_fine = fine;
    det->back_energy = 0;
    det->no_beat_n = (5 * det->second_n) >> 1;
    weigh_bands(det);
    update_threshold(det);
    enqueue(det, idx, q8, quality);
}

/* Beat, T wave or noise.  Departure from Pan-Tompkins: the T-wave rule compares energies (the bend already prefers
 * steep waves), and there is one threshold, on the energy only. */
static void classify(hbc_rpeak *det, int32_t coarse, int32_t fine, uint32_t idx, int32_t q8, int32_t since_n)
{
    const int32_t energy = weighted(det, coarse, fine);
    if (since_n < det->refractory_n) {
        return;
    }
    if (since_n < det->t_wave_n
        && energy < (weighted(det, det->last_coarse, det->last_fine) >> 4) * HBC_TUNE_T_WAVE_Q4) {
        return;
    }
    if (energy > limit_at(det, since_n)) {
        learn_shape(det);
        accept(det, coarse, fine, idx, q8, since_n, quality_of(det, energy));
        return;
    }
    det->noise[det->noise_pos] = coarse;
    det->noise_fine[det->noise_pos] = fine;
    det->noise_pos = (det->noise_pos + 1) & 7;
    summarise_noise(det);
    update_threshold(det);
    if (energy > det->back_energy) {
        det->back_energy = energy;
        det->back_coarse = coarse;
        det->back_fine = fine;
        det->back_since_n = since_n;
        det->back_idx = idx;
        det->back_q8 = q8;
    }
}

/* Eight times the energy of all other candidates: the only R wave of a slow heart so far, or a switch-on artefact. */
static int32_t lone_giant(const hbc_rpeak *det, int32_t *largest_at, int32_t *second_at)
{
    int32_t i, largest = 0, second = 0;
    *largest_at = 0;
    *second_at = 0;
    for (i = 0; i < det->learn_n; i++) {
        if (det->learn_coarse[i] > largest) {
            second = largest;
            *second_at = *largest_at;
            largest = det->learn_coarse[i];
            *largest_at = i;
        } else if (det->learn_coarse[i] > second) {
            second = det->learn_coarse[i];
            *second_at = i;
        }
    }
    return second > 0 && second < largest >> 3;
}

/* The learning time is over: start from its largest energy and judge its candidates, so that no beat is lost. */
static void replay_learning(hbc_rpeak *det, int32_t from)
{
    const int32_t start = det->since_n;
    const int32_t coarse = det->learn_coarse[from], fine = det->learn_fine[from];
    int32_t i, last = 0, queued;
    for (i = 0; i < 8; i++) {
        det->signal[i] = coarse - (coarse >> 2);
        det->signal_fine[i] = fine - (fine >> 2);
        det->noise[i] = coarse >> 4;
        det->noise_fine[i] = fine >> 4;
    }
    summarise_signal(det);
    summarise_noise(det);
    update_threshold(det);
    det->bend_age = -1;
    for (i = 0; i < det->learn_n; i++) {
        /* accept() takes the interval off since_n; the steps of the buffer are since_n of their time. */
        det->since_n = det->learn_step[i] - last;
        queued = det->queue_n;
        classify(det, det->learn_coarse[i], det->learn_fine[i], det->learn_idx[i], det->learn_q8[i], det->since_n);
        if (det->queue_n != queued) {
            last = det->learn_step[i];
        }
    }
    det->since_n = start - last;
}

/* One lone giant: wait for a second R wave, as long as a heart of 40/min needs.  When none comes it was an artefact. */
static void learn(hbc_rpeak *det)
{
    int32_t largest_at, second_at, alone;
    det->learn_left_n--;
    if (det->learn_left_n > 0 && det->learn_n < HBC_RPEAK_QUEUE_N) {
        return;
    }
    alone = lone_giant(det, &largest_at, &second_at);
    if (alone && det->learn_left_n == 0 && det->learn_more == 0 && det->learn_n < HBC_RPEAK_QUEUE_N) {
        det->learn_more = 1;
        det->learn_left_n = (3 * det->second_n) >> 1;
        return;
    }
    det->learn_left_n = 0;
    replay_learning(det, alone ? second_at : largest_at);
}

/* What a candidate near a pulse must exceed: recharge noise and what remains of an artefact come at the same time after
 * every pulse, beats do not.  A beat in noise is not asked to be larger than it is. */
static int32_t near_limit(const hbc_rpeak *det)
{
    const int32_t most = (weighted(det, det->signal_mid, det->signal_fine_mid) >> 4) * 9;
    int32_t usual = 0, i;
    if (det->cand_near < 0) {
        return 0;
    }
    for (i = det->cand_near - 1; i <= det->cand_near + 1; i++) {
        if (i >= 0 && i < NEAR_N) {
            usual = greater(usual, det->near[i]);
        }
    }
    return usual > most >> 2 ? most : lesser(most, 3 * usual + (usual >> 1));
}

/* Follow the lower third of the energies at this time after a pulse, so that beats do not count; a quarter of a beat
 * until known better.  Held output has no energy and says nothing.  Returns the place in near[], -1 when no pulse is near. */
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

static void candidate(hbc_rpeak *det, int32_t coarse, int32_t fine)
{
    const int32_t since_n = det->since_n - det->hold_n;
    if (coarse < det->floor_energy) {
        return;
    }
    locate(det);
    if (det->learn_left_n == 0) {
        if (weighted(det, coarse, fine) <= near_limit(det)) {
            return;
        }
        classify(det, coarse, fine, det->found_idx, det->found_q8, since_n);
    } else if (det->learn_n < 16) {
        det->learn_coarse[det->learn_n] = coarse;
        det->learn_fine[det->learn_n] = fine;
        det->learn_step[det->learn_n] = since_n;
        det->learn_idx[det->learn_n] = det->found_idx;
        det->learn_q8[det->learn_n] = det->found_q8;
        det->learn_n++;
    }
}

static void cap(int32_t *values, int32_t most)
{
    int32_t i;
    for (i = 0; i < 8; i++) {
        if (values[i] > most) {
            values[i] = most;
        }
    }
}

/* No beat came for long, and a rejected candidate is large enough: it was one.  Then the amplitude fell, and beats of
 * the new size were counted as noise and would keep each other out. */
static void search_back(hbc_rpeak *det)
{
    const int32_t quality = quality_of(det, det->back_energy) >> 1;
    cap(det->noise, det->back_coarse >> 1);
    cap(det->noise_fine, det->back_fine >> 1);
    cap(det->signal, det->back_coarse * 2);
    cap(det->signal_fine, det->back_fine * 2);
    summarise_noise(det); /* accept() does the other */
    accept(det, det->back_coarse, det->back_fine, det->back_idx, det->back_q8, det->back_since_n, quality);
}

/* Neither noise nor a huge artefact must silence us for ever. */
static void give_way(hbc_rpeak *det)
{
    int32_t i;
    for (i = 0; i < 8; i++) {
        det->signal[i] >>= 1;
        det->signal_fine[i] >>= 1;
        det->noise[i] >>= 1;
        det->noise_fine[i] >>= 1;
    }
    summarise_signal(det);
    summarise_noise(det);
    update_threshold(det);
    det->no_beat_n = det->second_n;
}

static int32_t may_search_back(const hbc_rpeak *det)
{
    return det->back_energy > (det->threshold >> 4) * HBC_TUNE_BACK_Q4;
}

static void watch(hbc_rpeak *det)
{
    if (det->since_n > det->rr_limit_n && may_search_back(det)) {
        search_back(det);
    }
    det->no_beat_n--;
    if (det->no_beat_n == 0) {
        give_way(det);
    }
}

/* --- signal state ------------------------------------------------------------------------------------------- */

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

/* --- the stream -------------------------------------------------------------------------------------------- */

/* Follow the 75th percentile: three times as fast up as down.  A mask and no branch: it would be guessed wrong often. */
static int32_t follow(int32_t usual, int32_t energy)
{
    const int32_t rate = usual >> 8;
    return usual - 2 * rate + ((8 * rate + 1) & -(energy > usual));
}

static void filter(hbc_rpeak *det, int32_t mean)
{
    const uint32_t now = det->steps_n;
    int32_t smooth, bend, old, fine_in, fine_bend;
    fine_in = mean + det->mean_ring[(now - 1u) & 7];
    det->smooth_sum += mean - det->mean_ring[(now - (uint32_t)det->smooth_n) & 7];
    det->mean_ring[now & 7] = mean;
    smooth = det->smooth_sum + det->smooth_prev;
    det->smooth_prev = det->smooth_sum;
    bend = 2 * det->smooth_ring[(now - (uint32_t)det->bend_n) & 15] - smooth
           - det->smooth_ring[(now - 2u * (uint32_t)det->bend_n) & 15];
    det->smooth_ring[now & 15] = smooth;
    old = det->bend_ring[(now - (uint32_t)det->energy_n) & 63];
    det->bend_ring[now & 63] = bend;
    det->coarse += magnitude(bend) - magnitude(old);
    fine_bend = 2 * det->fine_prev - fine_in - det->fine_prev2;
    det->fine_prev2 = det->fine_prev;
    det->fine_prev = fine_in;
    det->fine_ring[now & 63] = magnitude(fine_bend);
    old = det->fine_ring[(now - (uint32_t)(det->fine_delay_n + det->energy_n)) & 63];
    det->fine += det->fine_ring[(now - (uint32_t)det->fine_delay_n) & 63] - old;
    det->steps_n = now + 1u;
    CHECK(magnitude(mean) <= 1 << 17);
    CHECK(magnitude(bend) <= 48 << 17);
    CHECK(magnitude(fine_bend) <= 8 << 17);
    CHECK(det->coarse >= 0 && det->coarse <= 19 * 48 * (1 << 17));
    CHECK(det->fine >= 0 && det->fine <= 19 * 8 * (1 << 17));
}

/* Follow the energies of a step; 1 when a candidate has stayed the largest for long enough. */
static int32_t track(hbc_rpeak *det)
{
    const int32_t energy = weighted(det, det->coarse, det->fine);
    const int32_t near = watch_near(det, energy);
    det->usual_coarse = follow(det->usual_coarse, det->coarse);
    det->usual_fine = follow(det->usual_fine, det->fine);
    CHECK(energy >= 0 && energy <= ENERGY_MAX);
    if (det->since_n < COUNT_MAX_N) {
        det->since_n++;
    }
    if (energy > det->cand_energy && (det->cand_energy != 0 || energy > det->energy_prev)) {
        det->cand_energy = energy;
        det->cand_coarse = det->coarse;
        det->cand_fine = det->fine;
        det->cand_near = near;
        det->cand_age_n = 0;
    } else if (det->cand_energy != 0) {
        det->cand_age_n++;
    }
    det->energy_prev = energy;
    return det->cand_energy != 0 && det->cand_age_n >= det->hold_n;
}

static void decide(hbc_rpeak *det, int32_t candidate_due)
{
    if (candidate_due != 0) {
        det->cand_energy = 0;
        candidate(det, det->cand_coarse, det->cand_fine);
    }
    if (det->learn_left_n == 0) {
        if (!det->spoilt) {
            watch(det);
        } else if (det->rr_limit_n < COUNT_MAX_N) { /* time without ECG is no pause of the heart */
            det->rr_limit_n++;
        }
    } else {
        learn(det);
    }
}

static int32_t mean_of(const hbc_rpeak *det, int32_t sum)
{
    return (sum * det->decim_recip_q12) >> 10; /* Q2 */
}

static void step(hbc_rpeak *det, int32_t sum)
{
    const int32_t mean = mean_of(det, sum);
    filter(det, mean);
    watch_signal(det, mean);
    decide(det, track(det));
}

/* Fill the filters as if the first good sample had always been there: no start-up step. */
static void prime(hbc_rpeak *det, int32_t sample_lsb)
{
    const int32_t mean = mean_of(det, sample_lsb * det->decim_n);
    int32_t i;
    for (i = 0; i < 8; i++) {
        det->mean_ring[i] = mean;
    }
    det->smooth_sum = mean * det->smooth_n;
    det->smooth_prev = det->smooth_sum;
    det->fine_prev = 2 * mean;
    det->fine_prev2 = 2 * mean;
    det->mean_prev = mean;
    det->mean_prev2 = mean;
    for (i = 0; i < 16; i++) {
        det->smooth_ring[i] = 2 * det->smooth_sum;
    }
    for (i = 0; i < HBC_RPEAK_RAW_N; i++) {
        det->raw_ring[i] = (int16_t)sample_lsb;
    }
}

/* What one raw sample does. */
static void feed(hbc_rpeak *det, int16_t sample_lsb, uint8_t blanked)
{
    const uint32_t idx = det->samples_n;
    int32_t sum;
    det->samples_n = idx + 1u;
    if (det->seen_n == 0) {
        if (blanked != 0) { /* no ECG yet: nothing to hold */
            det->signal_state = blanked == HBC_RPEAK_OFF ? HBC_RPEAK_LEAD_OFF : HBC_RPEAK_GOOD;
            return;
        }
        prime(det, sample_lsb);
    }
    det->spoilt |= hbc_artefact_push(&det->artefact, sample_lsb, blanked);
    det->held_lsb = det->artefact.out_lsb;
    if (blanked == HBC_RPEAK_OFF) {
        det->off_n++;
    } else if (blanked == 0 && (sample_lsb <= det->rail_low || sample_lsb >= det->rail_high)) {
        det->railed_n++;
    }
    det->raw_ring[idx & RAW_MASK] = (int16_t)det->held_lsb;
    if (det->seen_n < COUNT_MAX_N) {
        det->seen_n++;
    }
    det->decim_sum += det->held_lsb;
    det->decim_phase++;
    if (det->decim_phase == det->decim_n) {
        sum = det->decim_sum;
        det->decim_phase = 0;
        det->decim_sum = 0;
        step(det, sum);
        det->spoilt = 0;
    }
}

static int32_t take(hbc_rpeak *det, hbc_rpeak_peak *out)
{
    if (det->queue_n == 0) {
        return 0;
    }
    out->sample_idx = det->queue_idx[det->queue_head];
    out->frac_q8 = (uint8_t)(det->queue_q8[det->queue_head] & 255);
    out->polarity = (int8_t)((det->queue_q8[det->queue_head] & DOWN) != 0 ? -1 : 1);
    out->quality = (uint8_t)det->queue_quality[det->queue_head];
    det->queue_head = (det->queue_head + 1) & 15;
    det->queue_n--;
    return 1;
}

void hbc_rpeak_set_rails(hbc_rpeak *det, int32_t low_lsb, int32_t high_lsb)
{
    det->rail_low = low_lsb;
    det->rail_high = high_lsb;
}

int32_t hbc_rpeak_push(hbc_rpeak *det, int16_t sample_lsb, uint8_t blanked, hbc_rpeak_peak *out)
{
    feed(det, sample_lsb, blanked);
    return take(det, out);
}

#ifdef HBC_RPEAK_BATCH /* hosts: the same result, many samples at a time */
#include "hbc_rpeak_batch.h"
#else
int32_t hbc_rpeak_push_block(hbc_rpeak *det, const int16_t *samples_lsb, const uint8_t *blanked, int32_t samples_n,
                             hbc_rpeak_peak *peaks, int32_t peaks_max)
{
    int32_t i, peaks_n = 0;
    for (i = 0; i < samples_n; i++) {
        feed(det, samples_lsb[i], blanked == 0 ? 0 : blanked[i]);
        if (peaks_n < peaks_max) {
            peaks_n += take(det, &peaks[peaks_n]);
        }
    }
    return peaks_n;
}
#endif
