/* SPDX-License-Identifier: Apache-2.0
 *
 * hbc_rpeak: streaming R-peak detector, integer only.  This header is the manual.
 *
 * One ECG channel in, R-peaks out.  C99, int32 arithmetic, no malloc, no float, no globals, no calls
 * to the outside.  The caller owns the state.  firmware/hbc_fw/detector.py is its bit-exact twin on the
 * device: same words in the same order, so a change here is a change there (tests/native proves it).
 *
 * Input       : int16, any scale between about 60 and 20000 LSB for an R wave, either polarity.
 * Output      : the instant of the R-peak of the input itself, in samples since init, Q8 (1/256 sample);
 *               every filter delay is already taken off.  Quality and polarity of each beat, see hbc_rpeak_peak;
 *               det->signal_state of the last whole second, see hbc_rpeak_state.
 * Latency     : at most HBC_RPEAK_LATENCY_MS after the peak.  Three exceptions, each bounded: beats of the
 *               learning time are reported together at its end (HBC_RPEAK_LEARN_MS; 1.5 s more when one candidate is
 *               eight times larger than all others); a beat found by search-back is late by at most 1.56 mean RR + hold,
 *               or until the threshold has come down to it, at most 2.5 s after the last report; when no beat at all has been
 *               found for 2.5 s the thresholds halve once a second and the candidate held back may follow then.
 * Work        : constant per sample; a candidate (at most one per hold time, 150 ms or more) adds a search over at
 *               most 13 filtered and 92 raw values, near a TMS pulse 25 fits of a shape of 29 values.  Nothing grows
 *               with the length of a bad stretch.
 * TMS         : samples marked HBC_RPEAK_BLANKED pass hbc_artefact.h, which takes the artefacts out and holds where it
 *               cannot; meanwhile neither search-back nor giving way runs.  Near pulses a candidate must exceed 3.5
 *               times what is usual at that time after a pulse, or hold a third of a beat and more: its usual shape is
 *               fitted to the candidate.  One of which more than half was held needs the more energy the less was seen:
 *               no evidence, no beat.  Without pulses all this changes nothing.
 * Overflow    : cannot happen for any int16 input; bounds of every intermediate in docs/detector.md, asserted by
 *               building with -DHBC_RPEAK_CHECK.  Only the two sample counters wrap, on purpose, as uint32.
 * Requires    : >> of a negative int32 is arithmetic (checked at compile time).
 */
#ifndef HBC_RPEAK_H
#define HBC_RPEAK_H

#include <stdint.h>

#include "hbc_artefact.h"

