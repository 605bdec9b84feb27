# SPDX-License-Identifier: Apache-2.0
"""Streaming R-peak detector on the device: the bit-exact viper twin of ``native/src/hbc_rpeak.c``.

The manual is ``native/include/hbc_rpeak.h``; every function here carries the name and the order of its C sibling (there
in headers by part: threshold, position, near, decision, signal), and the state is the C struct itself, word for word
(the tests compare both memories).  Change one, change the other.
A call costs 400 instructions, more than a whole filter step, so what C calls at every step or sample stands where it is
called, under its name: filter, watch_signal, track and decide in ``_step``, feed and take in ``_push_block``.  The TMS
artefact filter is in ``hbc_fw.artefact``, on words of the same state: called once for all samples far from pulses, and
for each near them.

Viper on a PC has 64-bit ints and loads words with zeros above, on the ESP32 ints have 32 bits.  Both agree because
no intermediate leaves int32 (docs/detector.md) and signed words are loaded as ``(word ^ k) - k`` with k = 2^31.
Ints passed between functions stay below 2^30: a larger one would be a heap object on the ESP32.

Longer than the house rules: constants are the compiler's only within one module, and each part would need its own copy
of the words above.
"""
# ruff: noqa: F821  (ptr8, ptr16, ptr32 are words of the viper compiler)

from array import array

import micropython
from micropython import const

from hbc_fw.artefact import artefact_init, artefact_push, artefact_rest

RATE_MIN_HZ = 100
RATE_MAX_HZ = 1000
LATENCY_MS = 300
BLOCK_MAX_N = 64

# What a sample is.
ECG = const(0)
BLANKED = const(1)
OFF = const(2)

# signal_state, the worst last.
GOOD = const(0)
NOISY = const(1)
HUM = const(2)
SATURATED = const(3)
FLAT = const(4)
LEAD_OFF = const(5)

# HBC_TUNE_... of the C file, which says what they mean.
_TUNE_ENERGY_MS = const(80)
_TUNE_HOLD_MS = const(180)
_TUNE_THRESHOLD_Q10 = const(336)
_TUNE_THRESHOLD_MAX_Q10 = const(640)
_TUNE_NOISE_FROM_Q10 = const(256)
_TUNE_NOISE_GAIN = const(2)
_TUNE_EARLY_FROM_Q10 = const(150)
_TUNE_EARLY_GAIN = const(2)
_TUNE_EARLY_MAX_Q10 = const(640)
_TUNE_EARLY_RR_Q5 = const(28)
_TUNE_FINE_GAIN = const(4)
_TUNE_T_WAVE_Q4 = const(9)
_TUNE_BACK_Q4 = const(10)
_TUNE_BACK_RR_Q4 = const(9)
_TUNE_SHAPE_FROM_Q10 = const(280)
_TUNE_SHAPE_LIKE_Q10 = const(700)
_TUNE_SHAPE_GAIN = const(3)

_STEP_RATE_HZ = const(120)
_COUNT_MAX_N = const(1048576)
_RAW_MASK = const(511)
_NOISY_Q10 = const(400)
_SHAPE_MAX_N = const(32)
_SHAPE_KNOWN_N = const(8)
_FIT_MAX_N = const(64)
_NEAR_N = const(12)
_DOWN = const(256)

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
_FINE_DELAY_N = const(10)
_SHAPE_HALF_N = const(11)
_BEND_SEEK_N = const(12)
_RAW_DELAY_N = const(13)
_RAW_SEEK_N = const(14)
_RAW_BACK_N = const(15)
_RAW_LATE_N = const(16)
_RAW_SMOOTH_N = const(17)
_RAW_ARM_N = const(18)
_HUM_TURN = const(19)
_NEAR_RECIP_Q16 = const(21)
_RAIL_LOW = const(22)
_RAIL_HIGH = const(23)
_SAMPLES_N = const(24)
_SEEN_N = const(25)
_HELD_LSB = const(26)
_DECIM_PHASE = const(27)
_DECIM_SUM = const(28)
_STEPS_N = const(29)
_SMOOTH_SUM = const(30)
_SMOOTH_PREV = const(31)
_FINE_PREV = const(32)
_FINE_PREV2 = const(33)
_COARSE = const(34)
_FINE = const(35)
_USUAL_COARSE = const(36)
_USUAL_FINE = const(37)
_FINE_TO_COARSE_Q4 = const(38)
_COARSE_WEIGHT = const(39)
_FINE_WEIGHT = const(40)
_ENERGY_PREV = const(41)
_CAND_ENERGY = const(42)
_CAND_COARSE = const(43)
_CAND_FINE = const(44)
_CAND_AGE_N = const(45)
_FOUND_IDX = const(46)
_FOUND_Q8 = const(47)
_BEND_AGE = const(48)
_POLARITY = const(49)
_POLARITY_VOTES = const(50)
_LEARN_LEFT_N = const(51)
_THRESHOLD = const(52)
_SPAN_Q10 = const(53)
_EARLY_Q10 = const(54)
_SINCE_N = const(55)
_NO_BEAT_N = const(56)
_LAST_COARSE = const(57)
_LAST_FINE = const(58)
_RR_N = const(59)
_RR_USUAL_N = const(60)
_RR_LIMIT_N = const(61)
_SIGNAL_POS = const(62)
_NOISE_POS = const(63)
_RR_POS = const(64)
_SIGNAL = const(65)
_SIGNAL_FINE = const(73)
_NOISE = const(81)
_NOISE_FINE = const(89)
_SIGNAL_MID = const(97)
_SIGNAL_FINE_MID = const(98)
_NOISE_MID = const(99)
_NOISE_FINE_MID = const(100)
_RR = const(101)
_SHAPE_N = const(109)
_SHAPE = const(110)
_BACK_ENERGY = const(142)
_BACK_COARSE = const(143)
_BACK_FINE = const(144)
_BACK_SINCE_N = const(145)
_BACK_IDX = const(146)
_BACK_Q8 = const(147)
_SPOILT = const(148)
_CAND_NEAR = const(149)
_NEAR = const(150)
_HIDDEN = const(162)
_HIDDEN_OF_N = const(164)
_HIDDEN_N = const(165)
_CAND_HIDDEN_N = const(166)
_LEARN_MORE = const(167)
_LEARN_N = const(168)
_LEARN_COARSE = const(169)
_LEARN_FINE = const(185)
_LEARN_STEP = const(201)
_LEARN_IDX = const(217)
_LEARN_Q8 = const(233)
_QUEUE_HEAD = const(249)
_QUEUE_N = const(250)
_QUEUE_IDX = const(251)
_QUEUE_Q8 = const(267)
_QUEUE_QUALITY = const(283)
_SIGNAL_STATE = const(299)
_WATCHED_N = const(300)
_OFF_N = const(301)
_RAILED_N = const(302)
_LARGEST_COARSE = const(303)
_MEAN_PREV = const(304)
_MEAN_PREV2 = const(305)
_HUM_SUM = const(306)
_HUM_PHASE = const(307)
_HUM_IN_PHASE = const(309)
_HUM_QUADRATURE = const(311)
_ARTEFACT = const(313)
_MEAN_RING = const(542)
_SMOOTH_RING = const(550)
_BEND_RING = const(566)
_FINE_RING = const(630)
_RAW_RING = const(1388)  # counted in int16
_WORDS_N = const(950)

