/* SPDX-License-Identifier: Apache-2.0
 *
 * TMS artefacts out of an ECG.  The manual is hbc_artefact.h, figures are in docs/detector-artefacts.md.
 */
#include "hbc_artefact.h"

#ifdef HBC_RPEAK_CHECK
#include <assert.h>
#define CHECK(condition) assert(condition)
#else
#define CHECK(condition) ((void)0)
#endif

/* Arithmetic shift of negatives, and no padding: the device twin relies on both. */
typedef char assert_artefact_shift[((int32_t)-1 >> 1) == -1 ? 1 : -1];
typedef char assert_artefact_words[sizeof(hbc_artefact) == sizeof(int32_t) * 229 ? 1 : -1];

enum {
    LAG_MAX_MS = 200,
    OFFSET_MAX_Q4 = 1 << 24,
    EDGE_SHIFT = 7,     /* the outer 1/128 of the range is its edge */
    KNOWN_VISITS = 5,   /* an artefact seen this often is known */
    LEARN_SHIFT = 5,    /* and finally averaged over 32 bursts */
    FOLLOW_SHIFT = 5,   /* follows over 1/32 of the time in which the offset leaks away, 10 to 20 ms */
    VISITS_MAX = 15
};

static int32_t magnitude(int32_t x)
{
    return x < 0 ? -x : x;
}

static int32_t samples_of(int32_t duration_ms, int32_t rate_hz)
{
    const int32_t n = (duration_ms * rate_hz + 500) / 1000;
    return n < 1 ? 1 : n;
}

void hbc_artefact_init(hbc_artefact *filter, int32_t rate_hz)
{
    unsigned char *bytes = (unsigned char *)filter;
    uint32_t i;
    for (i = 0; i < (uint32_t)sizeof *filter; i++) {
        bytes[i] = 0;
    }
    filter->lag_max_n = samples_of(LAG_MAX_MS, rate_hz);
    filter->burst_gap_n = samples_of(30, rate_hz);
    filter->unknown_n = samples_of(40, rate_hz);
    filter->rail_n = samples_of(8, rate_hz);
    filter->turn_n = samples_of(4, rate_hz);
    filter->long_rail_n = samples_of(50, rate_hz);
    filter->drift_max_n = samples_of(200, rate_hz);
    filter->awake_n = 3 * rate_hz;
    filter->second_n = rate_hz;
    for (filter->leak_shift = 6; (rate_hz >> filter->leak_shift) > 2; filter->leak_shift++) {
    }
    filter->since_n = filter->awake_n;
    filter->lag_n = filter->lag_max_n;
    filter->low_lsb = 32767;
    filter->high_lsb = -32768;
    filter->second_left_n = filter->second_n;
    filter->prev_lost = 1;
}

/* Is the sample at an edge of the range seen so far? */
static int32_t at_edge(hbc_artefact *filter, int32_t sample_lsb)
{
    int32_t edge_lsb;
    if (sample_lsb > filter->high_lsb) {
        filter->high_lsb = sample_lsb;
    }
    if (sample_lsb < filter->low_lsb) {
        filter->low_lsb = sample_lsb;
    }
    edge_lsb = ((filter->high_lsb - filter->low_lsb) >> EDGE_SHIFT) + 1;
    return sample_lsb >= filter->high_lsb - edge_lsb || sample_lsb <= filter->low_lsb + edge_lsb;
}

/* Samples at the edge so far; after them a count down for 8 ms, in which the way off the edge is not that of the
 * artefact as learned. */
static void count_edge(hbc_artefact *filter, int32_t lost)
{
    if (lost && filter->at_edge_n < 0) {
        filter->at_edge_n = 1;
    } else if (lost) {
        filter->at_edge_n += filter->at_edge_n < filter->long_rail_n;
    } else if (filter->at_edge_n > 0) {
        filter->at_edge_n = -filter->rail_n;
    } else {
        filter->at_edge_n += filter->at_edge_n < 0;
    }
}

