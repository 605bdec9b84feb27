/* SPDX-License-Identifier: Apache-2.0
 *
 * The promises of hbc_rpeak.h as checks from outside: position, order, latency with its exceptions, push == push_block.
 * Shared by the fuzz target and the hammer.  Only public names, so a rewrite of the detector does not touch this file.
 * Steps in which hbc_artefact holds are no time for search-back and giving way, so these may be later by as much.
 */
#ifndef HBC_RULES_H
#define HBC_RULES_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hbc_rpeak.h"

/* A test lowers it to see that a late peak is noticed. */
#ifndef RULES_LATENCY_MS
#define RULES_LATENCY_MS HBC_RPEAK_LATENCY_MS
#endif

enum {
    RULES_BLOCK_MAX_N = 4096,
    SEARCH_BACK_MS = 5100,  /* 1.56 mean RR + hold at 20 beats a minute, and slack for a threshold that comes down */
    QUIET_MS = 2450,        /* header: no beat for 2.5 s; whole steps make it 2.48 s at some rates */
    HIDDEN_MS = 160,        /* what a candidate rests on; search-back waits while more than half of it is held */
    SLACK_MS = 100,         /* between the instant of a peak and that of its energy */
    CLOSEST_MS = 80,        /* 200 ms refractory time less what the position search may move two peaks */
    GIVE_WAY_MS = 21000     /* 2.5 s, then 2^27 halved once a second down to the floor energy of at least 2^10 */
};

typedef struct {
    hbc_rpeak *det;           /* fed in blocks */
    hbc_rpeak *twin;          /* fed one by one, or NULL */
    int32_t rate_hz;
    uint32_t origin_idx;      /* sample counter at the start */
    int64_t pushed_n;
    int64_t first_good_idx;   /* -1: every sample so far was blanked */
    int64_t last_q8;          /* position of the last peak; -1: none */
    int64_t last_report_idx;  /* when it came, at the earliest */
    long peaks_n; /* what was seen, for the summary */
    double usual_ms, search_back_ms, give_way_ms, gap_ms;
    /* raw samples in steps with one held or followed, or half of HIDDEN_MS held: before what is judged, after it; the
     * same at the last report */
    hbc_artefact artefact;
    int32_t phase_n, held;
    uint64_t held_steps;      /* a bit each, the newest lowest */
    int64_t spoilt_from_n, spoilt_n, report_from_n, report_n;
    double rr_ms[8]; /* the rhythm: search-back is due 1.56 mean RR after a beat */
    int32_t rr_n, rr_unsure_n;
} rules;

/* CHECKs and sanitizers abort; so do broken promises. */
static void rules_broken(const rules *r, const char *promise, double value, double limit)
{
    fprintf(stderr, "broken promise: %s: %.2f, limit %.2f (rate %d Hz, after %lld samples)\n", promise, value, limit,
            (int)r->rate_hz, (long long)r->pushed_n);
    abort();
}

/* origin_idx is where the sample counter starts, so that its wrap can be met early. */
static void rules_start(rules *r, int32_t rate_hz, int32_t with_twin, uint32_t origin_idx)
{
    memset(r, 0, sizeof *r);
    r->rate_hz = rate_hz;
    r->origin_idx = origin_idx;
    r->first_good_idx = r->last_q8 = -1;
    r->gap_ms = 1e9;
    r->det = malloc(sizeof *r->det); /* its own heap block: the sanitizer sees one byte too far */
    r->twin = with_twin ? malloc(sizeof *r->twin) : NULL;
    if (r->det == NULL || (with_twin && r->twin == NULL)) {
        rules_broken(r, "memory", 0, 0);
    }
    memset(r->det, 0xa5, sizeof *r->det); /* init must not rely on what was there */
    if (hbc_rpeak_init(r->det, rate_hz) != HBC_RPEAK_OK) {
        rules_broken(r, "every rate of 100..1000 Hz is taken", rate_hz, 0);
    }
    r->det->samples_n = origin_idx;
    hbc_artefact_init(&r->artefact, rate_hz);
    if (with_twin) {
        memcpy(r->twin, r->det, sizeof *r->twin);
    }
}

static void rules_end(rules *r)
{
    free(r->det);
    free(r->twin);
}

static void largest(double *kept, double value)
{
    *kept = value > *kept ? value : *kept;
}

