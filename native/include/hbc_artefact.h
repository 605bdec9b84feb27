/* SPDX-License-Identifier: Apache-2.0
 *
 * hbc_artefact: takes TMS artefacts out of an ECG, sample by sample, ahead of the R-peak detector.  This is the manual.
 *
 * C99, int32 arithmetic, no malloc, no float, no globals, no calls to the outside.  The caller owns the state.
 *
 * A detector that holds its input while a pulse lasts sees a step where the hold ends, takes it for a beat, and misses
 * an R wave under the pulse.  Here instead:
 *
 *  * The artefact is learned.  Pulses of a protocol repeat, so their artefacts do: for each sample of the 200 ms after
 *    the first pulse of a burst, the mean slope over the last bursts is kept, and taken off.  A beat is not tied to the
 *    pulses, so it stays in.  At the second visit of a lag only what both slopes agree on is taken off: one of them may
 *    be a beat's.  The learned slopes are summed across held samples too: what the input rose or fell beyond them was
 *    the ECG's own doing or the pulse's spread, and half of it is given to the output where the hold ends, so that an R
 *    wave that began under a pulse keeps some height and an artefact of odd size is half a step.
 *  * Where there is no ECG to be had, the output holds: on a rail; where the artefact is steeper than four R waves, or
 *    what remains of it than 1.5; at a lag not learned yet; on the pulse itself unless its artefact is known and small.
 *  * Where the artefact is only steep, or was within the last 4 ms, but known and at this sample as learned, the output
 *    follows what is left of the input by 1/8 a sample (500 Hz) instead: a pulse is up to a sample earlier or later than
 *    usual, which makes a spike of either sign that passes, while an R wave stays.
 *  * Within 8 ms of a rail, or when the artefact is not known well, the step across the hold is dropped.  The slope on
 *    which an amplifier recovers from a long rail is followed and taken off too, where none has been learned.
 *
 * Input   : int16, any scale; one kind a sample, see below.  100..1000 Hz.
 * Output  : out_lsb, saturated to int16, and whether it is held, or follows, because of a pulse.  No delay.
 * Inert   : before the first pulse, and from 3 s after a pulse on, the output is the input, bit for bit; the last ECG
 *           sample where the input is none.  A pure function of samples and kinds.
 * Work    : constant; some 40 additions, comparisons and shifts while pulses come, 10 otherwise, no multiplication.
 * Overflow: cannot happen for any int16 input.  Bounds, asserted with -DHBC_RPEAK_CHECK (q4 = 1/16 LSB): sample 2^19,
 *           slope and learned slope 2^20, their difference 2^21, offset clamped to 2^24, output before clamping 2^25.
 * Requires: >> of a negative int32 is arithmetic (checked at compile time).
 */
#ifndef HBC_ARTEFACT_H
#define HBC_ARTEFACT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* [cffi] Everything down to the closing mark is read by build_native.py; keep it free of preprocessor lines. */

/* What a sample is; the numbers of hbc_rpeak.h.  Others than these count as HBC_ARTEFACT_OFF. */
enum {
    HBC_ARTEFACT_ECG = 0,
    HBC_ARTEFACT_PULSE = 1,  /* a few ms around a TMS pulse */
    HBC_ARTEFACT_OFF = 2     /* an electrode is off */
};

/* What the output is, two flags. */
enum {
    HBC_ARTEFACT_HELD = 1,    /* held: no ECG to be had */
    HBC_ARTEFACT_FOLLOWED = 2 /* follows slowly: enough to see a beat, too little to say that there was none */
};

/* 32-bit words only, as the device twin holds them.  Read it if you like, write it only through the functions. */
typedef struct {
    /* set by init from the rate, in samples */
    int32_t lag_max_n;       /* 200 ms: how long an artefact is learned */
    int32_t burst_gap_n;     /* 30 ms: a pulse later than this after the one before starts a new burst */
    int32_t unknown_n;       /* 40 ms: after a pulse, lags not learned yet are held this long */
    int32_t rail_n;          /* 8 ms at the edge of the range are a rail; for as long after it no step is known */
    int32_t turn_n;          /* 4 ms: held after steep slopes */
    int32_t long_rail_n;     /* 50 ms */
    int32_t drift_max_n;     /* 200 ms: how long the recovery after a long rail is followed */
    int32_t awake_n;         /* 3 s */
    int32_t second_n;
    int32_t leak_shift;      /* the offset leaks away in 0.3..0.7 s, this power of two in samples */
    /* stream */
    int32_t since_n;         /* samples since the last pulse; awake_n = long ago */
    int32_t lag_n;           /* samples since the first pulse of the burst; lag_max_n = long ago */
    int32_t was_pulse;
    int32_t prev_lsb;
    int32_t prev_lost;       /* the sample before was at an edge of the range, or no ECG at all */
    int32_t low_lsb;         /* range of the input */
    int32_t high_lsb;
    int32_t at_edge_n;       /* samples at an edge of the range, without a break, saturates; after them -8 ms..0 */
    int32_t steepest_q4;     /* of the second that is running, away from pulses */
    int32_t second_left_n;
    int32_t usual_q4;        /* steepest slope of the last seconds: that of an R wave */
    int32_t steep_left_n;
    int32_t drift_left_n;
    int32_t drift_q4;        /* slope of the recovery after a long rail */
    int32_t holding;
    int32_t step_known;      /* the learned slopes account for the whole hold */
    int32_t offset_q4;       /* input minus output */
    int32_t out_q4;
    int32_t out_lsb;         /* the result */
    int32_t learned[200];    /* by lag: slope in Q4, times 16, plus visits 0..15 */
} hbc_artefact;

/* Prepare *filter for a stream at rate_hz, 100..1000 Hz. */
void hbc_artefact_init(hbc_artefact *filter, int32_t rate_hz);

/* Push one sample; the cleaned one is filter->out_lsb.  Returns HBC_ARTEFACT_HELD or _FOLLOWED when it is because of a
 * pulse, else 0. */
int32_t hbc_artefact_push(hbc_artefact *filter, int16_t sample_lsb, int32_t kind);

/* The same as samples_n pushes of ECG while since_n == awake_n, that is 3 s after the last pulse; samples_n >= 1. */
void hbc_artefact_rest(hbc_artefact *filter, const int16_t *samples_lsb, int32_t samples_n);
/* [/cffi] */

#ifdef __cplusplus
}
#endif

#endif /* HBC_ARTEFACT_H */