/* Steepest slope of the last seconds, forgotten over 16 s. */
static void end_second(hbc_artefact *filter)
{
    filter->second_left_n = filter->second_n;
    filter->usual_q4 -= filter->usual_q4 >> 4;
    if (filter->usual_q4 < filter->steepest_q4) {
        filter->usual_q4 = filter->steepest_q4;
    }
    filter->steepest_q4 = 0;
}

/* Range and steepest slope of n samples, before: the one before each.  Slopes are those of the halved samples, which
 * fit into 16 bits: compilers take eight at a time. */
static void scan(hbc_artefact *filter, const int16_t *before_lsb, const int16_t *samples_lsb, int32_t n)
{
    int16_t low_lsb = 32767, high_lsb = -32768, fall = 0, rise = 0, slope;
    int32_t i, steepest_q4;
    for (i = 0; i < n; i++) {
        slope = (int16_t)((samples_lsb[i] >> 1) - (before_lsb[i] >> 1));
        rise = slope > rise ? slope : rise;
        fall = slope < fall ? slope : fall;
    }
    for (i = 0; i < n; i++) {
        high_lsb = samples_lsb[i] > high_lsb ? samples_lsb[i] : high_lsb;
        low_lsb = samples_lsb[i] < low_lsb ? samples_lsb[i] : low_lsb;
    }
    steepest_q4 = (rise > -fall ? rise : -fall) * 32;
    if (filter->steepest_q4 < steepest_q4) {
        filter->steepest_q4 = steepest_q4;
    }
    if (filter->low_lsb > low_lsb) {
        filter->low_lsb = low_lsb;
    }
    if (filter->high_lsb < high_lsb) {
        filter->high_lsb = high_lsb;
    }
    filter->second_left_n -= n;
    if (filter->second_left_n == 0) {
        end_second(filter);
    }
}

/* Far from pulses: the output is the input. */
void hbc_artefact_rest(hbc_artefact *filter, const int16_t *samples_lsb, int32_t samples_n)
{
    int32_t i, n;
    const int16_t before_lsb = filter->prev_lost ? samples_lsb[0] : (int16_t)filter->prev_lsb;
    scan(filter, &before_lsb, samples_lsb, 1);
    for (i = 1; i < samples_n; i += n) {
        n = samples_n - i < filter->second_left_n ? samples_n - i : filter->second_left_n;
        scan(filter, samples_lsb + i - 1, samples_lsb + i, n);
    }
    filter->prev_lsb = samples_lsb[samples_n - 1];
    filter->prev_lost = 0;
    filter->was_pulse = 0;
    filter->out_lsb = filter->prev_lsb;
    filter->out_q4 = filter->prev_lsb * 16;
}

/* hbc_artefact_rest of one sample, cheaper. */
static void rest_one(hbc_artefact *filter, int32_t sample_lsb)
{
    const int32_t before_lsb = filter->prev_lost ? sample_lsb : filter->prev_lsb;
    const int32_t slope_q4 = magnitude((sample_lsb >> 1) - (before_lsb >> 1)) * 32;
    if (filter->steepest_q4 < slope_q4) {
        filter->steepest_q4 = slope_q4;
    }
    if (filter->low_lsb > sample_lsb) {
        filter->low_lsb = sample_lsb;
    }
    if (filter->high_lsb < sample_lsb) {
        filter->high_lsb = sample_lsb;
    }
    if (--filter->second_left_n == 0) {
        end_second(filter);
    }
    filter->prev_lsb = sample_lsb;
    filter->prev_lost = 0;
    filter->was_pulse = 0;
    filter->out_lsb = sample_lsb;
    filter->out_q4 = sample_lsb * 16;
}

static void fall_asleep(hbc_artefact *filter)
{
    filter->at_edge_n = 0;
    filter->steep_left_n = 0;
    filter->drift_left_n = 0;
    filter->drift_q4 = 0;
    filter->holding = 0;
    filter->offset_q4 = 0;
}

static void follow_pulses(hbc_artefact *filter, int32_t is_pulse)
{
    if (is_pulse && !filter->was_pulse) {
        if (filter->since_n > filter->burst_gap_n) {
            filter->lag_n = 0;
        }
        filter->since_n = 0;
    }
    filter->was_pulse = is_pulse;
}