/* Mean of the last eight intervals as the detector knows them, ms; < 0 when its choice cannot be told from outside. */
static double rules_mean_rr_ms(const rules *r)
{
    const int32_t n = r->rr_n < 8 ? r->rr_n : 8;
    double sum = 0;
    int32_t i;
    for (i = 0; i < n; i++) {
        sum += r->rr_ms[i];
    }
    return r->rr_unsure_n > 0 ? -1 : n == 0 ? 1000 : sum / n;
}

/* An interval between beats: 3 s and more are no rhythm, and near 3 s the peak does not tell what its energy did. */
static void rules_interval(rules *r, double rr_ms)
{
    if (rr_ms > 3000 - SLACK_MS && rr_ms < 3000 + SLACK_MS) {
        r->rr_unsure_n = 8;
    } else if (rr_ms < 3000) {
        r->rr_ms[r->rr_n++ % 8] = rr_ms;
        r->rr_unsure_n -= r->rr_unsure_n > 0;
    }
    if (rr_ms < r->gap_ms) {
        r->gap_ms = rr_ms;
    }
    if (rr_ms < CLOSEST_MS) {
        rules_broken(r, "beats are further apart than this, ms", rr_ms, CLOSEST_MS);
    }
}

/* Is more than half of the last HIDDEN_MS held? */
static int32_t rules_hidden(const rules *r)
{
    const int32_t step_hz = r->rate_hz / r->det->decim_n;
    const int32_t window_n = (HIDDEN_MS * step_hz + 500) / 1000;
    int32_t i, held_n = 0;
    for (i = 0; i < window_n; i++) {
        held_n += (int32_t)(r->held_steps >> i & 1u);
    }
    return 2 * held_n > window_n;
}

static void rules_clear_time(rules *r, const int16_t *samples_lsb, const uint8_t *blanked, int32_t from, int32_t to)
{
    r->spoilt_from_n = r->spoilt_n;
    for (; from < to; from++) {
        if (r->first_good_idx < 0 || r->pushed_n + from < r->first_good_idx) {
            continue;
        }
        r->held |= hbc_artefact_push(&r->artefact, samples_lsb[from], blanked == NULL ? 0 : blanked[from]);
        if (++r->phase_n == r->det->decim_n) {
            r->held_steps = r->held_steps << 1 | (uint64_t)(r->held & HBC_ARTEFACT_HELD);
            r->spoilt_n += r->held || rules_hidden(r) ? r->phase_n : 0;
            r->phase_n = r->held = 0;
        }
    }
}

/* Later than HBC_RPEAK_LATENCY_MS: found by search-back, not before 1.56 mean RR, or after a silence. */
static void rules_late(rules *r, double late_ms, double since_beat_ms, double quiet_ms)
{
    const double mean_rr_ms = rules_mean_rr_ms(r), per_ms = r->rate_hz / 1000.0;
    const double spoilt_ms = (double)(r->spoilt_from_n - r->report_n) / per_ms; /* since the last report, at least */
    const double more_ms = (double)(r->spoilt_n - r->report_from_n) / per_ms;   /* and at most */
    if (quiet_ms - spoilt_ms >= QUIET_MS) {
        largest(&r->give_way_ms, late_ms - more_ms);
        if (late_ms > GIVE_WAY_MS + more_ms) {
            rules_broken(r, "latency after a silence, ms", late_ms, GIVE_WAY_MS + more_ms);
        }
        return;
    }
    largest(&r->search_back_ms, late_ms - more_ms);
    if (r->last_q8 >= 0 && since_beat_ms - spoilt_ms < 1.5625 * mean_rr_ms - SLACK_MS) {
        rules_broken(r, "latency of a usual beat, ms", late_ms, RULES_LATENCY_MS);
    }
    if (late_ms > SEARCH_BACK_MS + more_ms) {
        rules_broken(r, "latency of search-back, ms", late_ms, SEARCH_BACK_MS + more_ms);
    }
}

