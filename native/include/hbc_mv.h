/* SPDX-License-Identifier: Apache-2.0
 *
 * hbc_mv: millivolts to the int16 that hbc_rpeak takes.  For hosts only: the one place where the C has floats.
 */
#ifndef HBC_MV_H
#define HBC_MV_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* [cffi] Everything down to the closing mark is read by build_native.py; keep it free of preprocessor lines. */

/* lsb[i] = (mv[i] - middle_mv) * scale, rounded to the nearest, halves to even, in the rounding mode "to nearest";
 * clipped to int16; 0 where it is not finite and cannot be told.  Returns how many samples do not fit into
 * -32767..32767, the not finite ones included: 0 means that nothing was lost. */
int32_t hbc_mv_to_lsb(const double *mv, int32_t samples_n, double middle_mv, double scale, int16_t *lsb);
/* [/cffi] */

#ifdef __cplusplus
}
#endif

#endif /* HBC_MV_H */
