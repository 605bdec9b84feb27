# SPDX-License-Identifier: Apache-2.0
"""Takes TMS artefacts out of the ECG on the device: the bit-exact viper twin of ``native/src/hbc_artefact.c``.

The manual is ``native/include/hbc_artefact.h``.  The state is the C struct itself, word for word; ``push`` is
hbc_artefact_push with the smaller C functions where they are called, as a call costs more than they do.

Both widths of viper int agree because no intermediate leaves int32 (bounds in the header) and signed words are loaded
as ``(word ^ k) - k`` with k = 2^31.
"""
# ruff: noqa: F821  (ptr32 is a word of the viper compiler)

from array import array

import micropython
from micropython import const

ECG = const(0)
PULSE = const(1)
OFF = const(2)

_OFFSET_MAX_Q4 = const(16777216)
_EDGE_SHIFT = const(7)
_KNOWN_VISITS = const(7)
_LEARN_SHIFT = const(5)
_VISITS_MAX = const(15)

# Words of the C struct hbc_artefact.
_LAG_MAX_N = const(0)
_BURST_GAP_N = const(1)
_UNKNOWN_N = const(2)
_RAIL_N = const(3)
_TURN_N = const(4)
_LONG_RAIL_N = const(5)
_DRIFT_MAX_N = const(6)
_AWAKE_N = const(7)
_SECOND_N = const(8)
_LEAK_SHIFT = const(9)
_SINCE_N = const(10)
_LAG_N = const(11)
_WAS_PULSE = const(12)
_PREV_LSB = const(13)
_PREV_LOST = const(14)
_LOW_LSB = const(15)
_HIGH_LSB = const(16)
_AT_EDGE_N = const(17)
_STEEPEST_Q4 = const(18)
_SECOND_LEFT_N = const(19)
_USUAL_Q4 = const(20)
_STEEP_LEFT_N = const(21)
_DRIFT_LEFT_N = const(22)
_DRIFT_Q4 = const(23)
_HOLDING = const(24)
_STEP_KNOWN = const(25)
_OFFSET_Q4 = const(26)
_OUT_Q4 = const(27)
_OUT_LSB = const(28)
_LEARNED = const(29)
_WORDS_N = const(229)


