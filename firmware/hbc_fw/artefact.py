# SPDX-License-Identifier: Apache-2.0
"""Takes TMS artefacts out of the ECG on the device: the bit-exact viper twin of ``native/src/hbc_artefact.c``.

The manual is ``native/include/hbc_artefact.h``.  The state is the C struct itself, word for word, where it stands in
the detector's: every function takes the state of ``hbc_fw.detector``.  The smaller C functions stand where they are
called, under their names, as a call costs more than they do; that makes ``artefact_push`` longer than the house rules.

Both widths of viper int agree because no intermediate leaves int32 (bounds in the header) and signed words are loaded
as ``(word ^ k) - k`` with k = 2^31.
"""
# ruff: noqa: F821  (ptr16 and ptr32 are words of the viper compiler)

import micropython
from micropython import const

ECG = const(0)
PULSE = const(1)
OFF = const(2)

_OFFSET_MAX_Q4 = const(16777216)
_EDGE_SHIFT = const(7)
_KNOWN_VISITS = const(5)
_LEARN_SHIFT = const(5)
_FOLLOW_SHIFT = const(5)
_FOLLOWED = const(2)
_VISITS_MAX = const(15)

# Words of the C struct hbc_artefact inside hbc_rpeak.
_LAG_MAX_N = const(313)
_BURST_GAP_N = const(314)
_UNKNOWN_N = const(315)
_RAIL_N = const(316)
_TURN_N = const(317)
_LONG_RAIL_N = const(318)
_DRIFT_MAX_N = const(319)
_AWAKE_N = const(320)
_SECOND_N = const(321)
_LEAK_SHIFT = const(322)
_SINCE_N = const(323)
_LAG_N = const(324)
_WAS_PULSE = const(325)
_PREV_LSB = const(326)
_PREV_LOST = const(327)
_LOW_LSB = const(328)
_HIGH_LSB = const(329)
_AT_EDGE_N = const(330)
_STEEPEST_Q4 = const(331)
_SECOND_LEFT_N = const(332)
_USUAL_Q4 = const(333)
_STEEP_LEFT_N = const(334)
_DRIFT_LEFT_N = const(335)
_DRIFT_Q4 = const(336)
_HOLDING = const(337)
_STEP_KNOWN = const(338)
_OFFSET_Q4 = const(339)
_OUT_Q4 = const(340)
_OUT_LSB = const(341)
_LEARNED = const(342)


