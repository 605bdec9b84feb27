/* SPDX-License-Identifier: Apache-2.0
 *
 * What device_trace.py runs on a simulated device CPU: the detector over samples and mask linked in from files, one push
 * a sample, no C library.  It leaves by the exit call of the simulator.
 */
#include "hbc_rpeak.h"

__asm__(".section .rodata\n.balign 4\n.globl samples\nsamples: .incbin \"samples.bin\"\n.globl samples_end\nsamples_end:\n"
        ".globl mask\nmask: .incbin \"mask.bin\"\n.text\n");
extern const int16_t samples[], samples_end[];
extern const uint8_t mask[];

/* Filled by push: kept outside main so that the stack seen is the detector's own. */
static hbc_rpeak det;
static hbc_rpeak_peak peak;

#ifdef __XTENSA__
/* The compiler at hand targets a core without a divider; the ESP32 has one: QUOS and QUOU, given as bytes because the
 * assembler does not know them. */
__asm__(".text\n.balign 4\n.globl __divsi3\n.type __divsi3,@function\n__divsi3: .byte 0x30, 0x22, 0xd2\n ret\n"
        ".balign 4\n.globl __udivsi3\n.type __udivsi3,@function\n__udivsi3: .byte 0x30, 0x22, 0xc2\n ret\n");
#endif

/* Compilers put calls to these; loops that they must not turn into calls to themselves. */
void *memset(void *to, int value, unsigned int n);
void *memset(void *to, int value, unsigned int n)
{
    volatile unsigned char *bytes = to;
    while (n-- > 0) {
        bytes[n] = (unsigned char)value;
    }
    return to;
}

static void leave(int code)
{
#ifdef __XTENSA__
    register int call __asm__("a2") = 118; /* exit_group */
    register int status __asm__("a6") = code;
    __asm__ volatile("syscall" ::"r"(call), "r"(status));
#else
    register int status __asm__("a0") = code;
    register int call __asm__("a7") = 93;
    __asm__ volatile("ecall" ::"r"(status), "r"(call));
#endif
    for (;;) {
    }
}

void _start(void);
void _start(void)
{
    const int16_t *at;
    int peaks_n = 0;
    if (hbc_rpeak_init(&det, RATE_HZ) != HBC_RPEAK_OK) {
        leave(1);
    }
    for (at = samples; at < samples_end; at++) {
        peaks_n += hbc_rpeak_push(&det, *at, mask[at - samples], &peak);
    }
    leave(peaks_n > 0 ? 0 : 2); /* a run without beats measured nothing */
}
