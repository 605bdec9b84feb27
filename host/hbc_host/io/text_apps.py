"""Text files of apps that are known by their headings: Polar Sensor Logger, HRV Logger, OpenBCI GUI.

What is known of them, and from where:

* Polar Sensor Logger: ``Phone timestamp;sensor timestamp [ns];timestamp [ms];ecg [uV]`` and ``Phone timestamp;
  RR-interval [ms]``; the sensor's stamps are nanoseconds since 2000-01-01 (its page in the app store; headings as in
  public captures). A Polar H10 samples at nominally 130 Hz; the stamps tell its own rate.
* HRV Logger: ``date,rr,since start`` with milliseconds
  (https://rrational.readthedocs.io/en/latest/user-guide/data-formats/).
* OpenBCI GUI 5 and newer: ``%OpenBCI Raw EXG Data``, ``%Sample Rate = 250 Hz``, a line of channel names, values in
  microvolts (https://docs.openbci.com/Software/OpenBCISoftware/GUIDocs/; ``DataWriterODF.pde`` of the GUI). Cyton
  counts its samples to 255 and begins again (https://docs.openbci.com/Cyton/CytonDataFormat/).
"""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from hbc_host.errors import InputError
from hbc_host.io.compose import Roles, ecg_recording, recording_of, with_choices
from hbc_host.io.levels import rising_edges
from hbc_host.io.limits import check_samples
from hbc_host.io.recording import ReadOptions, Recording
from hbc_host.io.table import Table
from hbc_host.io.units import millivolts_in

FloatArray = npt.NDArray[np.float64]

POLAR_HZ = 130.0
_OPENBCI_RATE = re.compile(r"%\s*Sample Rate\s*=\s*([0-9.]+)\s*Hz", re.IGNORECASE)
COUNTER_END = 256  # the Cyton's counter is one byte


def read_polar_ecg(table: Table, options: ReadOptions) -> Recording:
    """ECG of Polar Sensor Logger: the sensor's own stamps give rate and gaps; without them 130 Hz is assumed."""
    names = [heading.lower() for heading in table.layout.headings]
    ecg_idx = next(at for at, name in enumerate(names) if name.startswith("ecg"))
    stamp_idx = next((at for at, name in enumerate(names) if name.startswith("sensor timestamp")), None)
    columns = {"ecg": ecg_idx} | ({} if stamp_idx is None else {"time": stamp_idx})
    rate_hz, notes = POLAR_HZ, ("a Polar strap samples at nominally 130 Hz",)
    roles = with_choices(table, Roles(columns, {}, rate_hz, notes), options)
    return recording_of(table, roles, options, "polar_ecg")


def read_polar_rr(table: Table, options: ReadOptions) -> Recording:
    """RR intervals of Polar Sensor Logger; the phone's stamps show where beats are lost."""
    names = [heading.lower() for heading in table.layout.headings]
    rr_idx = next(at for at, name in enumerate(names) if name.startswith("rr-interval"))
    roles = with_choices(table, Roles({"rr": rr_idx, "time": 0}), options)
    return recording_of(table, roles, options, "polar_rr")


def read_hrv_logger(table: Table, options: ReadOptions) -> Recording:
    """RR intervals of HRV Logger, milliseconds; the column ``since start`` shows where beats are lost."""
    columns, units = {"rr": table.find("rr")}, {"rr": "ms"}
    if "since start" in table.names:
        columns, units = columns | {"time": table.find("since start")}, units | {"time": "ms"}
    notes = ("HRV Logger writes intervals in ms",)
    return recording_of(table, with_choices(table, Roles(columns, units, notes=notes), options), options, "hrv_logger")


