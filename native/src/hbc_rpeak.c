/* SPDX-License-Identifier: Apache-2.0
 *
 * Streaming R-peak detector; the manual is hbc_rpeak.h, the derivations are in docs/detector.md.
 *
 * Chain: box decimation to 100..239 Hz -> 24 ms box and 2-step box (low-pass) -> second difference over 24 ms
 * ("bend", band-pass near 20 Hz, linear phase) -> |.| -> 80 ms moving sum ("energy") -> largest of 180 ms ->
 * adaptive threshold, T-wave rule, search-back -> position on the raw samples.
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
typedef char assert_words_only[sizeof(hbc_rpeak) == sizeof(int32_t) * 273 + sizeof(int16_t) * 512 ? 1 : -1];

enum {
    STEP_RATE_HZ = 120,     /* decimate to the lowest rate at or above this */
    COUNT_MAX_N = 1 << 20,  /* over an hour; keeps every time difference small */
    RAW_MASK = HBC_RPEAK_RAW_N - 1,
    ENERGY_MAX = 1 << 27    /* 48 * 2^17 * 19 = 119.5e6 at most, docs/detector.md */
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
    det->energy_n = steps_of(80, step_hz, 1);
    det->refractory_n = steps_of(200, step_hz, 1);
    det->t_wave_n = steps_of(360, step_hz, 1);
    det->second_n = step_hz;
    det->floor_energy = 48 * det->smooth_n * det->energy_n;
    det->bend_seek_n = steps_of(24, step_hz, 1);
    det->raw_seek_n = steps_of(16, rate_hz, 1);
    det->raw_smooth_n = rate_hz * 4 / 1000;
    det->raw_arm_n = steps_of(4, rate_hz, 1);
    /* Group delays: decimation box, smoothing box, 2-step box, second difference. */
    det->raw_delay_n = ((det->decim_n - 1) + (det->smooth_n - 1) * det->decim_n + det->decim_n
                        + 2 * det->bend_n * det->decim_n) / 2;
    /* The longest hold that still keeps the promised latency for the earliest position the search can return. */
    spent = det->raw_delay_n + det->raw_seek_n + 1
            + det->decim_n * ((det->energy_n - 1) / 2 + det->bend_seek_n + 1);
    room = (rate_hz * HBC_RPEAK_LATENCY_MS / 1000 - spent) / det->decim_n;
    det->hold_n = steps_of(180, step_hz, 1);
    if (det->hold_n > room) {
        det->hold_n = room;
    }
    det->polarity = 1;
    det->since_n = 3 * step_hz;
    det->rr_limit_n = det->second_n + ((det->second_n * 5) >> 3) + det->hold_n;
    det->learn_left_n = 2 * step_hz;
    det->no_beat_n = (5 * step_hz) >> 1;
    return HBC_RPEAK_OK;
}

/* --- thresholds -------------------------------------------------------------------------------------------- */

/* Mean of the two middle values of eight, by rank: no scratch memory, same work for any order. */
static int32_t median8(const int32_t *values)
{
    int32_t i, j, rank, sum = 0;
    for (i = 0; i < 8; i++) {
        rank = 0;
        for (j = 0; j < 8; j++) {
            if (values[j] < values[i] || (values[j] == values[i] && j < i)) {
                rank++;
            }
        }
        if (rank == 3 || rank == 4) {
            sum += values[i];
        }
    }
    return sum >> 1;
}

/* Medians, not Pan-Tompkins' running means: one artefact must not move the threshold. 11/32 of the way up. */
static void update_threshold(hbc_rpeak *det)
{
    const int32_t noise = median8(det->noise);
    int32_t above = median8(det->signal) - noise;
    if (above < 0) {
        above = 0;
    }
    det->threshold = noise + (above >> 5) * 11;
    if (det->threshold < det->floor_energy) {
        det->threshold = det->floor_energy;
    }
    CHECK(det->threshold <= ENERGY_MAX);
}