#ifdef __cplusplus
extern "C" {
#endif

/* [cffi] Everything down to the closing mark is read by build_native.py; keep it free of preprocessor lines. */
enum {
    HBC_RPEAK_RATE_MIN_HZ = 100,
    HBC_RPEAK_RATE_MAX_HZ = 1000,
    HBC_RPEAK_LATENCY_MS = 300,
    HBC_RPEAK_LEARN_MS = 2000,
    HBC_RPEAK_RAW_N = 512,   /* raw samples kept: latency plus search at 1000 Hz is 327 */
    HBC_RPEAK_QUEUE_N = 16   /* more than the candidates that fit into the learning time */
};

/* What a sample is.  HBC_RPEAK_OFF is replaced by the last ECG sample, HBC_RPEAK_BLANKED as hbc_artefact.h says. */
enum {
    HBC_RPEAK_ECG = 0,
    HBC_RPEAK_BLANKED = 1,   /* spoilt by a TMS pulse */
    HBC_RPEAK_OFF = 2        /* an electrode is off */
};

/* State of the signal, judged once a second; the worst that applies.  Noisy and hum are relative to the beats. */
typedef enum {
    HBC_RPEAK_GOOD = 0,
    HBC_RPEAK_NOISY = 1,      /* between beats usually more than 0.39 of the energy of a beat */
    HBC_RPEAK_HUM = 2,        /* 50 or 60 Hz of an eighth of the R wave or more dominates the fast changes */
    HBC_RPEAK_SATURATED = 3,  /* a sixteenth of the samples or more on a rail */
    HBC_RPEAK_FLAT = 4,       /* nothing above quantisation noise */
    HBC_RPEAK_LEAD_OFF = 5    /* a quarter of the samples or more marked HBC_RPEAK_OFF */
} hbc_rpeak_state;

typedef enum {
    HBC_RPEAK_OK = 0,
    HBC_RPEAK_BAD_RATE = 1   /* rate outside 100..1000 Hz; the state is untouched */
} hbc_rpeak_status;

/* One R-peak.  Position = sample_idx + frac_q8 / 256 samples; the first sample after init has index 0.
 * quality: share of the beat's energy that stands above what is usual between beats (median) and above the rejected
 * candidates, 255 = all of it; halved for a beat found by search-back.  Clean ECG gives 200 and more, white noise
 * about 100.  polarity: +1 when the reported peak points up, -1 when it points down. */
typedef struct {
    uint32_t sample_idx;
    uint8_t frac_q8;
    uint8_t quality;
    int8_t polarity;
    uint8_t reserved;
} hbc_rpeak_peak;

/* The whole state, 32-bit words only (plus raw samples), so that the device twin can hold the same words in an
 * array.  Read it if you like, write it only through the functions.  "steps" are samples of the decimated stream:
 * 100..239 per second. */
typedef struct {
    /* set by init from the rate */
    int32_t decim_n;          /* raw samples per step */
    int32_t decim_recip_q12;  /* 4096 / decim_n */
    int32_t smooth_n;         /* 24 ms box, steps */
    int32_t bend_n;           /* 24 ms: spacing of the second difference, steps */
    int32_t energy_n;         /* 80 ms: moving sum of |bend|, steps */
    int32_t hold_n;           /* a candidate must stay the largest for this long, <= 180 ms, steps */
    int32_t refractory_n;     /* 200 ms, steps */
    int32_t t_wave_n;         /* 360 ms, steps */
    int32_t second_n;         /* 1 s, steps */
    int32_t floor_energy;     /* candidates below this are quantisation noise (about 6 LSB of bend) */
    int32_t fine_delay_n;     /* the fine band waits for the coarse one, steps */
    int32_t shape_half_n;     /* 60 ms: half the width of shape[], steps */
    int32_t bend_seek_n;      /* 24 ms: search for the bend extremum around the energy centre, steps */
    int32_t raw_delay_n;      /* delay of the bend signal, raw samples */
    int32_t raw_seek_n;       /* 16 ms: search after the bend extremum, raw samples */
    int32_t raw_back_n;       /* 48 ms: search before it */
    int32_t raw_late_n;       /* no position older than this is reported: the promised latency, raw samples */
    int32_t raw_smooth_n;     /* half width of the box that the raw peak is read through, raw samples */
    int32_t raw_arm_n;        /* arm of the parabola, about 4 ms, raw samples */
    int32_t hum_turn[2];      /* of 50 and 60 Hz, 1/65536 turn per step */
    int32_t near_recip_q16;   /* 65536 * 12 / samples of 200 ms */
    int32_t rail_low;
    int32_t rail_high;
    /* stream */
    uint32_t samples_n;       /* samples pushed, wraps */
    int32_t seen_n;           /* samples since the first good one, saturates */
    int32_t held_lsb;         /* what takes part: the last ECG sample, or what hbc_artefact makes of it */
    int32_t decim_phase;
    int32_t decim_sum;
    /* filters */
    uint32_t steps_n;         /* steps done, wraps; low bits address the rings */
    int32_t smooth_sum;
    int32_t smooth_prev;
    int32_t fine_prev;        /* input of the fine band one and two steps ago */
    int32_t fine_prev2;
    int32_t coarse;           /* energies of the two bands */
    int32_t fine;
    int32_t usual_coarse;     /* follow the 75th percentile */
    int32_t usual_fine;
    int32_t fine_to_coarse_q4;  /* weight of the fine band over that of the coarse one, 0..1024 */
    int32_t coarse_weight;    /* 16 and 0 in clean ECG */
    int32_t fine_weight;
    int32_t energy_prev;      /* weighted sum of both */
    /* candidate: the largest energy of the last hold_n steps */
    int32_t cand_energy;      /* 0 = none */
    int32_t cand_coarse;
    int32_t cand_fine;
    int32_t cand_age_n;
    uint32_t found_idx;       /* result of the position search: sample index ... */
    int32_t found_q8;         /* ... and fraction 0..255 after it; + 256 when the R wave points down */
    int32_t bend_age;         /* of the candidate's largest bend, steps; -1 = out of reach, in the learning replay */
    int32_t polarity;         /* +1 or -1, the usual direction of the R wave */
    int32_t polarity_votes;   /* -4..4 */
    /* decision */
    int32_t learn_left_n;     /* steps until the learning buffer is replayed; 0 = done */
    int32_t threshold;
    int32_t span_q10;         /* (signal - noise) / 1024 */
    int32_t early_q10;        /* added to the threshold just after a beat, part of the span */
    int32_t since_n;          /* steps since the last beat's energy peak, saturates */
    int32_t no_beat_n;        /* steps until the thresholds give way */
    int32_t last_coarse;      /* energies of the last beat */
    int32_t last_fine;
    int32_t rr_n;             /* RR intervals known, 0..8 */
    int32_t rr_usual_n;       /* median of the last eight; 0 until they are known */
    int32_t rr_limit_n;       /* search back when no beat came for this long, steps */
    int32_t signal_pos;
    int32_t noise_pos;
    int32_t rr_pos;
    int32_t signal[8];        /* coarse energies of the last beats */
    int32_t signal_fine[8];
    int32_t noise[8];         /* coarse energies of the last rejected candidates */
    int32_t noise_fine[8];
    int32_t signal_mid;       /* medians of the four */
    int32_t signal_fine_mid;
    int32_t noise_mid;
    int32_t noise_fine_mid;
    int32_t rr[8];            /* steps */
    int32_t shape_n;          /* beats in shape[], 0..8 */
    int32_t shape[32];        /* bend of the usual beat, 60 ms to either side of its extremum */
    int32_t back_energy;      /* largest rejected candidate since the last beat; 0 = none */
    int32_t back_coarse;
    int32_t back_fine;
    int32_t back_since_n;     /* its since_n */
    uint32_t back_idx;
    int32_t back_q8;
    /* TMS pulses */
    int32_t spoilt;           /* what pulses do to samples of the running step: 1 = one is held, 2 = one follows */
    int32_t cand_near;        /* place of the candidate in near[], -1 = not near a pulse */
    int32_t near[12];         /* usual energy by time since the first pulse of a burst, 17 ms each */
    int32_t hidden[2];        /* the last 40 steps, a bit each, newest lowest, 20 in a word: 1 = held */
    int32_t hidden_of_n;      /* 160 ms: a QRS complex and what is beside it, where its energy is at its largest */
    int32_t hidden_n;         /* how many of the last hidden_of_n are held */
    int32_t cand_hidden_n;    /* of the candidate's */
    /* learning buffer, then output queue */
    int32_t learn_more;       /* 1: a lone giant has prolonged the learning */
    int32_t learn_n;
    int32_t learn_coarse[16];
    int32_t learn_fine[16];
    int32_t learn_step[16];
    uint32_t learn_idx[16];
    int32_t learn_q8[16];
    int32_t queue_head;
    int32_t queue_n;
    uint32_t queue_idx[16];
    int32_t queue_q8[16];
    int32_t queue_quality[16];
    /* signal state */
    int32_t signal_state;     /* hbc_rpeak_state of the last whole second */
    int32_t watched_n;        /* steps of the second that is running, and what was seen in it */
    int32_t off_n;
    int32_t railed_n;
    int32_t largest_coarse;
    int32_t mean_prev;
    int32_t mean_prev2;
    int32_t hum_sum;
    int32_t hum_phase[2];
    int32_t hum_in_phase[2];
    int32_t hum_quadrature[2];
    hbc_artefact artefact;
    /* rings */
    int32_t mean_ring[8];     /* decimated samples, Q2 */
    int32_t smooth_ring[16];
    int32_t bend_ring[64];
    int32_t fine_ring[64];    /* magnitudes */
    int16_t raw_ring[512];
} hbc_rpeak;

/* Prepare *det for a stream at rate_hz.  Integer arithmetic only; about 20 divisions. */
hbc_rpeak_status hbc_rpeak_init(hbc_rpeak *det, int32_t rate_hz);

/* Samples at or beyond these values count as saturated; -32768 and 32767 unless set. */
void hbc_rpeak_set_rails(hbc_rpeak *det, int32_t low_lsb, int32_t high_lsb);

/* Push one sample.  blanked: HBC_RPEAK_ECG, or why it is none.  The result is a pure function of samples and mask;
 * before the first ECG sample nothing happens.
 * Returns 1 and fills *out when a peak is due, else 0.  At most one peak per sample; more wait in the queue. */
int32_t hbc_rpeak_push(hbc_rpeak *det, int16_t sample_lsb, uint8_t blanked, hbc_rpeak_peak *out);

/* Push samples_n samples; blanked may be NULL.  Writes up to peaks_max peaks and returns how many; the rest wait in
 * the queue (16 deep).  peaks_max >= samples_n / 15 + 16 never leaves one behind.
 * Hosts build with -DHBC_RPEAK_BATCH: the same result, faster, with 9 KiB of stack (src/hbc_rpeak_batch.h). */
int32_t hbc_rpeak_push_block(hbc_rpeak *det, const int16_t *samples_lsb, const uint8_t *blanked, int32_t samples_n,
                             hbc_rpeak_peak *peaks, int32_t peaks_max);
/* [/cffi] */

#ifdef __cplusplus
}
#endif

#endif /* HBC_RPEAK_H */
