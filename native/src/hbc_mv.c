/* SPDX-License-Identifier: Apache-2.0
 *
 * Millivolts to int16; the manual is hbc_mv.h.  Build with -ffp-contract=off: a fused multiply-add rounds once where
 * two roundings are promised.
 */
#include "hbc_mv.h"

#include "hbc_wide.h"

#include <float.h>
#include <math.h>

#define LIMIT_LSB 32767.0

enum { CHUNK_N = 256 }; /* stays in the first cache between the two loops */

static double rounded(double x)
{
#if FLT_EVAL_METHOD == 0
    /* 1.5 * 2^52: at this size a double has no room for a fraction, and the addition rounds as rint() would, but in
     * vector instructions that every machine has. */
    const double no_fraction = 6755399441055744.0;
    return (x + no_fraction) - no_fraction;
#else
    return rint(x);
#endif
}

static double misfit(double x)
{
    return fabs(x) <= LIMIT_LSB ? 0.0 : 1.0; /* NaN is not */
}

/* Counts in doubles, and four of them, for the sake of vector instructions. */
static int32_t misfits(const double *mv, int32_t n, double middle_mv, double scale)
{
    double count[4] = {0.0, 0.0, 0.0, 0.0};
    const double *const end = mv + n;
    int32_t j;
    for (; end - mv >= 4; mv += 4) {
        for (j = 0; j < 4; j++) {
            count[j] += misfit((mv[j] - middle_mv) * scale);
        }
    }
    for (; mv < end; mv++) {
        count[0] += misfit((*mv - middle_mv) * scale);
    }
    return (int32_t)(count[0] + count[1] + count[2] + count[3]);
}

static void convert(const double *mv, int32_t n, double middle_mv, double scale, int16_t *lsb)
{
    int32_t i;
    for (i = 0; i < n; i++) {
        lsb[i] = (int16_t)(int32_t)rounded((mv[i] - middle_mv) * scale);
    }
}

static void convert_misfits(const double *mv, int32_t n, double middle_mv, double scale, int16_t *lsb)
{
    int32_t i;
    double x;
    for (i = 0; i < n; i++) {
        x = isfinite(mv[i]) ? (mv[i] - middle_mv) * scale : 0.0;
        x = x < LIMIT_LSB ? x : LIMIT_LSB; /* and NaN, after an overflow */
        x = x > -LIMIT_LSB - 1.0 ? x : -LIMIT_LSB - 1.0;
        lsb[i] = (int16_t)(int32_t)rounded(x);
    }
}

WIDE int32_t hbc_mv_to_lsb(const double *mv, int32_t samples_n, double middle_mv, double scale, int16_t *lsb)
{
    int32_t i, n, misfits_n, all_n = 0;
    for (i = 0; i < samples_n; i += n) {
        n = samples_n - i < CHUNK_N ? samples_n - i : CHUNK_N;
        misfits_n = misfits(mv + i, n, middle_mv, scale);
        if (misfits_n == 0) {
            convert(mv + i, n, middle_mv, scale, lsb + i);
        } else {
            convert_misfits(mv + i, n, middle_mv, scale, lsb + i);
        }
        all_n += misfits_n;
    }
    return all_n;
}
