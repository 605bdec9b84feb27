/* SPDX-License-Identifier: Apache-2.0
 *
 * hbc_rpeak_push_block for hosts, the end of hbc_rpeak.c when HBC_RPEAK_BATCH is defined: same peaks and, word for word,
 * the same state as feed() sample by sample, which is the definition (tests/native/test_block_equals_push.py).
 *
 * Plain loops over local arrays, which a compiler turns into vector instructions: sums and filters of a whole batch
 * first, then the candidates, then the decisions with the very functions of the scalar path.  9 KiB of stack.
 *
 * A batch may assume: the detector is primed (seen_n > 0), the samples are ECG (mask 0), the last pulse was 3 s ago or
 * never, no step before them was spoilt by one, they start where a step starts (decim_phase 0) and make whole steps,
 * and the second under watch ends with the last of them or later.  Everything else goes through feed(): masked samples,
 * the first ones, what is left over.
 */
#include "hbc_wide.h"

enum {
    BATCH_MIN_N = 16,    /* fewer steps are cheaper through feed() */
    BATCH_MAX_N = 240,   /* steps; a second has at most 239 */
    MEAN_PAST_N = 8,     /* earlier values wanted by the filters: whole rings */
    SMOOTH_PAST_N = 16,
    ENERGY_PAST_N = 64
};

/* 16-bit phases wrap, as with gcc and clang. */
typedef char assert_wraps[(int16_t)40000 == 40000 - 65536 ? 1 : -1];

/* Step k of the batch is at [PAST + k]; the rings of the state stand before it. */
typedef struct {
    int32_t steps_n;
    int32_t written_n; /* steps that the counters and raw_ring know of already */
    int32_t mean[MEAN_PAST_N + BATCH_MAX_N];
    int32_t smooth[SMOOTH_PAST_N + BATCH_MAX_N];
    int32_t bend[ENERGY_PAST_N + BATCH_MAX_N];
    int32_t fine_bend[ENERGY_PAST_N + BATCH_MAX_N]; /* magnitudes */
    int32_t coarse[BATCH_MAX_N];
    int32_t fine[BATCH_MAX_N];
    int32_t usual_coarse[1 + BATCH_MAX_N]; /* [0]: before the batch */
    int32_t usual_fine[1 + BATCH_MAX_N];
} batch;

typedef struct {
    hbc_rpeak_peak *peaks;
    int32_t max_n;
    int32_t n;
} outlet;

/* As many peaks as samples_n samples would take out of the queue. */
static void drain(hbc_rpeak *det, outlet *out, int32_t samples_n)
{
    while (samples_n > 0 && det->queue_n > 0 && out->n < out->max_n) {
        out->n += take(det, &out->peaks[out->n]);
        samples_n--;
    }
}

/* The last ring_n values before step now, oldest first. */
static void unroll(int32_t *values, const int32_t *ring, int32_t ring_n, uint32_t now)
{
    const size_t older_n = now & (uint32_t)(ring_n - 1);
    memcpy(values, ring + older_n, ((size_t)ring_n - older_n) * sizeof *ring);
    memcpy(values + ((size_t)ring_n - older_n), ring, older_n * sizeof *ring);
}

static void roll_up(int32_t *ring, const int32_t *values, int32_t ring_n, uint32_t now)
{
    const size_t older_n = now & (uint32_t)(ring_n - 1);
    memcpy(ring + older_n, values, ((size_t)ring_n - older_n) * sizeof *ring);
    memcpy(ring, values + ((size_t)ring_n - older_n), older_n * sizeof *ring);
}

static void roll_up_raw(hbc_rpeak *det, const int16_t *samples_lsb, int32_t samples_n)
{
    const size_t n = (size_t)lesser(samples_n, HBC_RPEAK_RAW_N);
    const int16_t *const newest = samples_lsb + ((size_t)samples_n - n);
    const size_t start = (det->samples_n + (uint32_t)samples_n - (uint32_t)n) & RAW_MASK;
    const size_t first_n = n < HBC_RPEAK_RAW_N - start ? n : HBC_RPEAK_RAW_N - start;
    memcpy(det->raw_ring + start, newest, first_n * sizeof *newest);
    memcpy(det->raw_ring, newest + first_n, (n - first_n) * sizeof *newest);
}

/* --- filters of a whole batch -------------------------------------------------------------------------------- */

