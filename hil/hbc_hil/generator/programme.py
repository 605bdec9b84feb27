# What the generator plays: pulses, and how the pulse unit (RMT) is told of them. Integers only, microseconds.
#
# Runs on the board and on the host: the host needs the commanded times, the board needs durations. No I/O.
#
# A train is either a list of offsets or bursts: burst_n bursts, one every burst_us, of pulses_n pulses every pulse_us.
# Trains follow each other every cycle_us. Faults are part of the programme, so that both sides know of them.
#
# Limits of the pulse unit (ESP-IDF rmt_tx, MicroPython esp32.RMT): a duration has 15 bits, so that at 1 us a tick a
# level that lasts longer is written in pieces; a transmission is one list; between two lists the output idles for as
# long as the software takes. A train is therefore one list where it fits, and cut between two pulses where not.

TICK_US = 1
DURATION_MAX = 32767
DURATIONS_N = 2000  # of one list: 8 KiB of it, and 4 KiB of the driver's symbols
PULSES_MAX_N = 20000  # of one train: all must fit into memory as offsets

FIELDS = (  # name, lowest, highest, what stands for a missing one
    ("burst_us", 1, 1 << 29, 100000),
    ("burst_n", 1, PULSES_MAX_N, 1),
    ("pulses_n", 1, PULSES_MAX_N, 1),
    ("pulse_us", 2, 1 << 29, 20000),
    ("cycle_us", 1000, 1 << 29, 1000000),
    ("trains_n", 0, 1 << 29, 1),
    ("width_us", 1, 1 << 29, 50),
    ("active_high", 0, 1, 1),
    ("bounces_n", 0, 8, 0),  # the contact opens and closes again this often after each pulse has begun
    ("bounce_us", 2, 1 << 20, 40),  # each time for half as long
    ("runt_every", 0, 1 << 29, 0),  # after every so many pulses one of a single microsecond
    ("runt_us", 2, 1 << 29, 7000),  # so long after the pulse began
    ("stuck_train", -1, 1 << 29, -1),  # this train is one long active level instead
)


class ProgrammeError(ValueError):
    """A programme that cannot be played; the text says which field and why."""


def complete(programme):
    """The programme with every field, checked; raises ProgrammeError."""
    known = [name for name, _, _, _ in FIELDS]
    for name in programme:
        if name not in known and name != "offsets_us":
            raise ProgrammeError("a programme has no field %s; it knows offsets_us, %s" % (name, ", ".join(known)))
    full = {"offsets_us": list(programme.get("offsets_us", []))}
    for name, lowest, highest, missing in FIELDS:
        value = programme.get(name, missing)
        if not isinstance(value, int) or not lowest <= value <= highest:
            raise ProgrammeError("%s = %s is outside %d to %d" % (name, value, lowest, highest))
        full[name] = value
    pulses = train_pulses(full, 0)
    if len(pulses) > PULSES_MAX_N:
        raise ProgrammeError("%d pulses a train, %d at most: use several trains" % (len(pulses), PULSES_MAX_N))
    for k in range(1, len(pulses)):
        if pulses[k][0] <= pulses[k - 1][0] + pulses[k - 1][1]:
            raise ProgrammeError("pulse %d begins before the one ahead of it has ended" % k)
    if pulses and pulses[-1][0] + pulses[-1][1] >= full["cycle_us"]:
        raise ProgrammeError("a train is longer than cycle_us = %d" % full["cycle_us"])
    return full


def offsets_of(full):
    """When the pulses of an undisturbed train begin, microseconds after its start."""
    if full["offsets_us"]:
        return full["offsets_us"]
    return [
        b * full["burst_us"] + p * full["pulse_us"] for b in range(full["burst_n"]) for p in range(full["pulses_n"])
    ]


def train_pulses(full, train_n):
    """(start_us, width_us) of every active stretch on the wire in one train, faults included, in order."""
    offsets = offsets_of(full)
    width = full["width_us"]
    if train_n == full["stuck_train"] and offsets:
        return [(offsets[0], offsets[-1] + width - offsets[0])]
    pulses = []
    bounce_us, bounces_n = full["bounce_us"], full["bounces_n"]
    for k in range(len(offsets)):
        at = offsets[k]
        for _ in range(bounces_n):
            pulses.append((at, bounce_us // 2))
            at += bounce_us
        pulses.append((at, width))
        if full["runt_every"] and k % full["runt_every"] == full["runt_every"] - 1:
            pulses.append((offsets[k] + full["runt_us"], 1))
    return pulses


def _pieces(ticks, level, durations, levels):
    # Equal pieces rather than many long ones and a rest that may be zero: a duration of zero ends a transmission.
    pieces_n = (ticks + DURATION_MAX - 1) // DURATION_MAX
    for k in range(pieces_n):
        durations.append(ticks * (k + 1) // pieces_n - ticks * k // pieces_n)
        levels.append(level)


def cut(pulses, active_high):
    """Yield the lists that play these pulses: (start_us, pulses_n, durations, levels).

    start_us is when the first pulse of the list begins. No pulse is ever cut in two.
    """
    durations = []
    levels = []
    start_us = end_us = 0
    pulses_n = 0
    on, off = (1, 0) if active_high else (0, 1)
    for at, width in pulses:
        entries_n = (at - end_us) // DURATION_MAX + width // DURATION_MAX + 2
        if durations and len(durations) + entries_n > DURATIONS_N:
            yield start_us, pulses_n, durations, levels
            durations = []
            levels = []
            pulses_n = 0
        if durations:
            _pieces(at - end_us, off, durations, levels)
        else:
            start_us = at
        _pieces(width, on, durations, levels)
        end_us = at + width
        pulses_n += 1
    if durations:
        yield start_us, pulses_n, durations, levels