# Words of hbc_artefact in it; hbc_fw.artefact has the others.
_ARTEFACT_LAG_MAX_N = const(313)
_ARTEFACT_AWAKE_N = const(320)
_ARTEFACT_SINCE_N = const(323)
_ARTEFACT_LAG_N = const(324)
_ARTEFACT_OUT_LSB = const(341)

# values of the C functions likeness_q10 and learn_shape: made once, as nothing may be allocated later.
_SHAPE_VALUES = array("i", bytes(4 * _SHAPE_MAX_N))
_FIT_VALUES = array("i", bytes(4 * _FIT_MAX_N))  # and of fitted


# --- thresholds ------------------------------------------------------------------------------------------------------


@micropython.viper
def _median8(state, base: int) -> int:
    s = ptr32(state)  # energies and intervals are never negative: no sign extension
    a = int(s[base])
    b = int(s[base + 1])
    c = int(s[base + 2])
    d = int(s[base + 3])
    e = int(s[base + 4])
    f = int(s[base + 5])
    g = int(s[base + 6])
    h = int(s[base + 7])
    # Each half sorted: a <= b <= c <= d, e <= f <= g <= h.
    if a > b:
        t = a
        a = b
        b = t
    if c > d:
        t = c
        c = d
        d = t
    if a > c:
        t = a
        a = c
        c = t
    if b > d:
        t = b
        b = d
        d = t
    if b > c:
        t = b
        b = c
        c = t
    if e > f:
        t = e
        e = f
        f = t
    if g > h:
        t = g
        g = h
        h = t
    if e > g:
        t = e
        e = g
        g = t
    if f > h:
        t = f
        f = h
        h = t
    if f > g:
        t = f
        f = g
        g = t
    # The smaller of each pair a-h, b-g, c-f, d-e are the lower four; the middle is their largest and the others' least.
    if a > h:
        t = a
        a = h
        h = t
    if b > g:
        t = b
        b = g
        g = t
    if c > f:
        t = c
        c = f
        f = t
    if d > e:
        t = d
        d = e
        e = t
    if b > a:
        a = b
    if c > a:
        a = c
    if d > a:
        a = d
    if g < h:
        h = g
    if f < h:
        h = f
    if e < h:
        h = e
    return (a + h) >> 1


@micropython.viper
def _weighted(state, coarse: int, fine: int) -> int:
    s = ptr32(state)
    return (coarse >> 4) * int(s[_COARSE_WEIGHT]) + (fine >> 4) * int(s[_FINE_WEIGHT])


@micropython.viper
def _ratio_q4(a: int, b: int) -> int:
    ratio = a // ((b >> 4) + 1)
    if ratio > 1023:
        ratio = 1023
    return ratio


@micropython.viper
def _share_q10(part: int, whole: int) -> int:
    if part >= whole:
        return 1024
    while whole >= 1048576:
        whole = whole >> 1
        part = part >> 1
    return part * 1024 // whole


@micropython.viper
def _summarise_signal(state):
    s = ptr32(state)
    s[_SIGNAL_MID] = int(_median8(state, _SIGNAL))
    s[_SIGNAL_FINE_MID] = int(_median8(state, _SIGNAL_FINE))


@micropython.viper
def _summarise_noise(state):
    s = ptr32(state)
    s[_NOISE_MID] = int(_median8(state, _NOISE))
    s[_NOISE_FINE_MID] = int(_median8(state, _NOISE_FINE))


@micropython.viper
def _noise_share_q10(state) -> int:
    s = ptr32(state)
    usual = int(_weighted(state, int(s[_USUAL_COARSE]), int(s[_USUAL_FINE])))
    signal = int(_weighted(state, int(s[_SIGNAL_MID]), int(s[_SIGNAL_FINE_MID])))
    return int(_share_q10(usual, signal + 1))


@micropython.viper
def _update_threshold(state):
    s = ptr32(state)
    noise = int(_weighted(state, int(s[_NOISE_MID]), int(s[_NOISE_FINE_MID])))
    signal = int(_weighted(state, int(s[_SIGNAL_MID]), int(s[_SIGNAL_FINE_MID])))
    share = int(_noise_share_q10(state))
    part = int(_TUNE_THRESHOLD_Q10)
    early = 0
    if share > _TUNE_NOISE_FROM_Q10:
        part += (share - _TUNE_NOISE_FROM_Q10) * _TUNE_NOISE_GAIN
        if part > _TUNE_THRESHOLD_MAX_Q10:
            part = int(_TUNE_THRESHOLD_MAX_Q10)
    if share > _TUNE_EARLY_FROM_Q10:
        early = (share - _TUNE_EARLY_FROM_Q10) * _TUNE_EARLY_GAIN
        if early > _TUNE_EARLY_MAX_Q10:
            early = int(_TUNE_EARLY_MAX_Q10)
    span_q10 = 0
    if signal > noise:
        span_q10 = (signal - noise) >> 10
    threshold = noise + span_q10 * part
    if threshold < int(s[_FLOOR_ENERGY]):
        threshold = int(s[_FLOOR_ENERGY])
    s[_SPAN_Q10] = span_q10
    s[_EARLY_Q10] = early
    s[_THRESHOLD] = threshold


@micropython.viper
def _read_bends(state, age: int, n: int, values) -> int:
    s = ptr32(state)
    v = ptr32(values)
    one = 1
    k = one << 31
    newest = int(s[_STEPS_N]) - 1
    most = 1
    i = 0
    while i < n:
        slot = newest - age
        if age > 63:
            slot = newest - 63
        bend = (int(s[_BEND_RING + (slot & 63)]) ^ k) - k
        v[i] = bend
        if bend > most:
            most = bend
        elif 0 - bend > most:
            most = 0 - bend
        age -= 1
        i += 1
    down = 0
    while most >> down >= 4096:
        down += 1
    up = 0
    while most << up < 2048:
        up += 1
    i = 0
    while i < n:
        v[i] = (((int(v[i]) ^ k) - k) >> down) << up
        i += 1
    return down - up