/* decim_n stands in the call as a number, so that the inner loop is unrolled. */
static inline void means_of(const hbc_rpeak *det, int32_t *mean, const int16_t *samples_lsb, int32_t n, int32_t decim_n)
{
    int32_t k, i, sum;
    for (k = 0; k < n; k++) {
        sum = 0;
        for (i = 0; i < decim_n; i++) {
            sum += samples_lsb[i];
        }
        mean[k] = mean_of(det, sum);
        samples_lsb += decim_n;
    }
}

static void decimate(const hbc_rpeak *det, batch *b, const int16_t *samples_lsb)
{
    int32_t *const mean = b->mean + MEAN_PAST_N;
    const int32_t n = b->steps_n;
    switch (det->decim_n) {
    case 1: means_of(det, mean, samples_lsb, n, 1); break;
    case 2: means_of(det, mean, samples_lsb, n, 2); break;
    case 3: means_of(det, mean, samples_lsb, n, 3); break;
    case 4: means_of(det, mean, samples_lsb, n, 4); break;
    default: means_of(det, mean, samples_lsb, n, det->decim_n); break;
    }
}

/* Earlier values have pointers of their own: Python builds with -fwrapv, and an index k - n may then wrap. */
static void filter_batch(hbc_rpeak *det, batch *b)
{
    const int32_t n = b->steps_n;
    const int32_t *const mean = b->mean + MEAN_PAST_N, *const mean_1 = mean - 1, *const mean_2 = mean - 2;
    const int32_t *const mean_3 = mean - 3, *const mean_old = mean - det->smooth_n;
    int32_t *const smooth = b->smooth + SMOOTH_PAST_N;
    const int32_t *const smooth_1 = smooth - det->bend_n, *const smooth_2 = smooth - 2 * det->bend_n;
    int32_t *const bend = b->bend + ENERGY_PAST_N, *const fine_bend = b->fine_bend + ENERGY_PAST_N;
    const int32_t *const bend_old = bend - det->energy_n, *const fine_bend_new = fine_bend - det->fine_delay_n;
    const int32_t *const fine_bend_old = fine_bend_new - det->energy_n;
    int32_t k, sum = det->smooth_sum, prev = det->smooth_prev;
    for (k = 0; k < n; k++) {
        sum += mean[k] - mean_old[k];
        smooth[k] = sum + prev;
        prev = sum;
    }
    for (k = 0; k < n; k++) {
        bend[k] = 2 * smooth_1[k] - smooth[k] - smooth_2[k];
        fine_bend[k] = magnitude(mean_1[k] + mean_2[k] - mean[k] - mean_3[k]);
    }
    for (k = 0; k < n; k++) {
        b->coarse[k] = magnitude(bend[k]) - magnitude(bend_old[k]);
        b->fine[k] = fine_bend_new[k] - fine_bend_old[k];
    }
    det->smooth_sum = sum;
    det->smooth_prev = sum;
    det->fine_prev = mean[n - 1] + mean[n - 2];
    det->fine_prev2 = mean[n - 2] + mean[n - 3];
}

static void follow_batch(const hbc_rpeak *det, batch *b)
{
    int32_t k, coarse = det->coarse, fine = det->fine, usual_coarse = det->usual_coarse, usual_fine = det->usual_fine;
    b->usual_coarse[0] = usual_coarse;
    b->usual_fine[0] = usual_fine;
    for (k = 0; k < b->steps_n; k++) {
        coarse += b->coarse[k];
        fine += b->fine[k];
        usual_coarse = follow(usual_coarse, coarse);
        usual_fine = follow(usual_fine, fine);
        b->coarse[k] = coarse;
        b->fine[k] = fine;
        b->usual_coarse[k + 1] = usual_coarse;
        b->usual_fine[k + 1] = usual_fine;
    }
}

/* --- signal watch of a whole batch --------------------------------------------------------------------------- */

static int32_t count_railed(const hbc_rpeak *det, const int16_t *samples_lsb, int32_t n)
{
    int16_t low = 32767, high = -32768;
    int32_t i, railed_n = 0;
    for (i = 0; i < n; i++) {
        low = samples_lsb[i] < low ? samples_lsb[i] : low;
        high = samples_lsb[i] > high ? samples_lsb[i] : high;
    }
    if (low > det->rail_low && high < det->rail_high) {
        return 0;
    }
    for (i = 0; i < n; i++) {
        railed_n += samples_lsb[i] <= det->rail_low || samples_lsb[i] >= det->rail_high;
    }
    return railed_n;
}

