"""WFDB (PhysioNet): signal in 16-bit counts, missing samples as the format's own gap, events as annotations."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from hbc_host.errors import InputError
from hbc_host.exchange.content import BEAT, GAP, PULSE, TRAIN, Content, Event
from hbc_host.exchange.edf import annotation_of
from hbc_host.io.wfdb_record import quiet_wfdb

INVALID = -32768  # of format 16: readers make NaN of it
SYMBOLS = {BEAT: "N", PULSE: '"', TRAIN: '"', GAP: "~"}


def write_wfdb(content: Content, folder: Path) -> None:
    """Write ``NAME.hea``, ``NAME.dat`` and ``NAME.atr``.

    Beats are N, a pulse is a note ``TMS``, a train a note with its site; ``~`` begins a gap, how long is in its note.

    Raises
    ------
    InputError
        There is no event to annotate: the format has no empty annotation file.
    """
    if not content.events:
        raise InputError(f"{content.name}: no beat, pulse or gap, and a WFDB annotation needs one; export csv instead")
    counts = np.where(content.missing, INVALID, np.maximum(content.ecg_lsb, INVALID + 1)).astype(np.int64)
    comments = [f"provenance {json.dumps(content.provenance)}", f"subject {content.subject}"]
    if content.practice:
        comments.insert(0, content.practice)
    if content.protocol:
        comments.append(f"protocol {content.protocol}")
    started = content.started
    with quiet_wfdb() as wfdb:
        wfdb.wrsamp(
            content.name,
            fs=content.rate_hz,
            units=["mV"],
            sig_name=["ECG"],
            d_signal=counts[:, None],
            fmt=["16"],
            adc_gain=[1.0 / content.mv_per_lsb],
            baseline=[0],
            comments=comments,
            base_datetime=None if started is None else started.replace(tzinfo=None, microsecond=0),
            write_dir=str(folder),
        )
        wfdb.wrann(
            content.name,
            "atr",
            np.array([sample_of(event, content) for event in content.events], np.int64),
            symbol=[SYMBOLS[event.kind] for event in content.events],
            aux_note=[_note(event) for event in content.events],
            fs=content.rate_hz,
            write_dir=str(folder),
        )


def sample_of(event: Event, content: Content) -> int:
    """The sample nearest to an event."""
    return min(max(0, round(event.onset_s * content.rate_hz)), content.ecg_lsb.size - 1)


def _note(event: Event) -> str:
    if event.kind == BEAT:
        return ""
    return f"gap {event.duration_s:.3f} s" if event.kind == GAP else annotation_of(event).text