/* What two slopes agree on: the smaller, 0 when they differ in sign. */
static int32_t agreed(int32_t a_q4, int32_t b_q4)
{
    if ((a_q4 < 0) != (b_q4 < 0)) {
        return 0;
    }
    return magnitude(a_q4) < magnitude(b_q4) ? a_q4 : b_q4;
}

/* Mean slope at this lag.  The second visit keeps what it and the first agree on: a beat in one of them must not become
 * the artefact. */
static void learn(hbc_artefact *filter, int32_t slope_q4)
{
    int32_t mean_q4 = filter->learned[filter->lag_n] >> 4;
    int32_t visits_n = filter->learned[filter->lag_n] & 15;
    if (visits_n == 0) {
        mean_q4 = slope_q4;
    } else if (visits_n > 1) {
        mean_q4 += (slope_q4 - mean_q4) >> (visits_n < LEARN_SHIFT ? visits_n : LEARN_SHIFT);
    } else {
        mean_q4 = agreed(mean_q4, slope_q4);
    }
    CHECK(magnitude(mean_q4) <= 1 << 20);
    visits_n += visits_n < VISITS_MAX;
    filter->learned[filter->lag_n] = mean_q4 * 16 + visits_n;
}

/* What remains of the artefact is no steeper than 1.5 R waves. */
static int32_t as_learned(const hbc_artefact *filter, int32_t remains_q4)
{
    return magnitude(remains_q4) <= filter->usual_q4 + (filter->usual_q4 >> 1);
}

/* No ECG can be read where the artefact is steeper than 4 R waves, or what remains of it than 1.5; nor just after: the
 * turn of a large spike is flat for a moment. */
static int32_t too_steep(hbc_artefact *filter, int32_t remains_q4, int32_t learned_q4)
{
    const int32_t r_wave_q4 = filter->usual_q4;
    if (r_wave_q4 > 0 && (!as_learned(filter, remains_q4) || magnitude(learned_q4) > 4 * r_wave_q4)) {
        filter->steep_left_n = filter->turn_n;
        return 1;
    }
    if (filter->steep_left_n > 0) {
        filter->steep_left_n--;
        return 1;
    }
    return 0;
}

static int32_t toward_zero(int32_t value, int32_t shift)
{
    if (value > 0) {
        return value - (value >> shift) - 1;
    }
    return value < 0 ? value + (-value >> shift) + 1 : 0;
}

/* After a long rail the amplifier recovers on a slope of its own.  Its start would be a corner as sharp as an R wave's,
 * so it is followed for a while and taken off too. */
static void follow_drift(hbc_artefact *filter, int32_t remains_q4, int32_t learned)
{
    const int32_t shift = filter->leak_shift - 4;
    if (learned) { /* learned slopes are better */
        filter->drift_q4 = 0;
        filter->drift_left_n = 0;
    }
    if (filter->at_edge_n == filter->long_rail_n) {
        filter->drift_left_n = filter->drift_max_n;
        filter->drift_q4 = 0;
    } else if (learned || filter->prev_lost || filter->at_edge_n >= filter->rail_n) {
        return;
    } else if (filter->drift_left_n == 0) {
        filter->drift_q4 = toward_zero(filter->drift_q4, shift);
    } else if (filter->drift_left_n == filter->drift_max_n) {
        filter->drift_q4 = remains_q4;
        filter->drift_left_n--;
    } else {
        filter->drift_q4 += (remains_q4 - filter->drift_q4) >> shift;
        filter->drift_left_n--;
    }
    CHECK(magnitude(filter->drift_q4) <= 1 << 21);
}

/* The output of this sample.  held: no ECG to be had; doubtful: nor is the artefact's share of the step known; fits: it
 * is as learned.  When it is, only steep, the output follows slowly: a pulse comes up to a sample earlier or later than
 * usual, which makes a spike of either sign that passes, while an R wave stays.  Returns whether it does. */
