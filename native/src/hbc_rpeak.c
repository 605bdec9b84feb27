/* SPDX-License-Identifier: Apache-2.0
 *
 * Streaming R-peak detector; the manual is hbc_rpeak.h, the derivations are in docs/detector.md.
 *
 * Chain: box decimation to 100..239 Hz -> two bands, each a symmetric second difference: coarse (24 ms, near 20 Hz,
 * "bend") and fine (1 step, near 36 Hz) -> |.| -> 80 ms moving sums ("energy") -> weighted sum, the fine band counting
 * only where noise spoils it less -> largest of 180 ms -> threshold that rises with the noise, for early beats and
 * for odd shapes, T-wave rule, search-back -> position on the raw samples.
 *
 * One translation unit: here are init and the stream; levels, weights and shapes are in hbc_rpeak_threshold.h, the place of
 * the peak in hbc_rpeak_position.h, what holds near TMS pulses in hbc_rpeak_near.h, beat or not in hbc_rpeak_decision.h, the
 * state of the signal in hbc_rpeak_signal.h.
 */
#include "hbc_rpeak_decision.h"
#include "hbc_rpeak_signal.h"

/* Arithmetic shift of negatives, and no padding before the raw ring: the device twin relies on both. */
typedef char assert_arithmetic_shift[((int32_t)-1 >> 1) == -1 ? 1 : -1];
typedef char assert_words_only[sizeof(hbc_rpeak) == sizeof(int32_t) * 465 + sizeof(hbc_artefact) + sizeof(int16_t) * 512
                               ? 1 : -1];

static int32_t steps_of(int32_t duration_ms, int32_t rate_hz, int32_t least)
{
    const int32_t n = (duration_ms * rate_hz + 500) / 1000;
    return n < least ? least : n;
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
    det->hidden_of_n = steps_of(160, step_hz, 1);
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
        det->cand_hidden_n = det->hidden_n;
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
        if (!det->spoilt && 2 * det->hidden_n <= det->hidden_of_n) {
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
    watch_hidden(det);
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
