/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the R-peak of a candidate is: on the bends for its place and direction, on the raw samples for its tip.
 */
#ifndef HBC_RPEAK_POSITION_H
#define HBC_RPEAK_POSITION_H

#include "hbc_rpeak_tune.h"

/* Ages count back from the newest: age 0 is the newest raw sample, or the newest step. */
static int32_t raw_at(const hbc_rpeak *det, int32_t age_n)
{
    return det->raw_ring[(det->samples_n - 1u - (uint32_t)age_n) & RAW_MASK];
}

static int32_t raw_smoothed(const hbc_rpeak *det, int32_t age_n)
{
    int32_t i, sum = 0;
    for (i = age_n - det->raw_smooth_n; i <= age_n + det->raw_smooth_n; i++) {
        sum += raw_at(det, i);
    }
    return sum;
}

/* Age of the step in the middle of the candidate's energy. */
static int32_t bend_centre(const hbc_rpeak *det)
{
    return det->hold_n + ((det->energy_n - 1) >> 1);
}

/* Largest bend near the energy centre, in the usual direction unless the other is 1.5 times larger, so that a
 * biphasic complex does not flip from beat to beat.  Returns age in steps, negated when the peak points down. */
static int32_t find_bend(hbc_rpeak *det)
{
    const int32_t centre = bend_centre(det);
    int32_t up = 0, down = 0, up_age = centre, down_age = centre, age, bend;
    for (age = centre - det->bend_seek_n; age <= centre + det->bend_seek_n; age++) {
        bend = det->bend_ring[(det->steps_n - 1u - (uint32_t)age) & 63];
        up_age = bend > up ? age : up_age;
        up = greater(bend, up);
        down_age = -bend > down ? age : down_age;
        down = greater(-bend, down);
    }
    det->polarity_votes += up >= down ? 1 : -1;
    if (det->polarity_votes >= 4) {
        det->polarity_votes = 4;
        det->polarity = 1;
    } else if (det->polarity_votes <= -4) {
        det->polarity_votes = -4;
        det->polarity = -1;
    }
    if (det->polarity > 0) {
        return 3 * up >= 2 * down ? up_age : -down_age;
    }
    return 2 * up > 3 * down ? up_age : -down_age;
}

/* R-peak on the raw samples: highest value of an 8 ms box from 48 ms before the bend to 16 ms after it, then a parabola
 * through it and its neighbours one arm away.  Result in found_idx and found_q8. */
static void locate(hbc_rpeak *det)
{
    int32_t bend_age = find_bend(det), sign = 1, centre, age, oldest, best_age, best, sum, value;
    int32_t before, after, num, den, off;
    if (bend_age < 0) {
        bend_age = -bend_age;
        sign = -1;
    }
    det->bend_age = bend_age;
    centre = bend_age * det->decim_n + det->raw_delay_n;
    /* Wide beats bend most on a late shoulder; their peak lies before it.  Never older than the promised latency. */
    oldest = centre + det->raw_back_n;
    CHECK(centre <= det->raw_late_n);
    if (oldest > det->raw_late_n) {
        oldest = det->raw_late_n;
    }
    if (oldest >= det->seen_n) { /* not before the first sample */
        oldest = det->seen_n - 1;
    }
    CHECK(oldest + det->raw_smooth_n + det->raw_arm_n < HBC_RPEAK_RAW_N);
    CHECK(centre - det->raw_seek_n - det->raw_smooth_n - det->raw_arm_n >= 0);
    best_age = oldest;
    sum = raw_smoothed(det, oldest);
    best = sign * sum;
    for (age = oldest - 1; age >= centre - det->raw_seek_n; age--) {
        sum += raw_at(det, age - det->raw_smooth_n) - raw_at(det, age + det->raw_smooth_n + 1);
        value = sign * sum;
        best_age = value > best ? age : best_age;
        best = greater(value, best);
    }
    before = sign * raw_smoothed(det, best_age + det->raw_arm_n);
    after = sign * raw_smoothed(det, best_age - det->raw_arm_n);
    den = 2 * best - before - after;
    num = after - before;
    off = 0;
    if (den > 0) {
        /* |num| <= 2 * 9 * 2^15, times 128 * 4: below 2^29. */
        CHECK(magnitude(num) <= 589824);
        off = (magnitude(num) * 128 * det->raw_arm_n) / den;
        if (off > 128 * det->raw_arm_n) { /* no true maximum: edge of the search */
            off = 128 * det->raw_arm_n;
        }
        off = num < 0 ? -off : off;
    }
    if (best_age - (off >> 8) >= det->seen_n) { /* never before the first sample */
        off = 0;
    }
    det->found_idx = det->samples_n - 1u - (uint32_t)(best_age - (off >> 8));
    det->found_q8 = (off & 255) | (sign < 0 ? DOWN : 0);
}

#endif /* HBC_RPEAK_POSITION_H */
