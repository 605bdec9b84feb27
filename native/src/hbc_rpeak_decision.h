/* SPDX-License-Identifier: Apache-2.0
 *
 * Beat, T wave or noise; the learning time, search-back and giving way.
 */
#ifndef HBC_RPEAK_DECISION_H
#define HBC_RPEAK_DECISION_H

#include "hbc_rpeak_near.h"

static int32_t rr_limit(const hbc_rpeak *det, int32_t rr_n)
{
    return rr_n + ((rr_n * HBC_TUNE_BACK_RR_Q4) >> 4) + det->hold_n;
}

static void enqueue(hbc_rpeak *det, uint32_t idx, int32_t q8, int32_t quality)
{
    const int32_t slot = (det->queue_head + det->queue_n) & 15;
    CHECK(det->queue_n < HBC_RPEAK_QUEUE_N);
    if (det->queue_n == HBC_RPEAK_QUEUE_N) { /* unreachable while the caller takes the peaks; never overwrite */
        return;
    }
    det->queue_idx[slot] = idx;
    det->queue_q8[slot] = q8;
    det->queue_quality[slot] = quality;
    det->queue_n++;
}

/* A beat whose energy peak lay since_n steps after the last beat's. */
static void accept(hbc_rpeak *det, int32_t coarse, int32_t fine, uint32_t idx, int32_t q8, int32_t since_n,
                   int32_t quality)
{
    int32_t i, sum = 0;
    det->signal[det->signal_pos] = coarse;
    det->signal_fine[det->signal_pos] = fine;
    det->signal_pos = (det->signal_pos + 1) & 7;
    summarise_signal(det);
    if (since_n < 3 * det->second_n) { /* a longer pause is no rhythm */
        det->rr[det->rr_pos] = since_n;
        det->rr_pos = (det->rr_pos + 1) & 7;
        if (det->rr_n < 8) {
            det->rr_n++;
        }
        if (det->rr_n == 8) {
            det->rr_usual_n = median8(det->rr);
        }
    }
    for (i = 0; i < det->rr_n; i++) {
        sum += det->rr[i];
    }
    /* After a pause, too: the time without ECG that was added to the last wait is no part of the next. */
    det->rr_limit_n = rr_limit(det, det->rr_n > 0 ? sum / det->rr_n : det->second_n);
    det->since_n -= since_n;
    det->last_coarse = coarse;
    det->last_fine = fine;
    det->back_energy = 0;
    det->no_beat_n = (5 * det->second_n) >> 1;
    weigh_bands(det);
    update_threshold(det);
    enqueue(det, idx, q8, quality);
}

/* Beat, T wave or noise.  Departure from Pan-Tompkins: the T-wave rule compares energies (the bend already prefers
 * steep waves), and there is one threshold, on the energy only. */
static void classify(hbc_rpeak *det, int32_t coarse, int32_t fine, uint32_t idx, int32_t q8, int32_t since_n)
{
    const int32_t energy = weighted(det, coarse, fine);
    if (since_n < det->refractory_n) {
        return;
    }
    if (since_n < det->t_wave_n
        && energy < (weighted(det, det->last_coarse, det->last_fine) >> 4) * HBC_TUNE_T_WAVE_Q4) {
        return;
    }
    if (energy > limit_at(det, since_n)) {
        learn_shape(det);
        accept(det, coarse, fine, idx, q8, since_n, quality_of(det, energy));
        return;
    }
    det->noise[det->noise_pos] = coarse;
    det->noise_fine[det->noise_pos] = fine;
    det->noise_pos = (det->noise_pos + 1) & 7;
    summarise_noise(det);
    update_threshold(det);
    if (energy > det->back_energy) {
        det->back_energy = energy;
        det->back_coarse = coarse;
        det->back_fine = fine;
        det->back_since_n = since_n;
        det->back_idx = idx;
        det->back_q8 = q8;
    }
}

/* Eight times the energy of all other candidates: the only R wave of a slow heart so far, or a switch-on artefact. */
static int32_t lone_giant(const hbc_rpeak *det, int32_t *largest_at, int32_t *second_at)
{
    int32_t i, largest = 0, second = 0;
    *largest_at = 0;
    *second_at = 0;
    for (i = 0; i < det->learn_n; i++) {
        if (det->learn_coarse[i] > largest) {
            second = largest;
            *second_at = *largest_at;
            largest = det->learn_coarse[i];
            *largest_at = i;
        } else if (det->learn_coarse[i] > second) {
            second = det->learn_coarse[i];
            *second_at = i;
        }
    }
    return second > 0 && second < largest >> 3;
}