/* A phase is 16 bits, and so are second differences, 2^13 at most: multiply-add takes eight at a time. */
static void watch_hum(hbc_rpeak *det, int32_t which, const int16_t *d2, int32_t n)
{
    const uint16_t turn = (uint16_t)det->hum_turn[which];
    uint16_t phase = (uint16_t)det->hum_phase[which];
    int32_t k, in_phase = 0, quadrature = 0;
    for (k = 0; k < n; k++) {
        phase = (uint16_t)(phase + turn);
        in_phase += d2[k] * (int16_t)(((int16_t)phase >> 15) | 1); /* -1 from half a turn on */
        quadrature += d2[k] * (int16_t)(((int16_t)(phase + 16384) >> 15) | 1);
    }
    det->hum_in_phase[which] -= in_phase;
    det->hum_quadrature[which] -= quadrature;
    det->hum_phase[which] = phase;
}

static void watch_batch(hbc_rpeak *det, const batch *b)
{
    const int32_t *const mean = b->mean + MEAN_PAST_N;
    const int32_t n = b->steps_n;
    int16_t d2[BATCH_MAX_N];
    int32_t k, diff, sum = 0, largest = det->largest_coarse;
    for (k = 0; k < n; k++) {
        diff = (mean[k] - 2 * mean[k - 1] + mean[k - 2]) >> 6;
        CHECK(magnitude(diff) <= 1 << 13);
        d2[k] = (int16_t)diff;
        sum += magnitude(diff);
        largest = greater(largest, b->coarse[k]);
    }
    det->hum_sum += sum;
    det->largest_coarse = largest;
    watch_hum(det, 0, d2, n);
    watch_hum(det, 1, d2, n);
    det->mean_prev = mean[n - 1];
    det->mean_prev2 = mean[n - 2];
    det->watched_n += n;
}

/* --- the batch ----------------------------------------------------------------------------------------------- */

/* Bring counters and raw_ring to the end of step to - 1. */
static void catch_up(hbc_rpeak *det, batch *b, const int16_t *samples_lsb, int32_t to)
{
    const int32_t n = (to - b->written_n) * det->decim_n;
    roll_up_raw(det, samples_lsb + b->written_n * det->decim_n, n);
    det->samples_n += (uint32_t)n;
    det->steps_n += (uint32_t)(to - b->written_n);
    det->seen_n = det->seen_n > COUNT_MAX_N - n ? COUNT_MAX_N : det->seen_n + n;
    b->written_n = to;
}

/* What find_bend() and read_shape() read. */
static void catch_up_bend(hbc_rpeak *det, const batch *b)
{
    const int32_t *const newest = b->bend + ENERGY_PAST_N + b->written_n - 1;
    const int32_t centre = bend_centre(det), reach_n = det->bend_seek_n + det->shape_half_n;
    const int32_t oldest = lesser(centre + reach_n, 63);
    int32_t age;
    for (age = centre - reach_n; age <= oldest; age++) {
        det->bend_ring[(det->steps_n - 1u - (uint32_t)age) & 63] = newest[-age];
    }
}

/* Steps that do nothing but track() unless a candidate becomes due; decide() may act in the one after them. */
static int32_t quiet_steps(const hbc_rpeak *det)
{
    int32_t quiet_n = det->no_beat_n - 1;
    if (det->learn_left_n != 0) {
        return det->learn_left_n - 1;
    }
    if (may_search_back(det) && det->rr_limit_n - det->since_n < quiet_n) {
        quiet_n = det->rr_limit_n - det->since_n;
    }
    return quiet_n < 0 ? 0 : quiet_n;
}

/* track() for the steps from..to - 1, but not beyond one with which a candidate becomes due.  Returns how many. */
static int32_t track_batch(hbc_rpeak *det, const batch *b, int32_t from, int32_t to, int32_t *due)
{
    int32_t k = from, energy = 0, before, largest = det->cand_energy, largest_at = from - 1 - det->cand_age_n, higher;
    *due = 0;
    if (largest == 0) { /* no candidate until the energy rises */
        energy = det->energy_prev;
        do {
            before = energy;
            energy = weighted(det, b->coarse[k], b->fine[k]);
            k++;
        } while (energy <= before && k < to);
        if (energy > before) {
            largest = energy;
            largest_at = k - 1;
        }
    }
    if (largest != 0) {
        for (; k < to && k - largest_at <= det->hold_n; k++) {
            energy = weighted(det, b->coarse[k], b->fine[k]);
            higher = -(energy > largest); /* a mask: a branch would be guessed wrong at every turn */
            largest_at += (k - largest_at) & higher;
            largest += (energy - largest) & higher;
        }
        *due = k - 1 - largest_at >= det->hold_n;
        if (largest_at >= from) {
            det->cand_coarse = b->coarse[largest_at];
            det->cand_fine = b->fine[largest_at];
            det->cand_near = -1;
            det->cand_hidden_n = 0;
        }
        det->cand_age_n = k - 1 - largest_at;
    }
    det->cand_energy = largest;
    det->energy_prev = energy;
    det->since_n = det->since_n > COUNT_MAX_N - (k - from) ? COUNT_MAX_N : det->since_n + (k - from);
    return k - from;
}