@micropython.viper
def _read_shape(state, values) -> int:
    s = ptr32(state)
    half_n = int(s[_SHAPE_HALF_N])
    n = 2 * half_n + 1
    _read_bends(state, int(s[_BEND_AGE]) + half_n, n, values)
    return n


@micropython.viper
def _likeness_q10(state) -> int:
    s = ptr32(state)
    v = ptr32(_SHAPE_VALUES)
    one = 1
    k = one << 31
    n = int(_read_shape(state, _SHAPE_VALUES))
    own = 0
    usual = 0
    both = 0
    i = 0
    while i < n:
        value = (int(v[i]) ^ k) - k
        shape = (int(s[_SHAPE + i]) ^ k) - k
        own += value * value
        usual += shape * shape
        both += value * shape
        i += 1
    if both <= 0:
        return 0
    both = both >> 14
    both = both * both // (((own >> 14) * (usual >> 14) >> 10) + 1)
    if both > 1024:
        both = 1024
    return both


@micropython.viper
def _learn_shape(state):
    s = ptr32(state)
    v = ptr32(_SHAPE_VALUES)
    one = 1
    k = one << 31
    if (int(s[_BEND_AGE]) ^ k) - k < 0:
        return
    shift = int(s[_SHAPE_N])
    if shift == _SHAPE_KNOWN_N:
        if int(_noise_share_q10(state)) > _NOISY_Q10:
            return
    else:
        s[_SHAPE_N] = shift + 1
    if shift > 3:
        shift = 3
    n = int(_read_shape(state, _SHAPE_VALUES))
    i = 0
    while i < n:
        shape = (int(s[_SHAPE + i]) ^ k) - k
        s[_SHAPE + i] = shape + ((((int(v[i]) ^ k) - k) - shape) >> shift)
        i += 1


@micropython.viper
def _shape_part(state) -> int:
    s = ptr32(state)
    one = 1
    k = one << 31
    if (int(s[_BEND_AGE]) ^ k) - k < 0:
        return 0
    if int(s[_SHAPE_N]) < _SHAPE_KNOWN_N:
        return 0
    weight = 4 * (int(_noise_share_q10(state)) - _TUNE_SHAPE_FROM_Q10)
    if weight > 1024:
        weight = 1024
    if weight < 256:
        if (int(s[_CAND_NEAR]) ^ k) - k >= 0:
            weight = 256
    if weight <= 0:
        return 0
    return (weight * (_TUNE_SHAPE_LIKE_Q10 - int(_likeness_q10(state))) * _TUNE_SHAPE_GAIN) >> 12


