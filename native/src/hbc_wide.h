/* SPDX-License-Identifier: Apache-2.0
 *
 * WIDE before a function: two versions of it, chosen when the library is loaded, as most hosts can take eight words at a
 * time.  Integers and plain double arithmetic only, so both give the same bits.  Host only.
 */
#ifndef HBC_WIDE_H
#define HBC_WIDE_H

#include <string.h> /* says whether this is glibc, which can choose */

#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define WIDE __attribute__((target_clones("avx2", "default"), flatten))
#else
#define WIDE
#endif

#endif /* HBC_WIDE_H */
