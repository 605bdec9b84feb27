/* SPDX-License-Identifier: Apache-2.0
 *
 * Random and adversarial samples by the billion, every rate, judged by rules.h; built by run.py with sanitizers and
 * -DHBC_RPEAK_CHECK.  Usage: hammer SAMPLES [SEED [FIRST_RUN]]
 *
 * A run is one rate, 10 to 50 s of signal made of segments of all kinds, often blanked, pulses often with an artefact.
 * Its number and the seed make it again: what a failure prints is the command that repeats it.
 */
#include "failure.h"
#include "rules.h"

enum { RATES_N = HBC_RPEAK_RATE_MAX_HZ - HBC_RPEAK_RATE_MIN_HZ + 1, KINDS_N = 13, BLANKINGS_N = 7 };

typedef struct {
    int32_t kind, period_n, height, offset, blanking;
    int32_t level;
    uint32_t phase_q32, phase_step;
    int32_t chirp;
    int32_t artefact, artefact_height, tail_n, was_pulse;
} segment;

static uint32_t random_state;
static struct {
    unsigned seed;
    long run;
    int rate_hz;
    int block_n;
} current;

static void say_how_to_repeat(void)
{
    fprintf(stderr, "run %ld at %d Hz, block of %d; repeat: hammer 1 %u %ld\n", current.run, current.rate_hz,
            current.block_n, current.seed, current.run);
}

static uint32_t random32(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state * 2654435761u;
}

static int32_t random_of(int32_t count)
{
    return (int32_t)(random32() >> 8) % count;
}

static int32_t random16(void)
{
    return (int32_t)(random32() >> 16) - 32768;
}

/* Sine of a phase, +-32767, by a parabola: the shape matters little, its frequency does. */
static int32_t wave(uint32_t phase_q32)
{
    const int32_t half = (int32_t)(phase_q32 >> 16 & 0x7fff); /* 0..32767 over half a period */
    const int32_t value = (half * (32767 - half)) >> 13;
    return phase_q32 >> 31 ? -value : value;
}

/* Heights from 1 LSB to both rails, the rails often. */
static int32_t random_height(void)
{
    return random_of(3) == 0 ? 32767 : (32767 >> random_of(15)) + 1;
}

static void segment_start(segment *s, int32_t rate_hz, long run)
{
    s->kind = random_of(KINDS_N);
    /* Squares meet every half period from 1 sample to 1 s as the runs go on. */
    s->period_n = random_of(2) ? 1 + (int32_t)(run % rate_hz) : 1 + random_of(1 + rate_hz / (1 + random_of(20)));
    s->height = random_height();
    s->offset = random_of(4) == 0 ? random16() : 0;
    s->blanking = random_of(5) < 2 ? 1 + random_of(BLANKINGS_N) : 0;
    s->artefact_height = random_of(2) ? random_of(2) ? random_height() : -random_height() : 0;
    s->tail_n = 1 + random_of(rate_hz / 8);
    s->artefact = s->was_pulse = 0;
    s->level = 0;
    s->phase_q32 = random32();
    s->phase_step = (uint32_t)(4294967296.0 * (0.05 + random_of(600) / 10.0) / rate_hz);
    if (s->kind == 11) { /* mains */
        s->phase_step = (uint32_t)(4294967296.0 / rate_hz * (random_of(2) ? 50 : 60));
    }
    s->chirp = random_of(2000) - 500;
}

/* A beat of 1 at phase 0..255 of the interval: QRS, S and T as a few lines; units 1/256. */
static int32_t beat_q8(uint32_t phase_q32)
{
    const int32_t at = (int32_t)(phase_q32 >> 24);
    if (at < 8) {
        return at * 32;
    }
    if (at < 18) {
        return 256 - (at - 8) * 32;
    }
    if (at < 22) {
        return (at - 22) * 16;
    }
    return at > 70 && at < 130 ? (30 - (at < 100 ? 100 - at : at - 100)) * 3 : 0;
}

static int32_t sample_of(segment *s, int32_t i, int32_t rate_hz)
{
    const int32_t high = s->height, noise = random16();
    s->phase_q32 += s->phase_step;
    switch (s->kind) {
    case 0: return i / s->period_n % 2 ? 32767 : -32768;                /* rail square */
    case 1: return i / s->period_n % 2 ? high : -high;                  /* square */
    case 2: return noise * high / 32768;                                /* white */
    case 3: return noise;                                               /* white, full scale */
    case 4: return s->level = noise % s->period_n == 0 ? -s->level + (s->level == 0 ? high : 0) : s->level; /* telegraph */
    case 5: return i % (s->period_n + 2) == 0 ? high : 0;               /* lone spikes */
    case 6: return s->level += noise * (high >> 6) / 32768;             /* random walk; clipped by the caller */
    case 7: s->phase_step += (uint32_t)(s->chirp * 100); return wave(s->phase_q32) * high / 32768; /* chirp */
    case 8: return i * high / rate_hz;                                  /* ramp */
    case 9: return 0;                                                   /* flat at the offset */
    case 10: return (beat_q8((uint32_t)((double)s->phase_q32 * 0.5)) * high / 256) + noise / 512; /* ECG and noise */
    case 11: return wave(s->phase_q32) * high / 32768;                  /* mains */
    default: return beat_q8(s->phase_q32) * (i / (4 * rate_hz) % 2 ? high : -high / 9) / 256; /* ECG that jumps */
    }
}

