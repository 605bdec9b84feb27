/* SPDX-License-Identifier: Apache-2.0
 *
 * Constants of the R-peak detector and the small arithmetic that all its parts use.  hbc_rpeak.c says how the parts hang
 * together.
 */
#ifndef HBC_RPEAK_TUNE_H
#define HBC_RPEAK_TUNE_H

#include "hbc_rpeak.h"

#ifdef HBC_RPEAK_CHECK
#include <assert.h>
#define CHECK(condition) assert(condition)
#else
#define CHECK(condition) ((void)0)
#endif

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
    FIT_MAX_N = 64,         /* bends that a shape is fitted to: 53 at 239 steps/s */
    NEAR_N = 12,            /* places of near[] */
    DOWN = 256              /* flag beside the fraction of a position: the R wave points down */
};

static int32_t magnitude(int32_t x)
{
    return x < 0 ? -x : x;
}

static int32_t lesser(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static int32_t greater(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

#endif /* HBC_RPEAK_TUNE_H */