/* A peak that came with sample earliest_idx..latest_idx: a block does not tell with which of its samples. */
static void rules_peak(rules *r, const hbc_rpeak_peak *peak, int64_t earliest_idx, int64_t latest_idx)
{
    const int64_t idx = (int64_t)(uint32_t)(peak->sample_idx - r->origin_idx);
    const int64_t at_q8 = idx * 256 + peak->frac_q8;
    const int64_t learning_ms = HBC_RPEAK_LEARN_MS + (r->det->learn_more ? 1500 : 0);
    const double per_ms = r->rate_hz / 1000.0;
    const double late_ms = ((double)earliest_idx - (double)at_q8 / 256.0) / per_ms;
    const double since_beat_ms = ((double)latest_idx - (double)r->last_q8 / 256.0) / per_ms;
    const double quiet_ms = (double)(latest_idx - (r->last_q8 < 0 ? r->first_good_idx : r->last_report_idx)) / per_ms;
    if (r->first_good_idx < 0 || idx < r->first_good_idx) {
        rules_broken(r, "no peak before the first good sample", (double)idx, (double)r->first_good_idx);
    }
    if (at_q8 > latest_idx * 256) {
        rules_broken(r, "no peak in the future", (double)at_q8 / 256.0, (double)latest_idx);
    }
    if (at_q8 <= r->last_q8) {
        rules_broken(r, "positions increase", (double)at_q8 / 256.0, (double)r->last_q8 / 256.0);
    }
    /* Learning beats wait in the queue, which gives one a sample. */
    if (earliest_idx - r->first_good_idx > learning_ms * r->rate_hz / 1000 + HBC_RPEAK_QUEUE_N) {
        if (late_ms <= RULES_LATENCY_MS) {
            largest(&r->usual_ms, late_ms);
        } else {
            rules_late(r, late_ms, since_beat_ms, quiet_ms);
        }
    }
    if (r->last_q8 >= 0) {
        rules_interval(r, (double)(at_q8 - r->last_q8) / 256.0 / per_ms);
    }
    r->last_q8 = at_q8;
    r->last_report_idx = earliest_idx;
    r->report_from_n = r->spoilt_from_n;
    r->report_n = r->spoilt_n;
    r->peaks_n++;
}

/* The same samples one by one: the same peaks in the same order, and the instant each came. */
static void rules_twin(rules *r, const int16_t *samples_lsb, const uint8_t *blanked, int32_t samples_n,
                       const hbc_rpeak_peak *peaks, int32_t peaks_n)
{
    hbc_rpeak_peak peak;
    int32_t i, found_n = 0;
    for (i = 0; i < samples_n; i++) {
        rules_clear_time(r, samples_lsb, blanked, i, i + 1);
        if (hbc_rpeak_push(r->twin, samples_lsb[i], blanked == NULL ? 0 : blanked[i], &peak) == 0) {
            continue;
        }
        if (found_n >= peaks_n || peak.sample_idx != peaks[found_n].sample_idx || peak.frac_q8 != peaks[found_n].frac_q8
            || peak.quality != peaks[found_n].quality || peak.polarity != peaks[found_n].polarity) {
            rules_broken(r, "push and push_block find the same peaks", peak.sample_idx, peaks_n);
        }
        found_n++;
        rules_peak(r, &peak, r->pushed_n + i, r->pushed_n + i);
    }
    if (found_n != peaks_n || memcmp(r->det, r->twin, sizeof *r->det) != 0) {
        rules_broken(r, "push and push_block leave the same state", found_n, peaks_n);
    }
}

/* Push one block of at most RULES_BLOCK_MAX_N samples and check all that comes out.  Arrays of exact size on the heap,
 * so that the sanitizer sees a read or a write past the end. */
static void rules_block(rules *r, const int16_t *samples_lsb, const uint8_t *blanked, int32_t samples_n)
{
    const int32_t room = samples_n / 15 + 16;
    hbc_rpeak_peak *peaks = malloc((size_t)room * sizeof *peaks);
    int32_t i, peaks_n;
    if (peaks == NULL) {
        rules_broken(r, "memory", room, 0);
    }
    for (i = 0; i < samples_n && r->first_good_idx < 0; i++) {
        if (blanked == NULL || blanked[i] == 0) {
            r->first_good_idx = r->pushed_n + i;
        }
    }
    peaks_n = hbc_rpeak_push_block(r->det, samples_lsb, blanked, samples_n, peaks, room);
    if (peaks_n < 0 || peaks_n > room) {
        rules_broken(r, "peaks fit into samples_n / 15 + 16", peaks_n, room);
    }
    if (r->twin != NULL) {
        rules_twin(r, samples_lsb, blanked, samples_n, peaks, peaks_n);
    } else {
        rules_clear_time(r, samples_lsb, blanked, 0, samples_n);
        for (i = 0; i < peaks_n; i++) {
            rules_peak(r, &peaks[i], r->pushed_n, r->pushed_n + samples_n - 1);
        }
    }
    r->pushed_n += samples_n;
    free(peaks);
}

#endif /* HBC_RULES_H */