/* The learning time is over: start from its largest energy and judge its candidates, so that no beat is lost. */
static void replay_learning(hbc_rpeak *det, int32_t from)
{
    const int32_t start = det->since_n;
    const int32_t coarse = det->learn_coarse[from], fine = det->learn_fine[from];
    int32_t i, last = 0, queued;
    for (i = 0; i < 8; i++) {
        det->signal[i] = coarse - (coarse >> 2);
        det->signal_fine[i] = fine - (fine >> 2);
        det->noise[i] = coarse >> 4;
        det->noise_fine[i] = fine >> 4;
    }
    summarise_signal(det);
    summarise_noise(det);
    update_threshold(det);
    det->bend_age = -1;
    for (i = 0; i < det->learn_n; i++) {
        /* accept() takes the interval off since_n; the steps of the buffer are since_n of their time. */
        det->since_n = det->learn_step[i] - last;
        queued = det->queue_n;
        classify(det, det->learn_coarse[i], det->learn_fine[i], det->learn_idx[i], det->learn_q8[i], det->since_n);
        if (det->queue_n != queued) {
            last = det->learn_step[i];
        }
    }
    det->since_n = start - last;
}

/* One lone giant: wait for a second R wave, as long as a heart of 40/min needs.  When none comes it was an artefact. */
static void learn(hbc_rpeak *det)
{
    int32_t largest_at, second_at, alone;
    det->learn_left_n--;
    if (det->learn_left_n > 0 && det->learn_n < HBC_RPEAK_QUEUE_N) {
        return;
    }
    alone = lone_giant(det, &largest_at, &second_at);
    if (alone && det->learn_left_n == 0 && det->learn_more == 0 && det->learn_n < HBC_RPEAK_QUEUE_N) {
        det->learn_more = 1;
        det->learn_left_n = (3 * det->second_n) >> 1;
        return;
    }
    det->learn_left_n = 0;
    replay_learning(det, alone ? second_at : largest_at);
}

static void candidate(hbc_rpeak *det, int32_t coarse, int32_t fine)
{
    const int32_t since_n = det->since_n - det->hold_n;
    if (coarse < det->floor_energy) {
        return;
    }
    locate(det);
    if (det->learn_left_n == 0) {
        if (shows_too_little(det, weighted(det, coarse, fine), since_n)) {
            return;
        }
        classify(det, coarse, fine, det->found_idx, det->found_q8, since_n);
    } else if (det->learn_n < 16) {
        det->learn_coarse[det->learn_n] = coarse;
        det->learn_fine[det->learn_n] = fine;
        det->learn_step[det->learn_n] = since_n;
        det->learn_idx[det->learn_n] = det->found_idx;
        det->learn_q8[det->learn_n] = det->found_q8;
        det->learn_n++;
    }
}

static void cap(int32_t *values, int32_t most)
{
    int32_t i;
    for (i = 0; i < 8; i++) {
        if (values[i] > most) {
            values[i] = most;
        }
    }
}

/* No beat came for long, and a rejected candidate is large enough: it was one.  Then the amplitude fell, and beats of
 * the new size were counted as noise and would keep each other out. */
static void search_back(hbc_rpeak *det)
{
    const int32_t quality = quality_of(det, det->back_energy) >> 1;
    cap(det->noise, det->back_coarse >> 1);
    cap(det->noise_fine, det->back_fine >> 1);
    cap(det->signal, det->back_coarse * 2);
    cap(det->signal_fine, det->back_fine * 2);
    summarise_noise(det); /* accept() does the other */
    accept(det, det->back_coarse, det->back_fine, det->back_idx, det->back_q8, det->back_since_n, quality);
}

/* Neither noise nor a huge artefact must silence us for ever. */
static void give_way(hbc_rpeak *det)
{
    int32_t i;
    for (i = 0; i < 8; i++) {
        det->signal[i] >>= 1;
        det->signal_fine[i] >>= 1;
        det->noise[i] >>= 1;
        det->noise_fine[i] >>= 1;
    }
    summarise_signal(det);
    summarise_noise(det);
    update_threshold(det);
    det->no_beat_n = det->second_n;
}

static int32_t may_search_back(const hbc_rpeak *det)
{
    return det->back_energy > (det->threshold >> 4) * HBC_TUNE_BACK_Q4;
}

static void watch(hbc_rpeak *det)
{
    if (det->since_n > det->rr_limit_n && may_search_back(det)) {
        search_back(det);
    }
    det->no_beat_n--;
    if (det->no_beat_n == 0) {
        give_way(det);
    }
}

#endif /* HBC_RPEAK_DECISION_H */