def _samples_of(duration_ms, rate_hz):
    return max(1, (duration_ms * rate_hz + 500) // 1000)


def artefact_init(state, rate_hz):
    """Fill the zeroed words as ``hbc_artefact_init`` does; plain Python, not under the clock."""
    state[_LAG_MAX_N] = _samples_of(200, rate_hz)
    state[_BURST_GAP_N] = _samples_of(30, rate_hz)
    state[_UNKNOWN_N] = _samples_of(40, rate_hz)
    state[_RAIL_N] = _samples_of(8, rate_hz)
    state[_TURN_N] = _samples_of(4, rate_hz)
    state[_LONG_RAIL_N] = _samples_of(50, rate_hz)
    state[_DRIFT_MAX_N] = _samples_of(200, rate_hz)
    state[_AWAKE_N] = 3 * rate_hz
    state[_SECOND_N] = rate_hz
    shift = 6
    while rate_hz >> shift > 2:
        shift += 1
    state[_LEAK_SHIFT] = shift
    state[_SINCE_N] = state[_AWAKE_N]
    state[_LAG_N] = state[_LAG_MAX_N]
    state[_LOW_LSB] = 32767
    state[_HIGH_LSB] = -32768
    state[_SECOND_LEFT_N] = rate_hz
    state[_PREV_LOST] = 1


@micropython.viper
def artefact_rest(state, samples, first: int, samples_n: int):
    """What samples_n pushes of ECG do from 3 s after a pulse on, samples[first] the first of them; samples_n >= 1."""
    s = ptr32(state)
    x = ptr16(samples)
    one = 1
    k = one << 31
    low = (int(s[_LOW_LSB]) ^ k) - k
    high = (int(s[_HIGH_LSB]) ^ k) - k
    steepest = int(s[_STEEPEST_Q4]) >> 5  # of halved samples
    left = int(s[_SECOND_LEFT_N])
    sample = (int(s[_PREV_LSB]) ^ k) - k
    if int(s[_PREV_LOST]):
        sample = (int(x[first]) ^ 32768) - 32768
    half = sample >> 1
    i = first
    while i < first + samples_n:
        # scan
        sample = (int(x[i]) ^ 32768) - 32768
        slope = half
        half = sample >> 1
        slope -= half
        if slope < 0:
            slope = 0 - slope
        if slope > steepest:
            steepest = slope
        if sample > high:
            high = sample
        if sample < low:
            low = sample
        left -= 1
        if left == 0:  # end_second
            left = int(s[_SECOND_N])
            usual = int(s[_USUAL_Q4])
            usual -= usual >> 4
            if usual < steepest * 32:
                usual = steepest * 32
            s[_USUAL_Q4] = usual
            steepest = 0
        i += 1
    s[_LOW_LSB] = low
    s[_HIGH_LSB] = high
    s[_STEEPEST_Q4] = steepest * 32
    s[_SECOND_LEFT_N] = left
    s[_WAS_PULSE] = 0
    s[_PREV_LSB] = sample
    s[_PREV_LOST] = 0
    s[_OUT_LSB] = sample
    s[_OUT_Q4] = sample * 16


@micropython.viper
def artefact_push(state, sample: int, kind: int) -> int:
    """Push one sample, cleaned into out_lsb; return 1 when it is held because of a pulse.

    Not for ECG while since_n is awake_n: that goes through ``artefact_rest``.
    """
    s = ptr32(state)
    one = 1
    k = one << 31
    # follow_pulses
    since_n = int(s[_SINCE_N])
    if kind == PULSE:
        if int(s[_WAS_PULSE]) == 0:
            if since_n > int(s[_BURST_GAP_N]):
                s[_LAG_N] = 0
            since_n = 0
        s[_WAS_PULSE] = 1
    else:
        s[_WAS_PULSE] = 0
    if since_n == int(s[_AWAKE_N]):
        s[_PREV_LOST] = 1
        return 0
    lag_n = int(s[_LAG_N])
    prev_lost = int(s[_PREV_LOST])
    usual = int(s[_USUAL_Q4])
    learned = 0
    visits_n = int(_VISITS_MAX)
    in_window = 0
    if lag_n < int(s[_LAG_MAX_N]):
        in_window = 1
        learned = (int(s[_LEARNED + lag_n]) ^ k) - k
        visits_n = learned & 15
        learned = learned >> 4
    slope = (sample - ((int(s[_PREV_LSB]) ^ k) - k)) * 16
    mean = learned
    if visits_n == 1:  # agreed
        if (learned ^ slope) < 0:
            learned = 0
        elif learned < 0:
            if slope > learned:
                learned = slope
        elif slope < learned:
            learned = slope
    remains = slope - learned
    # at_edge
    off = 0
    lost = 0
    if kind > PULSE:
        off = 1
        lost = 1
    else:
        low = (int(s[_LOW_LSB]) ^ k) - k
        high = (int(s[_HIGH_LSB]) ^ k) - k
        if sample > high:
            high = sample
            s[_HIGH_LSB] = high
        if sample < low:
            low = sample
            s[_LOW_LSB] = low
        edge = ((high - low) >> _EDGE_SHIFT) + 1
        if sample >= high - edge or sample <= low + edge:
            lost = 1
    # count_edge
    at_edge_n = (int(s[_AT_EDGE_N]) ^ k) - k
    rail_n = int(s[_RAIL_N])
    if lost:
        if at_edge_n < 0:
            at_edge_n = 1
        elif at_edge_n < int(s[_LONG_RAIL_N]):
            at_edge_n += 1
    elif at_edge_n > 0:
        at_edge_n = 0 - rail_n
    elif at_edge_n < 0:
        at_edge_n += 1
    s[_AT_EDGE_N] = at_edge_n
    on_rail = 0
    if at_edge_n >= rail_n:
        on_rail = 1
    # too_steep
    held = 0
    size = learned
    if size < 0:
        size = 0 - size
    known_and_small = 0
    if visits_n >= _KNOWN_VISITS:
        if size <= usual >> 1:
            known_and_small = 1
    steep = 0
    if size > 4 * usual:
        steep = 1
    size = remains
    if size < 0:
        size = 0 - size
    fits = 1  # as_learned
    if size > usual + (usual >> 1):
        fits = 0
        steep = 1
    if usual == 0:
        steep = 0
    steep_left_n = int(s[_STEEP_LEFT_N])
    if steep:
        s[_STEEP_LEFT_N] = s[_TURN_N]
        held = 1
    elif steep_left_n > 0:
        s[_STEEP_LEFT_N] = steep_left_n - 1
        held = 1
    if on_rail or off:
        held = 1
    elif visits_n == 0 and since_n < int(s[_UNKNOWN_N]):
        held = 1
    elif kind == PULSE and known_and_small == 0:
        held = 1
    # follow_drift
    drift = (int(s[_DRIFT_Q4]) ^ k) - k
    drift_left_n = int(s[_DRIFT_LEFT_N])
    leak_shift = int(s[_LEAK_SHIFT])
    known = 0
    if in_window and visits_n > 0:
        known = 1
        drift = 0
        drift_left_n = 0
    if at_edge_n == int(s[_LONG_RAIL_N]):
        drift_left_n = int(s[_DRIFT_MAX_N])
        drift = 0
    elif known or prev_lost or on_rail:
        pass
    elif drift_left_n == 0:
        if drift > 0:
            drift -= (drift >> (leak_shift - 4)) + 1
        elif drift < 0:
            drift += ((0 - drift) >> (leak_shift - 4)) + 1
    else:
        if drift_left_n == int(s[_DRIFT_MAX_N]):
            drift = remains
        else:
            drift += (remains - drift) >> (leak_shift - 4)
        drift_left_n -= 1
    s[_DRIFT_Q4] = drift
    s[_DRIFT_LEFT_N] = drift_left_n
    # learn
    if in_window and lost == 0 and prev_lost == 0:
        if visits_n > 1:
            shift = int(_LEARN_SHIFT)
            if visits_n < shift:
                shift = visits_n
            mean += (slope - mean) >> shift
        elif visits_n == 0:
            mean = slope
        else:
            mean = learned  # agreed
        if visits_n < _VISITS_MAX:
            s[_LEARNED + lag_n] = mean * 16 + visits_n + 1
        else:
            s[_LEARNED + lag_n] = mean * 16 + visits_n
    # put
    out = (int(s[_OUT_Q4]) ^ k) - k
    holding = int(s[_HOLDING])
    if held and holding == 0:
        s[_HOLDING] = 1
        s[_STEP_KNOWN] = 1
    if at_edge_n != 0 or visits_n < _KNOWN_VISITS:
        s[_STEP_KNOWN] = 0
    follows = 0
    if held and fits:
        follows = int(s[_STEP_KNOWN])
    offset = ((int(s[_OFFSET_Q4]) ^ k) - k) + learned
    if offset > _OFFSET_MAX_Q4:
        offset = int(_OFFSET_MAX_Q4)
    elif offset < 0 - _OFFSET_MAX_Q4:
        offset = 0 - _OFFSET_MAX_Q4
    if held == 0:
        if holding:
            s[_HOLDING] = 0
            if int(s[_STEP_KNOWN]):
                out += (sample * 16 - offset - out) >> 1
            offset = sample * 16 - out
        else:
            offset += drift
            out = sample * 16 - offset
            if offset > 0:  # toward_zero
                offset -= (offset >> leak_shift) + 1
            elif offset < 0:
                offset += ((0 - offset) >> leak_shift) + 1
    elif follows:
        out += (sample * 16 - offset - out) >> (leak_shift - _FOLLOW_SHIFT)
        held = int(_FOLLOWED)
    s[_OFFSET_Q4] = offset
    s[_OUT_Q4] = out
    out = out >> 4
    if out > 32767:
        out = 32767
    elif out < -32768:
        out = -32768
    s[_OUT_LSB] = out
    s[_PREV_LSB] = sample
    s[_PREV_LOST] = lost
    s[_LAG_N] = lag_n + in_window
    since_n += 1
    s[_SINCE_N] = since_n
    if since_n == int(s[_AWAKE_N]):  # fall_asleep
        s[_AT_EDGE_N] = 0
        s[_STEEP_LEFT_N] = 0
        s[_DRIFT_LEFT_N] = 0
        s[_DRIFT_Q4] = 0
        s[_HOLDING] = 0
        s[_OFFSET_Q4] = 0
    return held