def _samples_of(duration_ms, rate_hz):
    return max(1, (duration_ms * rate_hz + 500) // 1000)


def _init(state, rate_hz):
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
def _at_edge(state, sample: int) -> int:
    s = ptr32(state)
    one = 1
    k = one << 31
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
        return 1
    return 0


@micropython.viper
def _rest(state, sample: int):
    """hbc_artefact_rest of one sample."""
    s = ptr32(state)
    one = 1
    k = one << 31
    slope = 0
    if int(s[_PREV_LOST]) == 0:
        slope = (sample - ((int(s[_PREV_LSB]) ^ k) - k)) * 16
        if slope < 0:
            slope = 0 - slope
    if slope > int(s[_STEEPEST_Q4]):
        s[_STEEPEST_Q4] = slope
    left = int(s[_SECOND_LEFT_N]) - 1
    if left == 0:
        left = int(s[_SECOND_N])
        usual = int(s[_USUAL_Q4])
        usual -= usual >> 4
        if usual < int(s[_STEEPEST_Q4]):
            usual = int(s[_STEEPEST_Q4])
        s[_USUAL_Q4] = usual
        s[_STEEPEST_Q4] = 0
    s[_SECOND_LEFT_N] = left
    if sample > (int(s[_HIGH_LSB]) ^ k) - k:
        s[_HIGH_LSB] = sample
    if sample < (int(s[_LOW_LSB]) ^ k) - k:
        s[_LOW_LSB] = sample
    s[_PREV_LSB] = sample
    s[_PREV_LOST] = 0
    s[_OUT_LSB] = sample
    s[_OUT_Q4] = sample * 16


@micropython.viper
def _toward_zero(value: int, shift: int) -> int:
    if value > 0:
        return value - (value >> shift) - 1
    if value < 0:
        return value + ((0 - value) >> shift) + 1
    return 0


@micropython.viper
def _learn(state, slope: int):
    s = ptr32(state)
    one = 1
    k = one << 31
    at = _LEARNED + int(s[_LAG_N])
    word = (int(s[at]) ^ k) - k
    mean = word >> 4
    visits_n = word & 15
    if visits_n == 0:
        mean = slope
    elif visits_n > 1:
        shift = _LEARN_SHIFT
        if visits_n < shift:
            shift = visits_n
        mean += (slope - mean) >> shift
    elif (mean ^ slope) < 0:  # of opposite sign
        mean = 0
    elif mean < 0:
        if slope > mean:
            mean = slope
    elif slope < mean:
        mean = slope
    if visits_n < _VISITS_MAX:
        visits_n += 1
    s[at] = mean * 16 + visits_n


@micropython.viper
def _too_steep(state, remains: int, learned: int) -> int:
    s = ptr32(state)
    limit = int(s[_USUAL_Q4])
    limit += limit >> 1
    if limit > 0:
        if remains > limit or remains < 0 - limit or learned > limit or learned < 0 - limit:
            s[_STEEP_LEFT_N] = s[_TURN_N]
            return 1
    left = int(s[_STEEP_LEFT_N])
    if left > 0:
        s[_STEEP_LEFT_N] = left - 1
        return 1
    return 0


@micropython.viper
def _follow_drift(state, remains: int, in_window: int):
    s = ptr32(state)
    one = 1
    k = one << 31
    drift = (int(s[_DRIFT_Q4]) ^ k) - k
    left = int(s[_DRIFT_LEFT_N])
    at_edge_n = int(s[_AT_EDGE_N])
    rail_n = int(s[_RAIL_N])
    shift = int(s[_LEAK_SHIFT]) - 4
    if in_window:
        drift = 0
        if at_edge_n < rail_n:
            left = 0
    if at_edge_n == int(s[_LONG_RAIL_N]):
        left = int(s[_DRIFT_MAX_N])
        drift = 0
    elif in_window or int(s[_PREV_LOST]) or at_edge_n >= rail_n:
        pass
    elif left == 0:
        drift = int(_toward_zero(drift, shift))
    elif left == int(s[_DRIFT_MAX_N]):
        drift = remains
        left -= 1
    else:
        drift += (remains - drift) >> shift
        left -= 1
    s[_DRIFT_Q4] = drift
    s[_DRIFT_LEFT_N] = left


@micropython.viper
def _put(state, sample: int, learned: int, held: int, doubtful: int):
    s = ptr32(state)
    one = 1
    k = one << 31
    in_q4 = sample * 16
    out = (int(s[_OUT_Q4]) ^ k) - k
    if held and int(s[_HOLDING]) == 0:
        s[_HOLDING] = 1
        s[_STEP_KNOWN] = 1
    if doubtful:
        s[_STEP_KNOWN] = 0
    offset = ((int(s[_OFFSET_Q4]) ^ k) - k) + learned
    if offset > _OFFSET_MAX_Q4:
        offset = _OFFSET_MAX_Q4
    elif offset < 0 - _OFFSET_MAX_Q4:
        offset = 0 - _OFFSET_MAX_Q4
    if held == 0:
        if int(s[_HOLDING]):
            s[_HOLDING] = 0
            if int(s[_STEP_KNOWN]):
                out = in_q4 - offset
            offset = in_q4 - out
        else:
            offset += (int(s[_DRIFT_Q4]) ^ k) - k
            out = in_q4 - offset
            offset = int(_toward_zero(offset, int(s[_LEAK_SHIFT])))
    s[_OFFSET_Q4] = offset
    s[_OUT_Q4] = out
    out = out >> 4
    if out > 32767:
        out = 32767
    elif out < -32768:
        out = -32768
    s[_OUT_LSB] = out


@micropython.viper
def push(state, sample: int, kind: int) -> int:
    """Push one sample; the cleaned one is word 28 of the state.  Return 1 when it is held because of a pulse."""
    s = ptr32(state)
    one = 1
    k = one << 31
    # follow_pulses
    if kind == PULSE:
        if int(s[_WAS_PULSE]) == 0:
            if int(s[_SINCE_N]) > int(s[_BURST_GAP_N]):
                s[_LAG_N] = 0
            s[_SINCE_N] = 0
        s[_WAS_PULSE] = 1
    else:
        s[_WAS_PULSE] = 0
    since_n = int(s[_SINCE_N])
    if since_n == int(s[_AWAKE_N]):
        if kind == ECG:
            _rest(state, sample)
        else:
            s[_PREV_LOST] = 1
        return 0
    lag_n = int(s[_LAG_N])
    learned = 0
    visits_n = _VISITS_MAX
    in_window = 0
    if lag_n < int(s[_LAG_MAX_N]):
        in_window = 1
        learned = (int(s[_LEARNED + lag_n]) ^ k) - k
        visits_n = learned & 15
        learned = learned >> 4
    slope = (sample - ((int(s[_PREV_LSB]) ^ k) - k)) * 16
    off = 0
    if kind != ECG and kind != PULSE:
        off = 1
    lost = off
    if lost == 0:
        lost = int(_at_edge(state, sample))
    if lost == 0:
        s[_AT_EDGE_N] = 0
    elif int(s[_AT_EDGE_N]) < int(s[_LONG_RAIL_N]):
        s[_AT_EDGE_N] = int(s[_AT_EDGE_N]) + 1
    held = int(_too_steep(state, slope - learned, learned))
    if off or int(s[_AT_EDGE_N]) >= int(s[_RAIL_N]):
        held = 1
    elif visits_n == 0 and since_n < int(s[_UNKNOWN_N]):
        held = 1
    elif kind == PULSE:
        small = int(s[_USUAL_Q4]) >> 1
        if visits_n < _KNOWN_VISITS or learned > small or learned < 0 - small:
            held = 1
    _follow_drift(state, slope - learned, in_window)
    if in_window and lost == 0 and int(s[_PREV_LOST]) == 0:
        _learn(state, slope)
    doubtful = lost
    if visits_n < _KNOWN_VISITS:
        doubtful = 1
    _put(state, sample, learned, held, doubtful)
    s[_PREV_LSB] = sample
    s[_PREV_LOST] = lost
    s[_LAG_N] = lag_n + in_window
    s[_SINCE_N] = since_n + 1
    if since_n + 1 == int(s[_AWAKE_N]):  # fall_asleep
        s[_AT_EDGE_N] = 0
        s[_STEEP_LEFT_N] = 0
        s[_DRIFT_LEFT_N] = 0
        s[_DRIFT_Q4] = 0
        s[_HOLDING] = 0
        s[_OFFSET_Q4] = 0
    return held


class ArtefactFilter:
    """TMS artefact filter for one ECG channel at 100..1000 Hz; allocates nothing after it is made."""

    def __init__(self, rate_hz):
        self.state = array("i", bytes(4 * _WORDS_N))
        self._rate_hz = rate_hz
        _init(self.state, rate_hz)

    @property
    def out_lsb(self):
        """The cleaned sample of the last push."""
        return self.state[_OUT_LSB]

    def push(self, sample_lsb, kind):
        """Push one sample (ECG, PULSE or OFF); return 1 when the output is held because of a pulse."""
        return push(self.state, sample_lsb, kind)

    def reset(self):
        """Forget everything, as after power-up."""
        for i in range(_WORDS_N):
            self.state[i] = 0
        _init(self.state, self._rate_hz)
