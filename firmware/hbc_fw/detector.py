# SPDX-License-Identifier: Apache-2.0
"""Streaming R-peak detector on the device: the bit-exact viper twin of ``native/src/hbc_rpeak.c``.

The manual is ``native/include/hbc_rpeak.h``; every function here carries the name and the order of its C sibling, and
the state is the C struct itself, word for word (the tests compare both memories).  Change one, change the other.

Viper on a PC has 64-bit ints and loads words with zeros above, on the ESP32 ints have 32 bits.  Both agree because
no intermediate leaves int32 (docs/detector.md) and signed words are loaded as ``(word ^ k) - k`` with k = 2^31.
Ints passed between functions stay below 2^30: a larger one would be a heap object on the ESP32.

Longer than the house rules: one module beside one C file, and a call costs as much as a whole filter step.
"""
# ruff: noqa: F821  (ptr8, ptr16, ptr32 are words of the viper compiler)

from array import array

import micropython
from micropython import const

RATE_MIN_HZ = 100
RATE_MAX_HZ = 1000
LATENCY_MS = 300
BLOCK_MAX_N = 64

# Words of the C struct hbc_rpeak.
_DECIM_N = const(0)
_DECIM_RECIP_Q12 = const(1)
_SMOOTH_N = const(2)
_BEND_N = const(3)
_ENERGY_N = const(4)
_HOLD_N = const(5)
_REFRACTORY_N = const(6)
_T_WAVE_N = const(7)
_SECOND_N = const(8)
_FLOOR_ENERGY = const(9)
_BEND_SEEK_N = const(10)
_RAW_DELAY_N = const(11)
_RAW_SEEK_N = const(12)
_RAW_SMOOTH_N = const(13)
_RAW_ARM_N = const(14)
_SAMPLES_N = const(15)
_SEEN_N = const(16)
_HELD_LSB = const(17)
_DECIM_PHASE = const(18)
_DECIM_SUM = const(19)
_STEPS_N = const(20)
_SMOOTH_SUM = const(21)
_SMOOTH_PREV = const(22)
_ENERGY = const(23)
_ENERGY_PREV = const(24)
_USUAL_ENERGY = const(25)
_CAND_ENERGY = const(26)
_CAND_AGE_N = const(27)
_FOUND_IDX = const(28)
_FOUND_Q8 = const(29)
_POLARITY = const(30)
_POLARITY_VOTES = const(31)
_LEARN_LEFT_N = const(32)
_THRESHOLD = const(33)
_SINCE_N = const(34)
_NO_BEAT_N = const(35)
_LAST_ENERGY = const(36)
_RR_N = const(37)
_RR_LIMIT_N = const(38)
_SIGNAL_POS = const(39)
_NOISE_POS = const(40)
_RR_POS = const(41)
_SIGNAL = const(42)
_NOISE = const(50)
_RR = const(58)
_BACK_ENERGY = const(66)
_BACK_SINCE_N = const(67)
_BACK_IDX = const(68)
_BACK_Q8 = const(69)
_LEARN_N = const(70)
_LEARN_ENERGY = const(71)
_LEARN_STEP = const(87)
_LEARN_IDX = const(103)
_LEARN_Q8 = const(119)
_QUEUE_HEAD = const(135)
_QUEUE_N = const(136)
_QUEUE_IDX = const(137)
_QUEUE_Q8 = const(153)
_QUEUE_QUALITY = const(169)
_MEAN_RING = const(185)
_SMOOTH_RING = const(193)
_BEND_RING = const(209)
_RAW_RING = const(546)  # counted in int16
_WORDS_N = const(529)
_COUNT_MAX_N = const(1048576)