static void set_usual(hbc_rpeak *det, const batch *b, int32_t steps_n)
{
    det->usual_coarse = b->usual_coarse[steps_n];
    det->usual_fine = b->usual_fine[steps_n];
}

WIDE static void push_batch(hbc_rpeak *det, const int16_t *samples_lsb, int32_t steps_n, outlet *out)
{
    int32_t done_n = 0, quiet_n, tracked_n, due;
    batch b;
    b.steps_n = steps_n;
    b.written_n = 0;
    unroll(b.mean, det->mean_ring, MEAN_PAST_N, det->steps_n);
    unroll(b.smooth, det->smooth_ring, SMOOTH_PAST_N, det->steps_n);
    unroll(b.bend, det->bend_ring, ENERGY_PAST_N, det->steps_n);
    unroll(b.fine_bend, det->fine_ring, ENERGY_PAST_N, det->steps_n);
    decimate(det, &b, samples_lsb);
    filter_batch(det, &b);
    follow_batch(det, &b);
    det->railed_n += count_railed(det, samples_lsb, steps_n * det->decim_n);
    watch_batch(det, &b);
    hbc_artefact_rest(&det->artefact, samples_lsb, steps_n * det->decim_n);
    while (done_n < steps_n) {
        quiet_n = quiet_steps(det);
        tracked_n = track_batch(det, &b, done_n, quiet_n < steps_n - done_n ? done_n + quiet_n + 1 : steps_n, &due);
        done_n += tracked_n;
        *(det->learn_left_n != 0 ? &det->learn_left_n : &det->no_beat_n) -= tracked_n - 1;
        drain(det, out, tracked_n * det->decim_n - 1);
        if (done_n == steps_n && det->watched_n == det->second_n) {
            set_usual(det, &b, done_n - 1);
            end_second(det);
        }
        set_usual(det, &b, done_n);
        if (due != 0) {
            catch_up(det, &b, samples_lsb, done_n);
            catch_up_bend(det, &b);
        }
        decide(det, due);
        drain(det, out, 1);
    }
    catch_up(det, &b, samples_lsb, steps_n);
    det->coarse = b.coarse[steps_n - 1];
    det->fine = b.fine[steps_n - 1];
    roll_up(det->mean_ring, b.mean + steps_n, MEAN_PAST_N, det->steps_n);
    roll_up(det->smooth_ring, b.smooth + steps_n, SMOOTH_PAST_N, det->steps_n);
    roll_up(det->bend_ring, b.bend + steps_n, ENERGY_PAST_N, det->steps_n);
    roll_up(det->fine_ring, b.fine_bend + steps_n, ENERGY_PAST_N, det->steps_n);
    det->held_lsb = samples_lsb[steps_n * det->decim_n - 1];
}

/* Samples before the first masked one, max_n at most. */
static int32_t unmasked(const uint8_t *blanked, int32_t max_n)
{
    int32_t n = 0;
    if (blanked == 0) {
        return max_n;
    }
    while (n < max_n && blanked[n] == 0) {
        n++;
    }
    return n;
}

int32_t hbc_rpeak_push_block(hbc_rpeak *det, const int16_t *samples_lsb, const uint8_t *blanked, int32_t samples_n,
                             hbc_rpeak_peak *peaks, int32_t peaks_max)
{
    outlet out = {peaks, peaks_max, 0};
    int32_t i = 0, steps_n, most_n;
    while (i < samples_n) {
        steps_n = 0;
        if (det->seen_n > 0 && det->decim_phase == 0 && det->artefact.since_n == det->artefact.awake_n
            && (det->hidden[0] | det->hidden[1]) == 0) {
            most_n = (det->second_n - det->watched_n) * det->decim_n;
            most_n = most_n < samples_n - i ? most_n : samples_n - i;
            steps_n = unmasked(blanked == 0 ? 0 : blanked + i, most_n) / det->decim_n;
        }
        if (steps_n >= BATCH_MIN_N) {
            push_batch(det, samples_lsb + i, steps_n, &out);
            i += steps_n * det->decim_n;
        } else {
            feed(det, samples_lsb[i], blanked == 0 ? 0 : blanked[i]);
            drain(det, &out, 1);
            i++;
        }
    }
    return out.n;
}
