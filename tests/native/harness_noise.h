/* SPDX-License-Identifier: Apache-2.0
 *
 * White noise over the whole range of int16, the same in every run (xorshift, Marsaglia 2003, doi:10.18637/jss.v008.i14).
 */
#include <stdint.h>

static uint32_t seed = 1;

static int32_t noise16(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return (int32_t)(seed & 0xffff) - 32768;
}
