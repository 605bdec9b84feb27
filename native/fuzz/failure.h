/* SPDX-License-Identifier: Apache-2.0
 *
 * What a failing program says last: how to repeat it.  CHECKs and broken promises abort; sanitizers tell us themselves.
 */
#ifndef HBC_FAILURE_H
#define HBC_FAILURE_H

#include <signal.h>

/* Present when a sanitizer is linked in: called before it ends the program. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static void (*failure_say)(void);

static void failure_on_abort(int number)
{
    (void)number;
    failure_say();
}

/* Call say before the program ends by a finding. */
static void failure_announce(void (*say)(void))
{
    failure_say = say;
    (void)signal(SIGABRT, failure_on_abort);
    if (__sanitizer_set_death_callback) {
        __sanitizer_set_death_callback(say);
    }
}

#endif /* HBC_FAILURE_H */