def _steps_of(duration_ms, rate_hz):
    return max(1, (duration_ms * rate_hz + 500) // 1000)


def _init(state, rate_hz):
    """Fill the state as ``hbc_rpeak_init`` does; plain Python, runs once."""
    decim_n = max(1, rate_hz // 120)
    step_hz = rate_hz // decim_n
    smooth_n = _steps_of(24, step_hz)
    bend_n = _steps_of(24, step_hz)
    energy_n = _steps_of(80, step_hz)
    seek_n = _steps_of(24, step_hz)
    delay_n = ((decim_n - 1) + (smooth_n - 1) * decim_n + decim_n + 2 * bend_n * decim_n) // 2
    spent_n = delay_n + _steps_of(16, rate_hz) + 1 + decim_n * ((energy_n - 1) // 2 + seek_n + 1)
    room_n = (rate_hz * LATENCY_MS // 1000 - spent_n) // decim_n
    state[_DECIM_N] = decim_n
    state[_DECIM_RECIP_Q12] = 4096 // decim_n
    state[_SMOOTH_N] = smooth_n
    state[_BEND_N] = bend_n
    state[_ENERGY_N] = energy_n
    state[_HOLD_N] = min(_steps_of(180, step_hz), room_n)
    state[_REFRACTORY_N] = _steps_of(200, step_hz)
    state[_T_WAVE_N] = _steps_of(360, step_hz)
    state[_SECOND_N] = step_hz
    state[_FLOOR_ENERGY] = 48 * smooth_n * energy_n
    state[_BEND_SEEK_N] = seek_n
    state[_RAW_DELAY_N] = delay_n
    state[_RAW_SEEK_N] = _steps_of(16, rate_hz)
    state[_RAW_SMOOTH_N] = rate_hz * 4 // 1000
    state[_RAW_ARM_N] = _steps_of(4, rate_hz)
    state[_POLARITY] = 1
    state[_SINCE_N] = 3 * step_hz
    state[_RR_LIMIT_N] = step_hz + ((step_hz * 5) >> 3) + state[_HOLD_N]
    state[_LEARN_LEFT_N] = 2 * step_hz
    state[_NO_BEAT_N] = (5 * step_hz) >> 1


# --- thresholds ------------------------------------------------------------------------------------------------------


@micropython.viper
def _median8(state, base: int) -> int:
    s = ptr32(state)  # energies are never negative: no sign extension
    total = 0
    i = 0
    while i < 8:
        value = int(s[base + i])
        rank = 0
        j = 0
        while j < 8:
            other = int(s[base + j])
            if other < value:
                rank += 1
            elif other == value:
                if j < i:
                    rank += 1
            j += 1
        if rank == 3:
            total += value
        elif rank == 4:
            total += value
        i += 1
    return total >> 1


@micropython.viper
def _update_threshold(state):
    s = ptr32(state)
    noise = int(_median8(state, _NOISE))
    above = int(_median8(state, _SIGNAL)) - noise
    if above < 0:
        above = 0
    threshold = noise + (above >> 5) * 11
    if threshold < int(s[_FLOOR_ENERGY]):
        threshold = int(s[_FLOOR_ENERGY])
    s[_THRESHOLD] = threshold


@micropython.viper
def _quality_of(state, energy: int) -> int:
    s = ptr32(state)
    above = int(_median8(state, _NOISE))
    if above < int(s[_USUAL_ENERGY]):
        above = int(s[_USUAL_ENERGY])
    above = energy - above
    if above <= 0:
        return 0
    if energy >= 4194304:
        above = above >> 6
        energy = energy >> 6
    return above * 255 // energy


# --- position --------------------------------------------------------------------------------------------------------


@micropython.viper
def _raw_smoothed(state, age_n: int) -> int:
    s = ptr32(state)
    raw = ptr16(state)
    half_n = int(s[_RAW_SMOOTH_N])
    newest = int(s[_SAMPLES_N]) - 1
    total = 0
    i = age_n - half_n
    while i <= age_n + half_n:
        total += (int(raw[_RAW_RING + ((newest - i) & 511)]) ^ 32768) - 32768
        i += 1
    return total


@micropython.viper
def _find_bend(state) -> int:
    s = ptr32(state)
    one = 1
    k = one << 31
    newest = int(s[_STEPS_N]) - 1
    seek_n = int(s[_BEND_SEEK_N])
    centre = int(s[_HOLD_N]) + ((int(s[_ENERGY_N]) - 1) >> 1)
    up = 0
    down = 0
    up_age = centre
    down_age = centre
    age = centre - seek_n
    while age <= centre + seek_n:
        bend = (int(s[_BEND_RING + ((newest - age) & 63)]) ^ k) - k
        if bend > up:
            up = bend
            up_age = age
        if 0 - bend > down:
            down = 0 - bend
            down_age = age
        age += 1
    votes = (int(s[_POLARITY_VOTES]) ^ k) - k
    polarity = (int(s[_POLARITY]) ^ k) - k
    if up >= down:
        votes += 1
    else:
        votes -= 1
    if votes >= 4:
        votes = 4
        polarity = 1
    elif votes <= -4:
        votes = -4
        polarity = -1
    s[_POLARITY_VOTES] = votes
    s[_POLARITY] = polarity
    if polarity > 0:
        if 3 * up >= 2 * down:
            return up_age
        return 0 - down_age
    if 2 * up > 3 * down:
        return up_age
    return 0 - down_age


@micropython.viper
def _locate(state):
    s = ptr32(state)
    arm_n = int(s[_RAW_ARM_N])
    seek_n = int(s[_RAW_SEEK_N])
    seen_n = int(s[_SEEN_N])
    bend_age = int(_find_bend(state))
    sign = 1
    if bend_age < 0:
        bend_age = 0 - bend_age
        sign = -1
    centre = bend_age * int(s[_DECIM_N]) + int(s[_RAW_DELAY_N])
    oldest = centre + seek_n
    if oldest >= seen_n:
        oldest = seen_n - 1
    best_age = oldest
    best = sign * int(_raw_smoothed(state, oldest))
    age = oldest - 1
    while age >= centre - seek_n:
        value = sign * int(_raw_smoothed(state, age))
        if value > best:
            best = value
            best_age = age
        age -= 1
    before = sign * int(_raw_smoothed(state, best_age + arm_n))
    after = sign * int(_raw_smoothed(state, best_age - arm_n))
    den = 2 * best - before - after
    num = after - before
    off = 0
    if den > 0:
        if num < 0:
            off = ((0 - num) * 128 * arm_n) // den
        else:
            off = (num * 128 * arm_n) // den
        if off > 128 * arm_n:
            off = 128 * arm_n
        if num < 0:
            off = 0 - off
    if best_age - (off >> 8) >= seen_n:
        off = 0
    s[_FOUND_IDX] = int(s[_SAMPLES_N]) - 1 - (best_age - (off >> 8))
    s[_FOUND_Q8] = off & 255


# --- decision --------------------------------------------------------------------------------------------------------


@micropython.viper
def _accept(state, energy: int, idx_word: int, q8: int, since_n: int, quality: int):
    s = ptr32(state)
    pos = int(s[_SIGNAL_POS])
    s[_SIGNAL + pos] = energy
    s[_SIGNAL_POS] = (pos + 1) & 7
    second_n = int(s[_SECOND_N])
    if since_n < 3 * second_n:
        pos = int(s[_RR_POS])
        s[_RR + pos] = since_n
        s[_RR_POS] = (pos + 1) & 7
        rr_n = int(s[_RR_N])
        if rr_n < 8:
            rr_n += 1
            s[_RR_N] = rr_n
        total = 0
        i = 0
        while i < rr_n:
            total += int(s[_RR + i])
            i += 1
        total = total // rr_n
        s[_RR_LIMIT_N] = total + ((total * 5) >> 3) + int(s[_HOLD_N])
    s[_SINCE_N] = int(s[_SINCE_N]) - since_n
    s[_LAST_ENERGY] = energy
    s[_BACK_ENERGY] = 0
    s[_NO_BEAT_N] = (5 * second_n) >> 1
    _update_threshold(state)
    queue_n = int(s[_QUEUE_N])
    if queue_n < 16:
        slot = (int(s[_QUEUE_HEAD]) + queue_n) & 15
        # The index may exceed 2^30, so it travels as the number of the state word that holds it.
        s[_QUEUE_IDX + slot] = s[idx_word]
        s[_QUEUE_Q8 + slot] = q8
        s[_QUEUE_QUALITY + slot] = quality
        s[_QUEUE_N] = queue_n + 1


@micropython.viper
def _classify(state, energy: int, idx_word: int, q8: int, since_n: int):
    s = ptr32(state)
    if since_n < int(s[_REFRACTORY_N]):
        return
    if since_n < int(s[_T_WAVE_N]):
        if energy < (int(s[_LAST_ENERGY]) >> 4) * 9:
            return
    if energy > int(s[_THRESHOLD]):
        _accept(state, energy, idx_word, q8, since_n, _quality_of(state, energy))
        return
    pos = int(s[_NOISE_POS])
    s[_NOISE + pos] = energy
    s[_NOISE_POS] = (pos + 1) & 7
    _update_threshold(state)
    if energy > int(s[_BACK_ENERGY]):
        s[_BACK_ENERGY] = energy
        s[_BACK_SINCE_N] = since_n
        s[_BACK_IDX] = s[idx_word]
        s[_BACK_Q8] = q8


@micropython.viper
def _replay_learning(state):
    s = ptr32(state)
    start = int(s[_SINCE_N])
    learn_n = int(s[_LEARN_N])
    largest = 0
    second = 0
    i = 0
    while i < learn_n:
        energy = int(s[_LEARN_ENERGY + i])
        if energy > largest:
            second = largest
            largest = energy
        elif energy > second:
            second = energy
        i += 1
    if second > 0:
        if second < largest >> 3:
            largest = second
    i = 0
    while i < 8:
        s[_SIGNAL + i] = largest - (largest >> 2)
        s[_NOISE + i] = largest >> 4
        i += 1
    s[_USUAL_ENERGY] = largest >> 4
    _update_threshold(state)
    last = 0
    i = 0
    while i < learn_n:
        since_n = int(s[_LEARN_STEP + i]) - last
        s[_SINCE_N] = since_n
        queued = int(s[_QUEUE_N])
        _classify(state, int(s[_LEARN_ENERGY + i]), _LEARN_IDX + i, int(s[_LEARN_Q8 + i]), since_n)
        if int(s[_QUEUE_N]) != queued:
            last = int(s[_LEARN_STEP + i])
        i += 1
    s[_SINCE_N] = start - last


@micropython.viper
def _candidate(state, energy: int):
    s = ptr32(state)
    since_n = int(s[_SINCE_N]) - int(s[_HOLD_N])
    if energy < int(s[_FLOOR_ENERGY]):
        return
    _locate(state)
    learn_n = int(s[_LEARN_N])
    if int(s[_LEARN_LEFT_N]) == 0:
        _classify(state, energy, _FOUND_IDX, int(s[_FOUND_Q8]), since_n)
    elif learn_n < 16:
        s[_LEARN_ENERGY + learn_n] = energy
        s[_LEARN_STEP + learn_n] = since_n
        s[_LEARN_IDX + learn_n] = s[_FOUND_IDX]
        s[_LEARN_Q8 + learn_n] = int(s[_FOUND_Q8])
        s[_LEARN_N] = learn_n + 1


@micropython.viper
def _search_back(state):
    s = ptr32(state)
    energy = int(s[_BACK_ENERGY])
    quality = int(_quality_of(state, energy)) >> 1
    i = 0
    while i < 8:
        if int(s[_NOISE + i]) > energy >> 1:
            s[_NOISE + i] = energy >> 1
        if int(s[_SIGNAL + i]) > energy * 2:
            s[_SIGNAL + i] = energy * 2
        i += 1
    _accept(state, energy, _BACK_IDX, int(s[_BACK_Q8]), int(s[_BACK_SINCE_N]), quality)


@micropython.viper
def _give_way(state):
    s = ptr32(state)
    i = 0
    while i < 8:
        s[_SIGNAL + i] = int(s[_SIGNAL + i]) >> 1
        s[_NOISE + i] = int(s[_NOISE + i]) >> 1
        i += 1
    _update_threshold(state)
    s[_NO_BEAT_N] = int(s[_SECOND_N])


# --- the stream ------------------------------------------------------------------------------------------------------


@micropython.viper
def _step(state, total: int):
    s = ptr32(state)
    one = 1
    k = one << 31
    now = int(s[_STEPS_N])
    mean = (total * int(s[_DECIM_RECIP_Q12])) >> 10
    slot = _MEAN_RING + ((now - int(s[_SMOOTH_N])) & 7)
    smooth_sum = ((int(s[_SMOOTH_SUM]) ^ k) - k) + mean - ((int(s[slot]) ^ k) - k)
    s[_MEAN_RING + (now & 7)] = mean
    smooth = smooth_sum + ((int(s[_SMOOTH_PREV]) ^ k) - k)
    s[_SMOOTH_SUM] = smooth_sum
    s[_SMOOTH_PREV] = smooth_sum
    bend_n = int(s[_BEND_N])
    slot = _SMOOTH_RING + ((now - bend_n) & 15)
    bend = 2 * ((int(s[slot]) ^ k) - k) - smooth
    slot = _SMOOTH_RING + ((now - 2 * bend_n) & 15)
    bend -= (int(s[slot]) ^ k) - k
    s[_SMOOTH_RING + (now & 15)] = smooth
    slot = _BEND_RING + ((now - int(s[_ENERGY_N])) & 63)
    old = (int(s[slot]) ^ k) - k
    s[_BEND_RING + (now & 63)] = bend
    if bend < 0:
        bend = 0 - bend
    if old < 0:
        old = 0 - old
    energy = int(s[_ENERGY]) + bend - old
    s[_ENERGY] = energy
    s[_STEPS_N] = now + 1
    since_n = int(s[_SINCE_N])
    if since_n < _COUNT_MAX_N:
        s[_SINCE_N] = since_n + 1
    peak = int(s[_CAND_ENERGY])
    age_n = int(s[_CAND_AGE_N])
    if peak == 0:
        if energy > int(s[_ENERGY_PREV]):
            peak = energy
            age_n = 0
    elif energy > peak:
        peak = energy
        age_n = 0
    else:
        age_n += 1
    s[_ENERGY_PREV] = energy
    usual = int(s[_USUAL_ENERGY])
    if energy > usual:
        s[_USUAL_ENERGY] = usual + (usual >> 6) + 1
    else:
        s[_USUAL_ENERGY] = usual - (usual >> 6)
    s[_CAND_AGE_N] = age_n
    s[_CAND_ENERGY] = peak
    if peak != 0:
        if age_n >= int(s[_HOLD_N]):
            s[_CAND_ENERGY] = 0
            _candidate(state, peak)
    learn_left_n = int(s[_LEARN_LEFT_N])
    if learn_left_n != 0:
        s[_LEARN_LEFT_N] = learn_left_n - 1
        if learn_left_n == 1:
            _replay_learning(state)
        return
    if int(s[_SINCE_N]) > int(s[_RR_LIMIT_N]):
        if int(s[_BACK_ENERGY]) > int(s[_THRESHOLD]) >> 1:
            _search_back(state)
    no_beat_n = int(s[_NO_BEAT_N]) - 1
    s[_NO_BEAT_N] = no_beat_n
    if no_beat_n == 0:
        _give_way(state)


@micropython.viper
def _prime(state, sample_lsb: int):
    s = ptr32(state)
    raw = ptr16(state)
    mean = (sample_lsb * int(s[_DECIM_N]) * int(s[_DECIM_RECIP_Q12])) >> 10
    smooth_sum = mean * int(s[_SMOOTH_N])
    i = 0
    while i < 8:
        s[_MEAN_RING + i] = mean
        i += 1
    s[_SMOOTH_SUM] = smooth_sum
    s[_SMOOTH_PREV] = smooth_sum
    i = 0
    while i < 16:
        s[_SMOOTH_RING + i] = 2 * smooth_sum
        i += 1
    i = 0
    while i < 512:
        raw[_RAW_RING + i] = sample_lsb
        i += 1


@micropython.viper
def _push_block(state, samples, blanked, samples_n: int, peak_idx, peak_frac_q8, peak_quality) -> int:
    s = ptr32(state)
    raw = ptr16(state)
    x = ptr16(samples)
    mask = ptr8(blanked)
    out_idx = ptr32(peak_idx)
    out_frac_q8 = ptr8(peak_frac_q8)
    out_quality = ptr8(peak_quality)
    one = 1
    k = one << 31
    decim_n = int(s[_DECIM_N])
    idx = int(s[_SAMPLES_N])
    seen_n = int(s[_SEEN_N])
    phase = int(s[_DECIM_PHASE])
    held = (int(s[_HELD_LSB]) ^ k) - k
    total = (int(s[_DECIM_SUM]) ^ k) - k
    peaks_n = 0
    i = 0
    while i < samples_n:
        if int(mask[i]) == 0:
            held = (int(x[i]) ^ 32768) - 32768
            if seen_n == 0:
                _prime(state, held)
        elif seen_n == 0:
            idx += 1
            i += 1
            continue
        raw[_RAW_RING + (idx & 511)] = held
        idx += 1
        if seen_n < _COUNT_MAX_N:
            seen_n += 1
        total += held
        phase += 1
        if phase == decim_n:
            s[_SAMPLES_N] = idx
            s[_SEEN_N] = seen_n
            _step(state, total)
            phase = 0
            total = 0
        if int(s[_QUEUE_N]) != 0:
            head = int(s[_QUEUE_HEAD])
            out_idx[peaks_n] = s[_QUEUE_IDX + head]
            out_frac_q8[peaks_n] = s[_QUEUE_Q8 + head]
            out_quality[peaks_n] = s[_QUEUE_QUALITY + head]
            peaks_n += 1
            s[_QUEUE_HEAD] = (head + 1) & 15
            s[_QUEUE_N] = int(s[_QUEUE_N]) - 1
        i += 1
    s[_SAMPLES_N] = idx
    s[_SEEN_N] = seen_n
    s[_DECIM_PHASE] = phase
    s[_HELD_LSB] = held
    s[_DECIM_SUM] = total
    return peaks_n


class RPeakDetector:
    """R-peak detector for one ECG channel.

    ``push_block`` leaves its peaks in the arrays ``peak_idx`` (low 32 bits of the sample index), ``peak_frac_q8`` and
    ``peak_quality``; position = idx + frac_q8 / 256 samples.  Raises ValueError outside 100..1000 Hz.
    """

    def __init__(self, rate_hz):
        if not RATE_MIN_HZ <= rate_hz <= RATE_MAX_HZ:
            raise ValueError("rate %d Hz is outside %d..%d Hz" % (rate_hz, RATE_MIN_HZ, RATE_MAX_HZ))
        self._state = array("i", bytes(4 * _WORDS_N))
        self.peak_idx = array("i", bytes(4 * BLOCK_MAX_N))
        self.peak_frac_q8 = bytearray(BLOCK_MAX_N)
        self.peak_quality = bytearray(BLOCK_MAX_N)
        self._rate_hz = rate_hz
        _init(self._state, rate_hz)

    def reset(self):
        """Forget everything, as after power-up: the next sample has index 0. Allocates nothing."""
        state = self._state
        for i in range(_WORDS_N):
            state[i] = 0
        _init(state, self._rate_hz)

    def push_block(self, samples, blanked, n):
        """Push n <= 64 samples (array 'h') with their mask (bytes of 0 or 1); return the number of peaks.

        Allocates nothing.
        """
        if n > BLOCK_MAX_N:
            raise ValueError("block exceeds 64 samples")
        return _push_block(self._state, samples, blanked, n, self.peak_idx, self.peak_frac_q8, self.peak_quality)