static int32_t quality_of(const hbc_rpeak *det, int32_t energy)
{
    int32_t above = median8(det->noise);
    if (above < det->usual_energy) {
        above = det->usual_energy;
    }
    above = energy - above;
    if (above <= 0) {
        return 0;
    }
    if (energy >= 1 << 22) { /* keep above * 255 below 2^30 */
        above >>= 6;
        energy >>= 6;
    }
    return above * 255 / energy;
}

/* --- position ---------------------------------------------------------------------------------------------- */

/* Ages count back from the newest: age 0 is the newest raw sample, or the newest step. */
static int32_t raw_smoothed(const hbc_rpeak *det, int32_t age_n)
{
    int32_t i, sum = 0;
    for (i = age_n - det->raw_smooth_n; i <= age_n + det->raw_smooth_n; i++) {
        sum += det->raw_ring[(det->samples_n - 1u - (uint32_t)i) & RAW_MASK];
    }
    return sum;
}

/* Largest bend near the energy centre, in the usual direction unless the other is 1.5 times larger, so that a
 * biphasic complex does not flip from beat to beat.  Returns age in steps, negated when the peak points down. */
static int32_t find_bend(hbc_rpeak *det)
{
    const int32_t centre = det->hold_n + ((det->energy_n - 1) >> 1);
    int32_t up = 0, down = 0, up_age = centre, down_age = centre, age, bend;
    for (age = centre - det->bend_seek_n; age <= centre + det->bend_seek_n; age++) {
        bend = det->bend_ring[(det->steps_n - 1u - (uint32_t)age) & 63];
        if (bend > up) {
            up = bend;
            up_age = age;
        }
        if (-bend > down) {
            down = -bend;
            down_age = age;
        }
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

/* R-peak on the raw samples: highest value of an 8 ms box near the bend, then a parabola through it and its
 * neighbours one arm away.  Result in found_idx and found_q8. */
static void locate(hbc_rpeak *det)
{
    int32_t bend_age = find_bend(det), sign = 1, centre, age, oldest, best_age, best, value, before, after, num, den, off;
    if (bend_age < 0) {
        bend_age = -bend_age;
        sign = -1;
    }
    centre = bend_age * det->decim_n + det->raw_delay_n;
    oldest = centre + det->raw_seek_n;
    if (oldest >= det->seen_n) { /* not before the first sample */
        oldest = det->seen_n - 1;
    }
    CHECK(oldest + det->raw_smooth_n + det->raw_arm_n < HBC_RPEAK_RAW_N);
    CHECK(centre - det->raw_seek_n - det->raw_smooth_n - det->raw_arm_n >= 0);
    best_age = oldest;
    best = sign * raw_smoothed(det, oldest);
    for (age = oldest - 1; age >= centre - det->raw_seek_n; age--) {
        value = sign * raw_smoothed(det, age);
        if (value > best) {
            best = value;
            best_age = age;
        }
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
    det->found_q8 = off & 255;
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
static void accept(hbc_rpeak *det, int32_t energy, uint32_t idx, int32_t q8, int32_t since_n, int32_t quality)
{
    int32_t i, sum = 0;
    det->signal[det->signal_pos] = energy;
    det->signal_pos = (det->signal_pos + 1) & 7;
    if (since_n < 3 * det->second_n) { /* a longer pause is no rhythm */
        det->rr[det->rr_pos] = since_n;
        det->rr_pos = (det->rr_pos + 1) & 7;
        if (det->rr_n < 8) {
            det->rr_n++;
        }
        for (i = 0; i < det->rr_n; i++) {
            sum += det->rr[i];
        }
        sum /= det->rr_n;
        det->rr_limit_n = sum + ((sum * 5) >> 3) + det->hold_n;
    }
    det->since_n -= since_n;
    det->last_energy = energy;
    det->back_energy = 0;
    det->no_beat_n = (5 * det->second_n) >> 1;
    update_threshold(det);
    enqueue(det, idx, q8, quality);
}

/* Beat, T wave or noise.  Departure from Pan-Tompkins: the T-wave rule compares energies (the bend already prefers
 * steep waves), and there is one threshold, on the energy only. */
static void classify(hbc_rpeak *det, int32_t energy, uint32_t idx, int32_t q8, int32_t since_n)
{
    if (since_n < det->refractory_n) {
        return;
    }
    if (since_n < det->t_wave_n && energy < (det->last_energy >> 4) * 9) {
        return;
    }
    if (energy > det->threshold) {
        accept(det, energy, idx, q8, since_n, quality_of(det, energy));
        return;
    }
    det->noise[det->noise_pos] = energy;
    det->noise_pos = (det->noise_pos + 1) & 7;
    update_threshold(det);
    if (energy > det->back_energy) {
        det->back_energy = energy;
        det->back_since_n = since_n;
        det->back_idx = idx;
        det->back_q8 = q8;
    }
}

/* The learning time is over: start from its largest energy and judge its candidates, so that no beat is lost. */
static void replay_learning(hbc_rpeak *det)
{
    const int32_t start = det->since_n;
    int32_t i, largest = 0, second = 0, last = 0, queued;
    for (i = 0; i < det->learn_n; i++) {
        if (det->learn_energy[i] > largest) {
            second = largest;
            largest = det->learn_energy[i];
        } else if (det->learn_energy[i] > second) {
            second = det->learn_energy[i];
        }
    }
    if (second > 0 && second < largest >> 3) { /* one lone giant is a switch-on artefact, not a beat */
        largest = second;
    }
    for (i = 0; i < 8; i++) {
        det->signal[i] = largest - (largest >> 2);
        det->noise[i] = largest >> 4;
    }
    det->usual_energy = largest >> 4;
    update_threshold(det);
    for (i = 0; i < det->learn_n; i++) {
        /* accept() takes the interval off since_n; the steps of the buffer are since_n of their time. */
        det->since_n = det->learn_step[i] - last;
        queued = det->queue_n;
        classify(det, det->learn_energy[i], det->learn_idx[i], det->learn_q8[i], det->since_n);
        if (det->queue_n != queued) {
            last = det->learn_step[i];
        }
    }
    det->since_n = start - last;
}

static void candidate(hbc_rpeak *det, int32_t energy)
{
    const int32_t since_n = det->since_n - det->hold_n;
    if (energy < det->floor_energy) {
        return;
    }
    locate(det);
    if (det->learn_left_n == 0) {
        classify(det, energy, det->found_idx, det->found_q8, since_n);
    } else if (det->learn_n < 16) {
        det->learn_energy[det->learn_n] = energy;
        det->learn_step[det->learn_n] = since_n;
        det->learn_idx[det->learn_n] = det->found_idx;
        det->learn_q8[det->learn_n] = det->found_q8;
        det->learn_n++;
    }
}

/* Search back, and give way when nothing was found for long: noise or a huge artefact must not silence us. */
static void watch(hbc_rpeak *det)
{
    int32_t i, quality;
    if (det->since_n > det->rr_limit_n && det->back_energy > det->threshold >> 1) {
        quality = quality_of(det, det->back_energy) >> 1;
        /* The amplitude fell: beats of the new size were counted as noise and would keep each other out. */
        for (i = 0; i < 8; i++) {
            if (det->noise[i] > det->back_energy >> 1) {
                det->noise[i] = det->back_energy >> 1;
            }
            if (det->signal[i] > det->back_energy * 2) {
                det->signal[i] = det->back_energy * 2;
            }
        }
        accept(det, det->back_energy, det->back_idx, det->back_q8, det->back_since_n, quality);
    }
    det->no_beat_n--;
    if (det->no_beat_n == 0) {
        for (i = 0; i < 8; i++) {
            det->signal[i] >>= 1;
            det->noise[i] >>= 1;
        }
        update_threshold(det);
        det->no_beat_n = det->second_n;
    }
}

/* --- the stream -------------------------------------------------------------------------------------------- */

static void step(hbc_rpeak *det, int32_t sum)
{
    const uint32_t now = det->steps_n;
    const int32_t mean = (sum * det->decim_recip_q12) >> 10; /* Q2 */
    int32_t smooth, bend, old, peak;
    det->smooth_sum += mean - det->mean_ring[(now - (uint32_t)det->smooth_n) & 7];
    det->mean_ring[now & 7] = mean;
    smooth = det->smooth_sum + det->smooth_prev;
    det->smooth_prev = det->smooth_sum;
    bend = 2 * det->smooth_ring[(now - (uint32_t)det->bend_n) & 15] - smooth
           - det->smooth_ring[(now - 2u * (uint32_t)det->bend_n) & 15];
    det->smooth_ring[now & 15] = smooth;
    old = det->bend_ring[(now - (uint32_t)det->energy_n) & 63];
    det->bend_ring[now & 63] = bend;
    det->energy += magnitude(bend) - magnitude(old);
    CHECK(magnitude(mean) <= 1 << 17);
    CHECK(magnitude(bend) <= 48 << 17);
    CHECK(det->energy >= 0 && det->energy <= ENERGY_MAX);
    det->steps_n = now + 1u;
    if (det->since_n < COUNT_MAX_N) {
        det->since_n++;
    }
    if (det->energy > det->cand_energy && (det->cand_energy != 0 || det->energy > det->energy_prev)) {
        det->cand_energy = det->energy;
        det->cand_age_n = 0;
    } else if (det->cand_energy != 0) {
        det->cand_age_n++;
    }
    det->energy_prev = det->energy;
    det->usual_energy += det->energy > det->usual_energy ? (det->usual_energy >> 6) + 1 : -(det->usual_energy >> 6);
    if (det->cand_energy != 0 && det->cand_age_n >= det->hold_n) {
        peak = det->cand_energy;
        det->cand_energy = 0;
        candidate(det, peak);
    }
    if (det->learn_left_n == 0) {
        watch(det);
    } else if (--det->learn_left_n == 0) {
        replay_learning(det);
    }
}

/* Fill the filters as if the first good sample had always been there: no start-up step. */
static void prime(hbc_rpeak *det, int32_t sample_lsb)
{
    const int32_t mean = (sample_lsb * det->decim_n * det->decim_recip_q12) >> 10;
    int32_t i;
    for (i = 0; i < 8; i++) {
        det->mean_ring[i] = mean;
    }
    det->smooth_sum = mean * det->smooth_n;
    det->smooth_prev = det->smooth_sum;
    for (i = 0; i < 16; i++) {
        det->smooth_ring[i] = 2 * det->smooth_sum;
    }
    for (i = 0; i < HBC_RPEAK_RAW_N; i++) {
        det->raw_ring[i] = (int16_t)sample_lsb;
    }
}

static void feed(hbc_rpeak *det, int16_t sample_lsb, uint8_t blanked)
{
    int32_t sum;
    const uint32_t idx = det->samples_n;
    det->samples_n = idx + 1u;
    if (blanked == 0) {
        det->held_lsb = sample_lsb;
        if (det->seen_n == 0) {
            prime(det, sample_lsb);
        }
    } else if (det->seen_n == 0) {
        return;
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
    }
}

static int32_t take(hbc_rpeak *det, hbc_rpeak_peak *out)
{
    if (det->queue_n == 0) {
        return 0;
    }
    out->sample_idx = det->queue_idx[det->queue_head];
    out->frac_q8 = (uint8_t)det->queue_q8[det->queue_head];
    out->quality = (uint8_t)det->queue_quality[det->queue_head];
    det->queue_head = (det->queue_head + 1) & 15;
    det->queue_n--;
    return 1;
}

int32_t hbc_rpeak_push(hbc_rpeak *det, int16_t sample_lsb, uint8_t blanked, hbc_rpeak_peak *out)
{
    feed(det, sample_lsb, blanked);
    return take(det, out);
}

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
