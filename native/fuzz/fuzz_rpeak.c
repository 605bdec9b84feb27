/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: bytes choose rate, blocks and signal; rules.h judges what comes out.  Built and run by run.py.
 *
 * Byte 0, 1: rate, 100 + value % 901.  Byte 2: options (below).  Byte 3: seed of the block lengths.
 * Then operations until the bytes or SAMPLES_MAX_N end: one byte, operation in bits 0..2, upside down in bit 3, blanking
 * in bits 4..5 (always, train, now and then), iTBS instead of 10 Hz in bit 6, an electrode off instead in bit 7; then its
 * arguments.  An operation makes many samples of few bytes, since nothing is reported before 2 s.
 */
#include <stddef.h>

#include "rules.h"

enum {
    SAMPLES_MAX_N = 16000,    /* 16 s at 1000 Hz, 160 s at 100 Hz, some ms of work */
    OPTION_NULL_MASK = 1,     /* blocks without a blanked sample get no mask */
    OPTION_NEAR_WRAP = 2,     /* the sample counter starts 1000 before 2^32 */
    OPTION_LONG_BLOCKS = 4,   /* up to 1024 samples instead of 32 */
    OPTION_HEIGHT_SHIFT = 3,  /* bits 3..5: artefact of each pulse, 2^8..2^14 LSB, 0 = none */
    OPTION_FALL = 64,         /* it points down */
    OPTION_LONG_TAIL = 128    /* it decays in 50 ms instead of 6 */
};

typedef struct {
    const uint8_t *data;
    size_t left_n;
    uint32_t noise;
    int32_t samples_n;
    int32_t rate_hz;
    int32_t artefact, artefact_height, tail_n;
    int16_t samples_lsb[SAMPLES_MAX_N];
    uint8_t blanked[SAMPLES_MAX_N];
} input;

static int32_t byte_of(input *in)
{
    if (in->left_n == 0) {
        return 0;
    }
    in->left_n--;
    return *in->data++;
}

static int32_t word_of(input *in)
{
    const int32_t low = byte_of(in);
    return low | byte_of(in) << 8;
}

static int32_t noise16(input *in)
{
    in->noise = in->noise * 1664525u + 1013904223u;
    return (int32_t)(in->noise >> 16) - 32768;
}

static int16_t clipped(int32_t value)
{
    return (int16_t)(value > 32767 ? 32767 : value < -32768 ? -32768 : value);
}

/* A beat in 1/256 of its height, ms after its start: QRS of 60 ms with S, T wave of 200 ms. */
static int32_t beat_q8(int32_t at_ms)
{
    if (at_ms < 30) {
        return at_ms * 256 / 30;
    }
    if (at_ms < 75) {
        return 256 - (at_ms - 30) * 7;
    }
    if (at_ms < 90) {
        return (at_ms - 90) * 4;
    }
    return at_ms >= 230 && at_ms < 430 ? (100 - (at_ms < 330 ? 330 - at_ms : at_ms - 330)) * 60 / 100 : 0;
}

static uint8_t blanked_of(input *in, int32_t operation)
{
    const int32_t blanking = operation >> 4 & 3, at = in->samples_n, width_n = in->rate_hz / 80 + 1;
    int32_t is = blanking == 1;
    if (blanking == 2 && operation & 64) {
        is = at % (in->rate_hz / 5) < 3 * (in->rate_hz / 50) && at % (in->rate_hz / 50) < width_n;
    } else if (blanking == 2) {
        is = at % (in->rate_hz / 10) < width_n;
    } else if (blanking == 3) {
        is = noise16(in) < -30000;
    }
    return is ? operation & 128 ? HBC_RPEAK_OFF : HBC_RPEAK_BLANKED : HBC_RPEAK_ECG;
}

static void put(input *in, int32_t value, int32_t operation)
{
    const int32_t at = in->samples_n;
    if (at == SAMPLES_MAX_N) {
        return;
    }
    in->blanked[at] = blanked_of(in, operation);
    if (in->blanked[at] == HBC_RPEAK_BLANKED && (at == 0 || in->blanked[at - 1] != HBC_RPEAK_BLANKED)) {
        in->artefact = clipped(in->artefact + in->artefact_height);
    }
    in->samples_lsb[at] = clipped((operation & 8 ? -value : value) + in->artefact);
    in->artefact -= in->artefact / in->tail_n;
    in->samples_n++;
}