def read_openbci(table: Table, options: ReadOptions) -> Recording:
    """One ECG channel of a raw file of the OpenBCI GUI, with its marker channel or a digital input as triggers.

    Raises
    ------
    InputError
        If the header has no rate or no channel names (GUI 4 and older), or lost samples cannot be counted.
    """
    rate = next((found for line in table.layout.comments if (found := _OPENBCI_RATE.search(line))), None)
    if rate is None:
        raise InputError(f"{table.path}: the header has no '%Sample Rate = ... Hz'; record with OpenBCI GUI 5 or newer")
    if not table.layout.headings:
        raise InputError(
            f"{table.path}: the header has no channel names, as before OpenBCI GUI 5; "
            "open it in a newer GUI and save it again"
        )
    rate_hz = float(rate[1]) if rate[1].count(".") < 2 else 0.0
    roles, notes = _openbci_roles(table, options)
    wanted = list(dict.fromkeys(roles.columns.values()))
    counter_idx = next((at for at, name in enumerate(table.names) if name == "sample index"), None)
    arrays, more = table.numbers(wanted + ([] if counter_idx is None else [counter_idx]))
    notes = [*table.notes, *notes, *more]
    place, lost = _counted(table, arrays[-1]) if counter_idx is not None else (np.arange(arrays[0].size), [])
    values = dict(zip(wanted, arrays, strict=False))
    from hbc_host.io.ecg_text import check_rate

    rate_hz = check_rate(table.path, rate_hz)
    spread = {at: _spread(column, place) for at, column in values.items()}
    unit = roles.units.get("ecg") or "uv"
    ecg_mv = spread[roles.columns["ecg"]] * millivolts_in(unit, str(table.path))
    ecg, gaps_s = ecg_recording(table.path.stem, ecg_mv, rate_hz, str(table.path))
    triggers_s, source, more_notes = _openbci_triggers(table, roles, spread, rate_hz)
    return Recording(
        table.path.stem, "openbci", ecg, triggers_s=triggers_s, triggers_from=source, gaps_s=gaps_s,
        end_s=ecg.duration_s, units=f"ECG in {unit}, as the OpenBCI GUI writes it",
        clock="sample count of the board at its nominal rate", notes=(*notes, *lost, *more_notes),
    )  # fmt: skip


def _openbci_roles(table: Table, options: ReadOptions) -> tuple[Roles, list[str]]:
    names = list(table.names)
    exg = [at for at, name in enumerate(names) if name.startswith("exg channel")]
    digital = [at for at, name in enumerate(names) if name.startswith("digital channel")]
    marker = next((at for at, name in enumerate(names) if name == "marker channel"), None)
    notes: list[str] = []
    columns: dict[str, int] = {}
    if exg:
        columns["ecg"] = exg[0]
        if "ecg" not in options.choices and len(exg) > 1:
            notes.append(f"{len(exg)} channels; {table.shown(exg[0])} is taken as the ECG, choose with --map ecg=NAME")
    if marker is not None:
        columns["trigger"] = marker
    if "trigger" not in options.choices:
        columns |= {f"digital {at}": at for at in digital}
    roles = with_choices(table, Roles(columns), options)
    if "ecg" not in roles.columns:
        raise InputError(f"{table.path}: has no EXG channel; name the ECG column, for example --map ecg=2:uV")
    return roles, notes


def _openbci_triggers(
    table: Table, roles: Roles, spread: dict[int, FloatArray], rate_hz: float
) -> tuple[FloatArray | None, str, list[str]]:
    """Triggers of the first source that has any: the chosen or the marker channel, then the digital inputs."""
    sources = [at for role, at in roles.columns.items() if role == "trigger" or role.startswith("digital")]
    none_yet = False
    for at in sources:
        edges_idx, notes = rising_edges(np.nan_to_num(spread[at], nan=0.0), table.shown(at))
        none_yet = True
        if edges_idx.size:
            return edges_idx / rate_hz, table.shown(at), [f"triggers are those of {table.shown(at)}", *notes]
    return (np.empty(0), table.shown(sources[0]), ["no trigger in any channel"]) if none_yet else (None, "", [])


def _counted(table: Table, counter: FloatArray) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Place of each sample by the board's counter, which begins again after 255; and a note on what is lost."""
    counts = np.nan_to_num(counter, nan=-1.0).astype(np.int64)
    if counts.size < 2 or counts.min() < 0 or counts.max() >= COUNTER_END:
        return np.arange(counter.size), ["the sample index is no byte counter; lost samples cannot be counted"]
    steps = np.diff(counts) % COUNTER_END
    usual = int(np.bincount(steps).argmax())
    if usual not in (1, 2):  # with the Daisy module every other number
        return np.arange(counter.size), [f"the sample index steps by {usual}; lost samples cannot be counted"]
    # Some boards write 0..199 or 0..254: what the counter loses at each turn is the same, and no loss.
    turn = np.diff(counts) < 0
    turn_n = int(np.bincount(steps[turn]).argmax()) if turn.any() else usual
    jumps = np.where(turn & (steps == turn_n), usual, np.maximum(steps, usual))
    place = np.concatenate(([0], np.cumsum(jumps // usual)))
    check_samples(table.path, float(place[-1]) + 1.0)
    lost_n = int(place[-1]) + 1 - counts.size
    return place, [f"{lost_n} samples are missing by the board's counter"] if lost_n else []


def _spread(values: FloatArray, place: npt.NDArray[np.int64]) -> FloatArray:
    out = np.full(int(place[-1]) + 1 if place.size else 0, np.nan)
    out[place] = values
    return out
