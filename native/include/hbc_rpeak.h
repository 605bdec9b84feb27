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
 *               every filter delay is already taken off.  Quality 0..255, see hbc_rpeak_peak.
 * Latency     : at most HBC_RPEAK_LATENCY_MS after the peak.  Three exceptions, each bounded: beats of the
 *               first HBC_RPEAK_LEARN_MS are reported together at its end; a beat found by search-back is late by
 *               at most 1.625 mean RR + hold (5.1 s at the slowest rhythm of 20/min); when no beat at all has been
 *               found for 2.5 s the thresholds halve once a second and the candidate held back may follow then.
 * Work        : constant per sample; a candidate (at most one per hold time, 150 ms or more) adds a search over at
 *               most 13 filtered and 35 x 9 raw values.  Nothing grows with the length of a bad stretch.
 * Overflow    : cannot happen for any int16 input; bounds of every intermediate in docs/detector.md, asserted by
 *               building with -DHBC_RPEAK_CHECK.  Only the two sample counters wrap, on purpose, as uint32.
 * Requires    : >> of a negative int32 is arithmetic (checked at compile time).
 */
#ifndef HBC_RPEAK_H
#define HBC_RPEAK_H

#include <stdint.h>

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

typedef enum {
    HBC_RPEAK_OK = 0,
    HBC_RPEAK_BAD_RATE = 1   /* rate outside 100..1000 Hz; the state is untouched */
} hbc_rpeak_status;

/* One R-peak.  Position = sample_idx + frac_q8 / 256 samples; the first sample after init has index 0.
 * quality: share of the beat's energy that stands above what is usual between beats (median) and above the rejected
 * candidates, 255 = all of it; halved for a beat found by search-back.  Clean ECG gives 200 and more, white noise
 * about 100. */
typedef struct {
    uint32_t sample_idx;
    uint8_t frac_q8;
    uint8_t quality;
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
    int32_t bend_seek_n;      /* 24 ms: search for the bend extremum around the energy centre, steps */
    int32_t raw_delay_n;      /* delay of the bend signal, raw samples */
    int32_t raw_seek_n;       /* 16 ms: search around the bend extremum, raw samples */
    int32_t raw_smooth_n;     /* half width of the box that the raw peak is read through, raw samples */
    int32_t raw_arm_n;        /* arm of the parabola, about 4 ms, raw samples */
    /* stream */
    uint32_t samples_n;       /* samples pushed, wraps */
    int32_t seen_n;           /* samples since the first good one, saturates */
    int32_t held_lsb;         /* last unblanked sample */
    int32_t decim_phase;
    int32_t decim_sum;
    /* filters */
    uint32_t steps_n;         /* steps done, wraps; low bits address the rings */
    int32_t smooth_sum;
    int32_t smooth_prev;
    int32_t energy;
    int32_t energy_prev;
    int32_t usual_energy;     /* follows the median of energy; for the quality only */
    /* candidate: the largest energy of the last hold_n steps */
    int32_t cand_energy;      /* 0 = none */
    int32_t cand_age_n;
    uint32_t found_idx;       /* result of the position search: sample index ... */
    int32_t found_q8;         /* ... and fraction 0..255 after it */
    int32_t polarity;         /* +1 or -1, the usual direction of the R wave */
    int32_t polarity_votes;   /* -4..4 */
    /* decision */
    int32_t learn_left_n;     /* steps until the learning buffer is replayed; 0 = done */
    int32_t threshold;
    int32_t since_n;          /* steps since the last beat's energy peak, saturates */
    int32_t no_beat_n;        /* steps until the thresholds give way */
    int32_t last_energy;      /* of the last beat */
    int32_t rr_n;             /* RR intervals known, 0..8 */
    int32_t rr_limit_n;       /* search back when no beat came for this long, steps */
    int32_t signal_pos;
    int32_t noise_pos;
    int32_t rr_pos;
    int32_t signal[8];        /* energies of the last beats */
    int32_t noise[8];         /* energies of the last rejected candidates */
    int32_t rr[8];            /* steps */
    int32_t back_energy;      /* largest rejected candidate since the last beat; 0 = none */
    int32_t back_since_n;     /* its since_n */
    uint32_t back_idx;
    int32_t back_q8;
    /* learning buffer, then output queue */
    int32_t learn_n;
    int32_t learn_energy[16];
    int32_t learn_step[16];
    uint32_t learn_idx[16];
    int32_t learn_q8[16];
    int32_t queue_head;
    int32_t queue_n;
    uint32_t queue_idx[16];
    int32_t queue_q8[16];
    int32_t queue_quality[16];
    /* rings */
    int32_t mean_ring[8];     /* decimated samples, Q2 */
    int32_t smooth_ring[16];
    int32_t bend_ring[64];
    int16_t raw_ring[512];
} hbc_rpeak;

/* Prepare *det for a stream at rate_hz.  Integer arithmetic only; about 20 divisions. */
hbc_rpeak_status hbc_rpeak_init(hbc_rpeak *det, int32_t rate_hz);

/* Push one sample.  blanked != 0: the sample is replaced by the last unblanked one (sample and hold), so that the
 * result is a pure function of samples and mask; before the first unblanked sample nothing happens.
 * Returns 1 and fills *out when a peak is due, else 0.  At most one peak per sample; more wait in the queue. */
int32_t hbc_rpeak_push(hbc_rpeak *det, int16_t sample_lsb, uint8_t blanked, hbc_rpeak_peak *out);

/* Push samples_n samples; blanked may be NULL.  Writes up to peaks_max peaks and returns how many; the rest wait in
 * the queue (16 deep).  peaks_max >= samples_n / 15 + 16 never leaves one behind. */
int32_t hbc_rpeak_push_block(hbc_rpeak *det, const int16_t *samples_lsb, const uint8_t *blanked, int32_t samples_n,
                             hbc_rpeak_peak *peaks, int32_t peaks_max);
/* [/cffi] */

#ifdef __cplusplus
}
#endif

#endif /* HBC_RPEAK_H */