static uint8_t blanked_of(const segment *s, int32_t i, int32_t rate_hz)
{
    switch (s->blanking) {
    case 0: return HBC_RPEAK_ECG;
    case 1: return HBC_RPEAK_BLANKED;
    case 2: return random_of(4) == 0;
    case 3: return i / s->period_n % 2 == 0;
    case 4: return random_of(200) == 0 ? HBC_RPEAK_OFF : HBC_RPEAK_ECG;
    case 5: return (uint8_t)(i / s->period_n % 4); /* each kind in turn, an unknown one too */
    case 6: return i % (rate_hz / 5) < 3 * (rate_hz / 50) && i % (rate_hz / 50) <= rate_hz / 80; /* iTBS */
    default: return i % (rate_hz / 10) <= rate_hz / 80; /* a train at 10 Hz */
    }
}

/* A step at each pulse that decays. */
static int32_t artefact_of(segment *s, uint8_t blanked)
{
    const int32_t is_pulse = blanked == HBC_RPEAK_BLANKED;
    if (is_pulse && !s->was_pulse && s->artefact < 65536 && s->artefact > -65536) {
        s->artefact += s->artefact_height;
    }
    s->was_pulse = is_pulse;
    s->artefact -= s->artefact / s->tail_n;
    return s->artefact;
}

static int32_t clipped(int32_t value)
{
    return value > 32767 ? 32767 : value < -32768 ? -32768 : value;
}

/* Fill n samples, changing segment at random; a segment may last one sample or many blocks. */
static void fill(segment *s, int32_t *at, int32_t *until, rules *r, int16_t *samples_lsb, uint8_t *blanked, int32_t n)
{
    int32_t i;
    for (i = 0; i < n; i++) {
        if (*at >= *until) {
            segment_start(s, r->rate_hz, current.run);
            *at = 0;
            *until = 1 + random_of(r->rate_hz * (1 + random_of(10)));
        }
        s->level = clipped(s->level);
        blanked[i] = blanked_of(s, *at, r->rate_hz);
        samples_lsb[i] = (int16_t)clipped(s->offset + sample_of(s, *at, r->rate_hz) + artefact_of(s, blanked[i]));
        (*at)++;
    }
}

static void one_run(rules *r)
{
    static int16_t samples_lsb[RULES_BLOCK_MAX_N];
    static uint8_t blanked[RULES_BLOCK_MAX_N];
    segment s;
    int32_t at = 0, until = 0, left_n, n;
    const int32_t longest = 1 << (1 + random_of(12));
    const int32_t with_mask = random_of(5);
    rules_start(r, current.rate_hz, random_of(4) == 0, random_of(4) == 0 ? 0xfffffc18u : 0);
    for (left_n = current.rate_hz * (10 + random_of(40)); left_n > 0; left_n -= n) {
        n = random_of(longest) + 1;
        n = n > left_n ? left_n : n;
        current.block_n = n;
        fill(&s, &at, &until, r, samples_lsb, blanked, n);
        rules_block(r, samples_lsb, with_mask ? blanked : NULL, n);
    }
    rules_end(r);
}

int main(int argc, char **argv)
{
    const double wanted_n = argc > 1 ? strtod(argv[1], NULL) : 1e7;
    double samples_n = 0, usual_ms = 0, search_back_ms = 0, give_way_ms = 0;
    long peaks_n = 0, runs_n = 0;
    double gap_ms = 1e9;
    rules r;
    current.seed = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1;
    current.run = argc > 3 ? strtol(argv[3], NULL, 10) : 0;
    failure_announce(say_how_to_repeat);
    for (; samples_n < wanted_n; current.run++, runs_n++) {
        random_state = (current.seed * 40503u + (uint32_t)current.run) * 2654435761u | 1u;
        /* 17 and 901 have no common factor: every rate comes once in 901 runs. */
        current.rate_hz = HBC_RPEAK_RATE_MIN_HZ + (int)(current.run % RATES_N * 17 % RATES_N);
        one_run(&r);
        samples_n += (double)r.pushed_n;
        peaks_n += r.peaks_n;
        largest(&usual_ms, r.usual_ms);
        largest(&search_back_ms, r.search_back_ms);
        largest(&give_way_ms, r.give_way_ms);
        gap_ms = r.gap_ms < gap_ms ? r.gap_ms : gap_ms;
    }
    printf("%.0f samples in %ld runs, seed %u, no finding; %ld peaks, closest %.0f ms\n", samples_n, runs_n, current.seed,
           peaks_n, gap_ms);
    printf("latest report: usual %.0f ms, search-back %.0f ms, after a silence %.0f ms\n", usual_ms, search_back_ms,
           give_way_ms);
    return 0;
}