/* What each pulse adds. */
static void set_artefact(input *in, int32_t options)
{
    const int32_t size = options >> OPTION_HEIGHT_SHIFT & 7;
    in->artefact_height = size == 0 ? 0 : 1 << (7 + size);
    in->artefact_height = options & OPTION_FALL ? -in->artefact_height : in->artefact_height;
    in->tail_n = options & OPTION_LONG_TAIL ? in->rate_hz / 20 : in->rate_hz / 160 + 1;
}

static void operate(input *in)
{
    const int32_t operation = byte_of(in), kind = operation & 7;
    int32_t i, n, a, b, level = 0;
    switch (kind) {
    case 0: /* samples as they are */
        for (n = byte_of(in) + 1; n > 0 && in->left_n > 1; n--) {
            put(in, word_of(in) - 32768, operation);
        }
        break;
    case 1: /* steps of signed bytes, scaled */
        a = byte_of(in) & 7;
        for (n = byte_of(in) + 1; n > 0 && in->left_n > 0; n--) {
            level = clipped(level + (byte_of(in) - 128) * (1 << a));
            put(in, level, operation);
        }
        break;
    case 2: /* constant */
        a = word_of(in) - 32768;
        for (n = word_of(in) & 4095; n > 0; n--) {
            put(in, a, operation);
        }
        break;
    case 3: /* ramp */
        a = (byte_of(in) - 128) * 16;
        for (n = word_of(in) & 2047, i = 0; i < n; i++) {
            put(in, a * i, operation);
        }
        break;
    case 4: /* square: half period, height, length */
        a = byte_of(in) + 1;
        b = word_of(in);
        for (n = word_of(in) & 4095, i = 0; i < n; i++) {
            put(in, i / a % 2 ? b : -b, operation);
        }
        break;
    case 5: /* noise of a size */
        a = byte_of(in) & 15;
        for (n = word_of(in) & 4095; n > 0; n--) {
            put(in, noise16(in) / (1 << a), operation);
        }
        break;
    case 6: /* beats: height, interval in 8 ms, how many */
        a = word_of(in) & 32767;
        b = byte_of(in) * 8 + 100;
        n = (byte_of(in) & 31) * b * in->rate_hz / 1000;
        for (i = 0; i < n; i++) {
            put(in, beat_q8(i * 1000 / in->rate_hz % b) * a / 256, operation);
        }
        break;
    default: /* lone spikes: height, period, how many */
        a = word_of(in) - 32768;
        b = byte_of(in) * 4 + 2;
        n = (byte_of(in) & 31) * b;
        for (i = 0; i < n; i++) {
            put(in, i % b == 0 ? a : 0, operation);
        }
        break;
    }
}

/* Blocks of exact size on the heap: a read past the end is seen. */
static void push_copy(rules *r, const input *in, int32_t from, int32_t n, int32_t options)
{
    int16_t *samples_lsb = malloc((size_t)n * sizeof *samples_lsb + 1);
    uint8_t *blanked = malloc((size_t)n + 1);
    int32_t i, any = 0;
    if (samples_lsb == NULL || blanked == NULL) {
        abort();
    }
    memcpy(samples_lsb, in->samples_lsb + from, (size_t)n * sizeof *samples_lsb);
    memcpy(blanked, in->blanked + from, (size_t)n);
    for (i = 0; i < n; i++) {
        any |= blanked[i];
    }
    rules_block(r, samples_lsb, any || !(options & OPTION_NULL_MASK) ? blanked : NULL, n);
    free(samples_lsb);
    free(blanked);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static input in;
    rules r;
    uint32_t lengths;
    int32_t options, at, n;
    memset(&in, 0, sizeof in);
    in.data = data;
    in.left_n = size;
    in.noise = 1;
    in.rate_hz = 100 + word_of(&in) % 901;
    options = byte_of(&in);
    set_artefact(&in, options);
    lengths = (uint32_t)byte_of(&in);
    while (in.left_n > 0 && in.samples_n < SAMPLES_MAX_N) {
        operate(&in);
    }
    rules_start(&r, in.rate_hz, 1, options & OPTION_NEAR_WRAP ? 0xfffffc18u : 0);
    for (at = 0; at < in.samples_n; at += n) {
        lengths = lengths * 1664525u + 1013904223u;
        n = (int32_t)(lengths >> (options & OPTION_LONG_BLOCKS ? 22 : 27));
        n = n > in.samples_n - at ? in.samples_n - at : n;
        push_copy(&r, &in, at, n, options);
    }
    rules_end(&r);
    return 0;
}