@micropython.viper
def _early_part(state, since_n: int) -> int:
    s = ptr32(state)
    usual_n = (int(s[_RR_USUAL_N]) * _TUNE_EARLY_RR_Q5) >> 5
    if since_n >= usual_n:
        return 0
    early = 2 * (int(s[_CAND_HIDDEN_N]) * 1024 // int(s[_HIDDEN_OF_N]) - 256)
    if early > _TUNE_EARLY_MAX_Q10:
        early = _TUNE_EARLY_MAX_Q10
    if early < int(s[_EARLY_Q10]):
        early = int(s[_EARLY_Q10])
    return early * (usual_n - since_n) // usual_n


@micropython.viper
def _limit_at(state, since_n: int) -> int:
    s = ptr32(state)
    part = int(_shape_part(state)) + int(_early_part(state, since_n))
    return int(s[_THRESHOLD]) + int(s[_SPAN_Q10]) * part


@micropython.viper
def _weigh_bands(state):
    s = ptr32(state)
    coarse = int(s[_SIGNAL_MID])
    usual_coarse = int(s[_USUAL_COARSE])
    usual_fine = int(s[_USUAL_FINE])
    coarse_snr = int(_ratio_q4(coarse, usual_coarse)) + 1
    fine_snr = int(_ratio_q4(int(s[_SIGNAL_FINE_MID]), usual_fine)) + 1
    target = 0
    if fine_snr > coarse_snr:
        share = int(_share_q10(usual_coarse, coarse + 1))
        target = fine_snr * int(_ratio_q4(usual_coarse, usual_fine)) // coarse_snr * _TUNE_FINE_GAIN
        if share < 256:
            target = (target >> 4) * share >> 4
        if target > 1024:
            target = 1024
    weight_q4 = int(s[_FINE_TO_COARSE_Q4])
    weight_q4 += (target - weight_q4) >> 2
    s[_FINE_TO_COARSE_Q4] = weight_q4
    if weight_q4 <= 256:
        s[_COARSE_WEIGHT] = 16
        s[_FINE_WEIGHT] = weight_q4
    else:
        s[_COARSE_WEIGHT] = 4096 // weight_q4
        s[_FINE_WEIGHT] = 256


@micropython.viper
def _quality_of(state, energy: int) -> int:
    s = ptr32(state)
    usual = int(_weighted(state, int(s[_USUAL_COARSE]), int(s[_USUAL_FINE])))
    above = int(_weighted(state, int(s[_NOISE_MID]), int(s[_NOISE_FINE_MID])))
    if above < usual:
        above = usual
    above = energy - above
    if above <= 0:
        return 0
    if energy >= 4194304:
        above = above >> 7
        energy = energy >> 7
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
        total += (int(raw[_RAW_RING + ((newest - i) & _RAW_MASK)]) ^ 32768) - 32768
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
    raw = ptr16(state)
    arm_n = int(s[_RAW_ARM_N])
    half_n = int(s[_RAW_SMOOTH_N])
    late_n = int(s[_RAW_LATE_N])
    seen_n = int(s[_SEEN_N])
    newest = int(s[_SAMPLES_N]) - 1
    bend_age = int(_find_bend(state))
    sign = 1
    if bend_age < 0:
        bend_age = 0 - bend_age
        sign = -1
    s[_BEND_AGE] = bend_age
    centre = bend_age * int(s[_DECIM_N]) + int(s[_RAW_DELAY_N])
    oldest = centre + int(s[_RAW_BACK_N])
    if oldest > late_n:
        oldest = late_n
    if oldest >= seen_n:
        oldest = seen_n - 1
    best_age = oldest
    value = sign * int(_raw_smoothed(state, oldest))
    best = value
    age = oldest - 1
    youngest = centre - int(s[_RAW_SEEK_N])
    while age >= youngest:  # the box moves on by one: one value comes, one goes
        come = (int(raw[_RAW_RING + ((newest - age + half_n) & _RAW_MASK)]) ^ 32768) - 32768
        go = (int(raw[_RAW_RING + ((newest - age - half_n - 1) & _RAW_MASK)]) ^ 32768) - 32768
        value += sign * (come - go)
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
    s[_FOUND_IDX] = newest - (best_age - (off >> 8))
    off = off & 255
    if sign < 0:
        off += _DOWN
    s[_FOUND_Q8] = off


# --- near pulses -----------------------------------------------------------------------------------------------------


@micropython.viper
def _fitted(state) -> int:
    s = ptr32(state)
    v = ptr32(_FIT_VALUES)
    one = 1
    k = one << 31
    half_n = int(s[_SHAPE_HALF_N])
    n = 2 * half_n + 1
    energy_n = int(s[_ENERGY_N])
    starts_n = 4 * int(s[_BEND_SEEK_N]) + 1
    age = int(s[_HOLD_N]) + ((energy_n - 1) >> 1) + half_n + (starts_n >> 1)
    shift = int(_read_bends(state, age, n + starts_n - 1, _FIT_VALUES))
    own = 0
    energy = 0
    first = half_n - (energy_n >> 1)
    i = 0
    while i < n:
        shape = (int(s[_SHAPE + i]) ^ k) - k
        own += shape * shape
        if i >= first:
            if i < first + energy_n:
                if shape < 0:
                    energy -= shape
                else:
                    energy += shape
        i += 1
    best = 0
    start = 0
    while start < starts_n:
        both = 0
        i = 0
        while i < n:
            both += ((int(v[start + i]) ^ k) - k) * ((int(s[_SHAPE + i]) ^ k) - k)
            i += 1
        if both > best:
            best = both
        start += 1
    best = (best >> 10) * 1024 // ((own >> 10) + 1)
    if best > 4095:
        best = 4095
    energy = energy * best >> 10
    if shift < 0:
        return energy >> (0 - shift)
    return energy << shift


@micropython.viper
def _stands_out(state, energy: int, seen_q5: int) -> int:
    s = ptr32(state)
    near = int(s[_CAND_NEAR])
    signal = int(_weighted(state, int(s[_SIGNAL_MID]), int(s[_SIGNAL_FINE_MID])))
    usual = int(s[_NEAR + near])
    if near > 0:
        if int(s[_NEAR + near - 1]) > usual:
            usual = int(s[_NEAR + near - 1])
    if near < _NEAR_N - 1:
        if int(s[_NEAR + near + 1]) > usual:
            usual = int(s[_NEAR + near + 1])
    known = 0
    most = signal
    if int(s[_SHAPE_N]) == _SHAPE_KNOWN_N:
        known = 1
    else:
        most = usual
        if most > (signal >> 6) * 26:
            most = (signal >> 6) * 26
        most += (signal >> 6) * 16
    if (usual >> 1) * 7 < most:
        most = (usual >> 1) * 7
    if energy > most:
        return 1
    if known == 0:
        return 0
    limit_q10 = 340 + (int(_share_q10(usual, signal + 1)) * 11 >> 6)
    if (int(_fitted(state)) >> 5) * seen_q5 > (int(s[_SIGNAL_MID]) >> 10) * limit_q10:
        return 1
    return 0


@micropython.viper
def _shows_too_little(state, energy: int, since_n: int) -> int:
    s = ptr32(state)
    one = 1
    k = one << 31
    of_n = int(s[_HIDDEN_OF_N])
    seen_q5 = (of_n - int(s[_CAND_HIDDEN_N])) * 64 // of_n
    if seen_q5 < 32:
        energy = (energy >> 5) * seen_q5
        if energy <= int(_limit_at(state, since_n)):
            return 1
    else:
        seen_q5 = 32
    if (int(s[_CAND_NEAR]) ^ k) - k >= 0:
        if int(_stands_out(state, energy, seen_q5)) == 0:
            return 1
    return 0


# --- decision --------------------------------------------------------------------------------------------------------
# An index may exceed 2^30, so it travels as the number of the state word that holds it.


def _rr_limit(hold_n, rr_n):
    return rr_n + ((rr_n * _TUNE_BACK_RR_Q4) >> 4) + hold_n


@micropython.viper
def _enqueue(state, idx_word: int, q8: int, quality: int):
    s = ptr32(state)
    queue_n = int(s[_QUEUE_N])
    if queue_n == 16:
        return
    slot = (int(s[_QUEUE_HEAD]) + queue_n) & 15
    s[_QUEUE_IDX + slot] = s[idx_word]
    s[_QUEUE_Q8 + slot] = q8
    s[_QUEUE_QUALITY + slot] = quality
    s[_QUEUE_N] = queue_n + 1


@micropython.viper
def _accept(state, coarse: int, fine: int, idx_word: int, q8: int, since_n: int, quality: int):
    s = ptr32(state)
    pos = int(s[_SIGNAL_POS])
    s[_SIGNAL + pos] = coarse
    s[_SIGNAL_FINE + pos] = fine
    s[_SIGNAL_POS] = (pos + 1) & 7
    _summarise_signal(state)
    second_n = int(s[_SECOND_N])
    mean_n = second_n
    rr_n = int(s[_RR_N])
    if since_n < 3 * second_n:
        pos = int(s[_RR_POS])
        s[_RR + pos] = since_n
        s[_RR_POS] = (pos + 1) & 7
        if rr_n < 8:
            rr_n += 1
            s[_RR_N] = rr_n
        if rr_n == 8:
            s[_RR_USUAL_N] = int(_median8(state, _RR))
    if rr_n != 0:
        total = 0
        i = 0
        while i < rr_n:
            total += int(s[_RR + i])
            i += 1
        mean_n = total // rr_n
    s[_RR_LIMIT_N] = mean_n + ((mean_n * _TUNE_BACK_RR_Q4) >> 4) + int(s[_HOLD_N])
    s[_SINCE_N] = int(s[_SINCE_N]) - since_n
    s[_LAST_COARSE] = coarse
    s[_LAST_FINE] = fine
    s[_BACK_ENERGY] = 0
    s[_NO_BEAT_N] = (5 * second_n) >> 1
    _weigh_bands(state)
    _update_threshold(state)
    _enqueue(state, idx_word, q8, quality)


@micropython.viper
def _classify(state, coarse: int, fine: int, idx_word: int, q8: int, since_n: int):
    s = ptr32(state)
    if since_n < int(s[_REFRACTORY_N]):
        return
    energy = int(_weighted(state, coarse, fine))
    if since_n < int(s[_T_WAVE_N]):
        last = int(_weighted(state, int(s[_LAST_COARSE]), int(s[_LAST_FINE])))
        if energy < (last >> 4) * _TUNE_T_WAVE_Q4:
            return
    if energy > int(_limit_at(state, since_n)):
        _learn_shape(state)
        _accept(state, coarse, fine, idx_word, q8, since_n, _quality_of(state, energy))
        return
    pos = int(s[_NOISE_POS])
    s[_NOISE + pos] = coarse
    s[_NOISE_FINE + pos] = fine
    s[_NOISE_POS] = (pos + 1) & 7
    _summarise_noise(state)
    _update_threshold(state)
    if energy > int(s[_BACK_ENERGY]):
        s[_BACK_ENERGY] = energy
        s[_BACK_COARSE] = coarse
        s[_BACK_FINE] = fine
        s[_BACK_SINCE_N] = since_n
        s[_BACK_IDX] = s[idx_word]
        s[_BACK_Q8] = q8


@micropython.viper
def _lone_giant(state) -> int:
    s = ptr32(state)  # two positions and the answer in one int: largest_at, 16 * second_at, 256 * alone
    learn_n = int(s[_LEARN_N])
    largest = 0
    second = 0
    largest_at = 0
    second_at = 0
    i = 0
    while i < learn_n:
        coarse = int(s[_LEARN_COARSE + i])
        if coarse > largest:
            second = largest
            second_at = largest_at
            largest = coarse
            largest_at = i
        elif coarse > second:
            second = coarse
            second_at = i
        i += 1
    if second > 0:
        if second < largest >> 3:
            second_at += 16
    return largest_at + 16 * second_at


@micropython.viper
def _replay_learning(state, origin: int):
    s = ptr32(state)
    start = int(s[_SINCE_N])
    learn_n = int(s[_LEARN_N])
    coarse = int(s[_LEARN_COARSE + origin])
    fine = int(s[_LEARN_FINE + origin])
    i = 0
    while i < 8:
        s[_SIGNAL + i] = coarse - (coarse >> 2)
        s[_SIGNAL_FINE + i] = fine - (fine >> 2)
        s[_NOISE + i] = coarse >> 4
        s[_NOISE_FINE + i] = fine >> 4
        i += 1
    _summarise_signal(state)
    _summarise_noise(state)
    _update_threshold(state)
    s[_BEND_AGE] = -1
    last = 0
    i = 0
    while i < learn_n:
        since_n = int(s[_LEARN_STEP + i]) - last
        s[_SINCE_N] = since_n
        queued = int(s[_QUEUE_N])
        coarse = int(s[_LEARN_COARSE + i])
        fine = int(s[_LEARN_FINE + i])
        _classify(state, coarse, fine, _LEARN_IDX + i, int(s[_LEARN_Q8 + i]), since_n)
        if int(s[_QUEUE_N]) != queued:
            last = int(s[_LEARN_STEP + i])
        i += 1
    s[_SINCE_N] = start - last


@micropython.viper
def _learn(state):
    s = ptr32(state)
    learn_left_n = int(s[_LEARN_LEFT_N]) - 1
    s[_LEARN_LEFT_N] = learn_left_n
    full = 0
    if int(s[_LEARN_N]) == 16:
        full = 1
    if learn_left_n > 0:
        if full == 0:
            return
    found = int(_lone_giant(state))
    if found >= 256:
        if learn_left_n == 0:
            if int(s[_LEARN_MORE]) + full == 0:
                s[_LEARN_MORE] = 1
                s[_LEARN_LEFT_N] = (3 * int(s[_SECOND_N])) >> 1
                return
        found = found >> 4
    s[_LEARN_LEFT_N] = 0
    _replay_learning(state, found & 15)


@micropython.viper
def _candidate(state, coarse: int, fine: int):
    s = ptr32(state)
    since_n = int(s[_SINCE_N]) - int(s[_HOLD_N])
    if coarse < int(s[_FLOOR_ENERGY]):
        return
    _locate(state)
    learn_n = int(s[_LEARN_N])
    if int(s[_LEARN_LEFT_N]) == 0:
        if int(_shows_too_little(state, int(_weighted(state, coarse, fine)), since_n)):
            return
        _classify(state, coarse, fine, _FOUND_IDX, int(s[_FOUND_Q8]), since_n)
    elif learn_n < 16:
        s[_LEARN_COARSE + learn_n] = coarse
        s[_LEARN_FINE + learn_n] = fine
        s[_LEARN_STEP + learn_n] = since_n
        s[_LEARN_IDX + learn_n] = s[_FOUND_IDX]
        s[_LEARN_Q8 + learn_n] = int(s[_FOUND_Q8])
        s[_LEARN_N] = learn_n + 1


@micropython.viper
def _cap(state, base: int, most: int):
    s = ptr32(state)
    i = 0
    while i < 8:
        if int(s[base + i]) > most:
            s[base + i] = most
        i += 1


@micropython.viper
def _search_back(state):
    s = ptr32(state)
    coarse = int(s[_BACK_COARSE])
    fine = int(s[_BACK_FINE])
    quality = int(_quality_of(state, int(s[_BACK_ENERGY]))) >> 1
    _cap(state, _NOISE, coarse >> 1)
    _cap(state, _NOISE_FINE, fine >> 1)
    _cap(state, _SIGNAL, coarse * 2)
    _cap(state, _SIGNAL_FINE, fine * 2)
    _summarise_noise(state)  # _accept does the other
    _accept(state, coarse, fine, _BACK_IDX, int(s[_BACK_Q8]), int(s[_BACK_SINCE_N]), quality)


@micropython.viper
def _give_way(state):
    s = ptr32(state)
    i = 0
    while i < 8:
        s[_SIGNAL + i] = int(s[_SIGNAL + i]) >> 1
        s[_SIGNAL_FINE + i] = int(s[_SIGNAL_FINE + i]) >> 1
        s[_NOISE + i] = int(s[_NOISE + i]) >> 1
        s[_NOISE_FINE + i] = int(s[_NOISE_FINE + i]) >> 1
        i += 1
    _summarise_signal(state)
    _summarise_noise(state)
    _update_threshold(state)
    s[_NO_BEAT_N] = int(s[_SECOND_N])


# --- signal state ----------------------------------------------------------------------------------------------------


@micropython.viper
def _judge_second(state) -> int:
    s = ptr32(state)
    one = 1
    k = one << 31
    second_n = int(s[_SECOND_N])
    samples_n = second_n * int(s[_DECIM_N])
    signal = int(s[_SIGNAL_MID])
    if int(s[_OFF_N]) * 4 >= samples_n:
        return LEAD_OFF
    if int(s[_RAILED_N]) * 16 >= samples_n:
        return SATURATED
    if int(s[_LARGEST_COARSE]) < int(s[_FLOOR_ENERGY]):
        return FLAT
    hum = 0
    i = 0
    while i < 2:
        in_phase = (int(s[_HUM_IN_PHASE + i]) ^ k) - k
        quadrature = (int(s[_HUM_QUADRATURE + i]) ^ k) - k
        if in_phase < 0:
            in_phase = 0 - in_phase
        if quadrature < 0:
            quadrature = 0 - quadrature
        if in_phase > quadrature:
            in_phase = in_phase + (quadrature >> 1)
        else:
            in_phase = quadrature + (in_phase >> 1)
        if in_phase > hum:
            hum = in_phase
        i += 1
    hum_sum = int(s[_HUM_SUM])
    if 8 * hum > 5 * hum_sum:
        if (hum_sum // second_n) * (7 * int(s[_SMOOTH_N]) * int(s[_ENERGY_N])) > signal >> 6:
            return HUM
    if int(s[_LEARN_LEFT_N]) != 0:
        return GOOD
    if int(_share_q10(int(s[_USUAL_COARSE]), signal + 1)) > _NOISY_Q10:
        return NOISY
    return GOOD


@micropython.viper
def _end_second(state):
    s = ptr32(state)
    s[_SIGNAL_STATE] = int(_judge_second(state))
    s[_WATCHED_N] = 0
    s[_OFF_N] = 0
    s[_RAILED_N] = 0
    s[_LARGEST_COARSE] = 0
    s[_HUM_SUM] = 0
    i = 0
    while i < 2:
        s[_HUM_IN_PHASE + i] = 0
        s[_HUM_QUADRATURE + i] = 0
        i += 1


# --- the stream ------------------------------------------------------------------------------------------------------


def _steps_of(duration_ms, rate_hz):
    return max(1, (duration_ms * rate_hz + 500) // 1000)


def _init(state, rate_hz):
    """Fill the zeroed state as ``hbc_rpeak_init`` does; plain Python, not under the clock."""
    decim_n = max(1, rate_hz // _STEP_RATE_HZ)
    step_hz = rate_hz // decim_n
    smooth_n = _steps_of(24, step_hz)
    bend_n = _steps_of(24, step_hz)
    energy_n = _steps_of(_TUNE_ENERGY_MS, step_hz)
    seek_n = _steps_of(24, step_hz)
    delay_n = ((decim_n - 1) + (smooth_n - 1) * decim_n + decim_n + 2 * bend_n * decim_n) // 2
    spent_n = delay_n + _steps_of(16, rate_hz) + 1 + decim_n * ((energy_n - 1) // 2 + seek_n + 1)
    room_n = (rate_hz * LATENCY_MS // 1000 - spent_n) // decim_n
    hold_n = min(_steps_of(_TUNE_HOLD_MS, step_hz), room_n)
    state[_DECIM_N] = decim_n
    state[_DECIM_RECIP_Q12] = 4096 // decim_n
    state[_SMOOTH_N] = smooth_n
    state[_BEND_N] = bend_n
    state[_ENERGY_N] = energy_n
    state[_HOLD_N] = hold_n
    state[_REFRACTORY_N] = _steps_of(200, step_hz)
    state[_T_WAVE_N] = _steps_of(360, step_hz)
    state[_SECOND_N] = step_hz
    state[_HIDDEN_OF_N] = _steps_of(160, step_hz)
    state[_FLOOR_ENERGY] = 48 * smooth_n * energy_n
    state[_FINE_DELAY_N] = (smooth_n + 2 * bend_n - 3) // 2
    state[_SHAPE_HALF_N] = _steps_of(60, step_hz)
    state[_BEND_SEEK_N] = seek_n
    state[_RAW_DELAY_N] = delay_n
    state[_RAW_SEEK_N] = _steps_of(16, rate_hz)
    state[_RAW_BACK_N] = _steps_of(48, rate_hz)
    state[_RAW_LATE_N] = rate_hz * LATENCY_MS // 1000 - 1 - _steps_of(4, rate_hz)
    state[_RAW_SMOOTH_N] = rate_hz * 4 // 1000
    state[_RAW_ARM_N] = _steps_of(4, rate_hz)
    state[_HUM_TURN] = 50 * decim_n * 65536 // rate_hz
    state[_HUM_TURN + 1] = 60 * decim_n * 65536 // rate_hz
    artefact_init(state, rate_hz)
    state[_NEAR_RECIP_Q16] = 65536 * _NEAR_N // state[_ARTEFACT_LAG_MAX_N]
    state[_RAIL_LOW] = -32768
    state[_RAIL_HIGH] = 32767
    state[_COARSE_WEIGHT] = 16
    state[_POLARITY] = 1
    state[_SINCE_N] = 3 * step_hz
    state[_RR_LIMIT_N] = _rr_limit(hold_n, step_hz)
    state[_LEARN_LEFT_N] = 2 * step_hz
    state[_NO_BEAT_N] = (5 * step_hz) >> 1


@micropython.viper
def _step(state, total: int):
    s = ptr32(state)
    one = 1
    k = one << 31
    mean = (total * int(s[_DECIM_RECIP_Q12])) >> 10
    # filter; the newest mean of the ring is mean_prev, and the old smooth_sum is smooth_prev
    now = int(s[_STEPS_N])
    s[_STEPS_N] = now + 1
    energy_n = int(s[_ENERGY_N])
    mean_prev = (int(s[_MEAN_PREV]) ^ k) - k
    slot = _MEAN_RING + ((now - int(s[_SMOOTH_N])) & 7)
    smooth_prev = (int(s[_SMOOTH_PREV]) ^ k) - k
    smooth_sum = smooth_prev + mean - ((int(s[slot]) ^ k) - k)
    s[_MEAN_RING + (now & 7)] = mean
    smooth = smooth_sum + smooth_prev
    s[_SMOOTH_SUM] = smooth_sum
    s[_SMOOTH_PREV] = smooth_sum
    bend_n = int(s[_BEND_N])
    slot = _SMOOTH_RING + ((now - bend_n) & 15)
    bend = 2 * ((int(s[slot]) ^ k) - k) - smooth
    slot = _SMOOTH_RING + ((now - 2 * bend_n) & 15)
    bend -= (int(s[slot]) ^ k) - k
    s[_SMOOTH_RING + (now & 15)] = smooth
    slot = _BEND_RING + ((now - energy_n) & 63)
    old = (int(s[slot]) ^ k) - k
    s[_BEND_RING + (now & 63)] = bend
    if bend < 0:
        bend = 0 - bend
    if old < 0:
        old = 0 - old
    coarse = int(s[_COARSE]) + bend - old
    s[_COARSE] = coarse
    fine_in = mean + mean_prev
    fine_prev = (int(s[_FINE_PREV]) ^ k) - k
    bend = 2 * fine_prev - fine_in - ((int(s[_FINE_PREV2]) ^ k) - k)
    s[_FINE_PREV2] = fine_prev
    s[_FINE_PREV] = fine_in
    if bend < 0:
        bend = 0 - bend
    s[_FINE_RING + (now & 63)] = bend
    now -= int(s[_FINE_DELAY_N])
    fine = int(s[_FINE]) + int(s[_FINE_RING + (now & 63)]) - int(s[_FINE_RING + ((now - energy_n) & 63)])
    s[_FINE] = fine
    # watch_hidden
    spoilt = int(s[_SPOILT])
    held = spoilt & 1
    low = int(s[_HIDDEN])
    high = int(s[_HIDDEN + 1])
    hidden_n = 0
    if held | low | high:
        hidden_of_n = int(s[_HIDDEN_OF_N])
        if hidden_of_n <= 20:
            gone = (low >> (hidden_of_n - 1)) & 1
        else:
            gone = (high >> (hidden_of_n - 21)) & 1
        s[_HIDDEN + 1] = ((high << 1) | (low >> 19)) & 1048575
        s[_HIDDEN] = ((low << 1) | held) & 1048575
        hidden_n = int(s[_HIDDEN_N]) + held - gone
        s[_HIDDEN_N] = hidden_n
        if 2 * hidden_n > hidden_of_n:
            spoilt = 1
    # watch_signal
    d2 = (mean - 2 * mean_prev + ((int(s[_MEAN_PREV2]) ^ k) - k)) >> 6
    s[_MEAN_PREV2] = mean_prev
    s[_MEAN_PREV] = mean
    minus = 0 - d2
    phase = (int(s[_HUM_PHASE]) + int(s[_HUM_TURN])) & 65535
    s[_HUM_PHASE] = phase
    # These sums are modulo 2^32: adding needs no sign.
    if phase & 32768:
        s[_HUM_IN_PHASE] = int(s[_HUM_IN_PHASE]) + d2
    else:
        s[_HUM_IN_PHASE] = int(s[_HUM_IN_PHASE]) + minus
    if (phase + 16384) & 32768:
        s[_HUM_QUADRATURE] = int(s[_HUM_QUADRATURE]) + d2
    else:
        s[_HUM_QUADRATURE] = int(s[_HUM_QUADRATURE]) + minus
    phase = (int(s[_HUM_PHASE + 1]) + int(s[_HUM_TURN + 1])) & 65535
    s[_HUM_PHASE + 1] = phase
    if phase & 32768:
        s[_HUM_IN_PHASE + 1] = int(s[_HUM_IN_PHASE + 1]) + d2
    else:
        s[_HUM_IN_PHASE + 1] = int(s[_HUM_IN_PHASE + 1]) + minus
    if (phase + 16384) & 32768:
        s[_HUM_QUADRATURE + 1] = int(s[_HUM_QUADRATURE + 1]) + d2
    else:
        s[_HUM_QUADRATURE + 1] = int(s[_HUM_QUADRATURE + 1]) + minus
    if d2 < 0:
        d2 = minus
    s[_HUM_SUM] = int(s[_HUM_SUM]) + d2
    if coarse > int(s[_LARGEST_COARSE]):
        s[_LARGEST_COARSE] = coarse
    watched_n = int(s[_WATCHED_N]) + 1
    s[_WATCHED_N] = watched_n
    if watched_n == int(s[_SECOND_N]):
        _end_second(state)
    # track
    energy = (coarse >> 4) * int(s[_COARSE_WEIGHT]) + (fine >> 4) * int(s[_FINE_WEIGHT])
    near = -1
    lag_n = int(s[_ARTEFACT_LAG_N])
    if lag_n < int(s[_ARTEFACT_LAG_MAX_N]):  # watch_near
        near = (lag_n * int(s[_NEAR_RECIP_Q16])) >> 16
        if energy >= int(s[_FLOOR_ENERGY]):
            usual = int(s[_NEAR + near])
            if usual == 0:
                usual = int(_weighted(state, int(s[_SIGNAL_MID]), int(s[_SIGNAL_FINE_MID]))) >> 2
                if energy > usual:
                    usual = energy
            elif energy > usual:
                usual += (usual >> 5) + 1
            else:
                usual -= usual >> 4
            s[_NEAR + near] = usual
    usual = int(s[_USUAL_COARSE])
    if coarse > usual:
        s[_USUAL_COARSE] = usual + (usual >> 8) * 6 + 1
    else:
        s[_USUAL_COARSE] = usual - (usual >> 8) * 2
    usual = int(s[_USUAL_FINE])
    if fine > usual:
        s[_USUAL_FINE] = usual + (usual >> 8) * 6 + 1
    else:
        s[_USUAL_FINE] = usual - (usual >> 8) * 2
    since_n = int(s[_SINCE_N])
    if since_n < _COUNT_MAX_N:
        s[_SINCE_N] = since_n + 1
    cand_energy = int(s[_CAND_ENERGY])
    least = cand_energy
    if cand_energy == 0:
        least = int(s[_ENERGY_PREV])
    s[_ENERGY_PREV] = energy
    if energy > least:
        cand_energy = energy
        s[_CAND_ENERGY] = energy
        s[_CAND_COARSE] = coarse
        s[_CAND_FINE] = fine
        s[_CAND_NEAR] = near
        s[_CAND_HIDDEN_N] = hidden_n
        s[_CAND_AGE_N] = 0
    elif cand_energy != 0:
        s[_CAND_AGE_N] = int(s[_CAND_AGE_N]) + 1
    # decide
    if cand_energy != 0:
        if int(s[_CAND_AGE_N]) >= int(s[_HOLD_N]):
            s[_CAND_ENERGY] = 0
            _candidate(state, int(s[_CAND_COARSE]), int(s[_CAND_FINE]))
    if int(s[_LEARN_LEFT_N]) != 0:
        _learn(state)
        return
    if spoilt:  # time without ECG is no pause of the heart
        limit_n = int(s[_RR_LIMIT_N])
        if limit_n < _COUNT_MAX_N:
            s[_RR_LIMIT_N] = limit_n + 1
        return
    # watch
    if int(s[_SINCE_N]) > int(s[_RR_LIMIT_N]):
        if int(s[_BACK_ENERGY]) > (int(s[_THRESHOLD]) >> 4) * _TUNE_BACK_Q4:
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
    s[_FINE_PREV] = 2 * mean
    s[_FINE_PREV2] = 2 * mean
    s[_MEAN_PREV] = mean
    s[_MEAN_PREV2] = mean
    i = 0
    while i < 16:
        s[_SMOOTH_RING + i] = 2 * smooth_sum
        i += 1
    i = 0
    while i < 512:
        raw[_RAW_RING + i] = sample_lsb
        i += 1


@micropython.viper
def _push_block(state, samples, blanked, samples_n: int, peak_idx, peak_frac_q8, peak_quality, peak_polarity) -> int:
    s = ptr32(state)
    raw = ptr16(state)
    x = ptr16(samples)
    mask = ptr8(blanked)
    out_idx = ptr32(peak_idx)
    out_frac_q8 = ptr8(peak_frac_q8)
    out_quality = ptr8(peak_quality)
    out_polarity = ptr8(peak_polarity)
    one = 1
    k = one << 31
    decim_n = int(s[_DECIM_N])
    rail_low = (int(s[_RAIL_LOW]) ^ k) - k
    rail_high = (int(s[_RAIL_HIGH]) ^ k) - k
    idx = int(s[_SAMPLES_N])
    seen_n = int(s[_SEEN_N])
    phase = int(s[_DECIM_PHASE])
    held = (int(s[_HELD_LSB]) ^ k) - k
    total = (int(s[_DECIM_SUM]) ^ k) - k
    resting = 0
    if int(s[_ARTEFACT_SINCE_N]) == int(s[_ARTEFACT_AWAKE_N]):
        resting = 1
    rested_n = 0  # samples that artefact_rest has yet to see
    peaks_n = 0
    i = 0
    while i < samples_n:
        # feed
        sample = (int(x[i]) ^ 32768) - 32768
        kind = int(mask[i])
        if seen_n == 0:
            if kind != ECG:
                s[_SIGNAL_STATE] = GOOD
                if kind == OFF:
                    s[_SIGNAL_STATE] = LEAD_OFF
                idx += 1
                i += 1
                continue
            _prime(state, sample)
        if kind == ECG:
            if sample <= rail_low or sample >= rail_high:
                s[_RAILED_N] = int(s[_RAILED_N]) + 1
        elif kind == OFF:
            s[_OFF_N] = int(s[_OFF_N]) + 1
        if kind == ECG and resting:
            held = sample
            rested_n += 1
        else:
            if rested_n != 0:
                artefact_rest(state, samples, i - rested_n, rested_n)
                rested_n = 0
            s[_SPOILT] = int(s[_SPOILT]) | int(artefact_push(state, sample, kind))
            held = (int(s[_ARTEFACT_OUT_LSB]) ^ k) - k
            resting = 0
            if int(s[_ARTEFACT_SINCE_N]) == int(s[_ARTEFACT_AWAKE_N]):
                resting = 1
        raw[_RAW_RING + (idx & _RAW_MASK)] = held
        idx += 1
        if seen_n < _COUNT_MAX_N:
            seen_n += 1
        total += held
        phase += 1
        if phase == decim_n:
            s[_SAMPLES_N] = idx
            s[_SEEN_N] = seen_n
            _step(state, total)
            s[_SPOILT] = 0
            phase = 0
            total = 0
        # take
        if int(s[_QUEUE_N]) != 0:
            head = int(s[_QUEUE_HEAD])
            out_idx[peaks_n] = s[_QUEUE_IDX + head]
            out_frac_q8[peaks_n] = s[_QUEUE_Q8 + head]
            out_quality[peaks_n] = s[_QUEUE_QUALITY + head]
            out_polarity[peaks_n] = 1
            if int(s[_QUEUE_Q8 + head]) & _DOWN:
                out_polarity[peaks_n] = 255
            peaks_n += 1
            s[_QUEUE_HEAD] = (head + 1) & 15
            s[_QUEUE_N] = int(s[_QUEUE_N]) - 1
        i += 1
    if rested_n != 0:
        artefact_rest(state, samples, i - rested_n, rested_n)
    s[_SAMPLES_N] = idx
    s[_SEEN_N] = seen_n
    s[_DECIM_PHASE] = phase
    s[_HELD_LSB] = held
    s[_DECIM_SUM] = total
    return peaks_n


class RPeakDetector:
    """R-peak detector for one ECG channel.

    ``push_block`` leaves its peaks in the arrays ``peak_idx`` (low 32 bits of the sample index), ``peak_frac_q8``,
    ``peak_quality`` and ``peak_polarity`` (+1 up, -1 down); position = idx + frac_q8 / 256 samples.
    Raises ValueError outside 100..1000 Hz.
    """

    def __init__(self, rate_hz):
        if not RATE_MIN_HZ <= rate_hz <= RATE_MAX_HZ:
            raise ValueError("rate %d Hz is outside %d..%d Hz" % (rate_hz, RATE_MIN_HZ, RATE_MAX_HZ))
        self._state = array("i", bytes(4 * _WORDS_N))
        self.peak_idx = array("i", bytes(4 * BLOCK_MAX_N))
        self.peak_frac_q8 = bytearray(BLOCK_MAX_N)
        self.peak_quality = bytearray(BLOCK_MAX_N)
        self.peak_polarity = array("b", bytes(BLOCK_MAX_N))
        self._rate_hz = rate_hz
        _init(self._state, rate_hz)

    @property
    def signal_state(self):
        """What the last whole second was: GOOD, NOISY, HUM, SATURATED, FLAT or LEAD_OFF. Allocates nothing."""
        return self._state[_SIGNAL_STATE]

    def set_rails(self, low_lsb, high_lsb):
        """Samples at or beyond these values count as saturated; they outlive a reset. Allocates nothing."""
        self._state[_RAIL_LOW] = low_lsb
        self._state[_RAIL_HIGH] = high_lsb

    def reset(self):
        """Forget the stream, as after power-up: the next sample has index 0. Allocates nothing."""
        state = self._state
        low_lsb = state[_RAIL_LOW]
        high_lsb = state[_RAIL_HIGH]
        for i in range(_WORDS_N):
            state[i] = 0
        _init(state, self._rate_hz)
        self.set_rails(low_lsb, high_lsb)

    def push_block(self, samples, blanked, n):
        """Push n <= 64 samples (array 'h') with their mask (bytes: ECG, BLANKED or OFF); return the number of peaks.

        Allocates nothing.
        """
        if n > BLOCK_MAX_N:
            raise ValueError("block exceeds 64 samples")
        return _push_block(
            self._state,
            samples,
            blanked,
            n,
            self.peak_idx,
            self.peak_frac_q8,
            self.peak_quality,
            self.peak_polarity,
        )