static int32_t put(hbc_artefact *filter, int32_t sample_lsb, int32_t learned_q4, int32_t held, int32_t doubtful,
                   int32_t fits)
{
    const int32_t in_q4 = sample_lsb * 16;
    int32_t follows;
    if (held && !filter->holding) {
        filter->holding = 1;
        filter->step_known = 1;
    }
    if (doubtful) {
        filter->step_known = 0;
    }
    follows = held && fits && filter->step_known;
    filter->offset_q4 += learned_q4;
    if (filter->offset_q4 > OFFSET_MAX_Q4) {
        filter->offset_q4 = OFFSET_MAX_Q4;
    } else if (filter->offset_q4 < -OFFSET_MAX_Q4) {
        filter->offset_q4 = -OFFSET_MAX_Q4;
    }
    if (!held && filter->holding) { /* the hold ends here: half-way to the input less the artefact, or where it was */
        filter->holding = 0;
        if (filter->step_known) {
            filter->out_q4 += (in_q4 - filter->offset_q4 - filter->out_q4) >> 1;
        }
        filter->offset_q4 = in_q4 - filter->out_q4;
    } else if (!held) {
        filter->offset_q4 += filter->drift_q4;
        filter->out_q4 = in_q4 - filter->offset_q4;
        filter->offset_q4 = toward_zero(filter->offset_q4, filter->leak_shift);
    } else if (follows) {
        filter->out_q4 += (in_q4 - filter->offset_q4 - filter->out_q4) >> (filter->leak_shift - FOLLOW_SHIFT);
    }
    CHECK(magnitude(filter->out_q4) <= 1 << 25 && magnitude(filter->offset_q4) <= 1 << 26);
    filter->out_lsb = filter->out_q4 >> 4;
    if (filter->out_lsb > 32767) {
        filter->out_lsb = 32767;
    } else if (filter->out_lsb < -32768) {
        filter->out_lsb = -32768;
    }
    return follows;
}

int32_t hbc_artefact_push(hbc_artefact *filter, int16_t sample_lsb, int32_t kind)
{
    int32_t slope_q4, remains_q4, learned_q4 = 0, visits_n = VISITS_MAX, in_window, off, lost, held, follows;
    follow_pulses(filter, kind == HBC_ARTEFACT_PULSE);
    if (filter->since_n == filter->awake_n) {
        if (kind == HBC_ARTEFACT_ECG) {
            rest_one(filter, sample_lsb);
        } else {
            filter->prev_lost = 1;
        }
        return 0;
    }
    in_window = filter->lag_n < filter->lag_max_n;
    if (in_window) {
        learned_q4 = filter->learned[filter->lag_n] >> 4;
        visits_n = filter->learned[filter->lag_n] & 15;
    }
    slope_q4 = (sample_lsb - filter->prev_lsb) * 16;
    if (visits_n == 1) {
        learned_q4 = agreed(learned_q4, slope_q4);
    }
    remains_q4 = slope_q4 - learned_q4;
    off = kind != HBC_ARTEFACT_ECG && kind != HBC_ARTEFACT_PULSE;
    lost = off || at_edge(filter, sample_lsb);
    count_edge(filter, lost);
    held = too_steep(filter, remains_q4, learned_q4) || filter->at_edge_n >= filter->rail_n || off
           || (visits_n == 0 && filter->since_n < filter->unknown_n)
           || (kind == HBC_ARTEFACT_PULSE
               && (visits_n < KNOWN_VISITS || magnitude(learned_q4) > filter->usual_q4 >> 1));
    follow_drift(filter, remains_q4, in_window && visits_n > 0);
    if (in_window && !lost && !filter->prev_lost) {
        learn(filter, slope_q4);
    }
    follows = put(filter, sample_lsb, learned_q4, held, filter->at_edge_n != 0 || visits_n < KNOWN_VISITS,
                  as_learned(filter, remains_q4));
    filter->prev_lsb = sample_lsb;
    filter->prev_lost = lost;
    filter->lag_n += in_window;
    filter->since_n++;
    if (filter->since_n == filter->awake_n) {
        fall_asleep(filter);
    }
    return !held ? 0 : follows ? HBC_ARTEFACT_FOLLOWED : HBC_ARTEFACT_HELD;
}
