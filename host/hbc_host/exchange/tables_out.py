"""CSV, RR text and Parquet: tables that any program reads."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from hbc_host.errors import InputError
from hbc_host.exchange.content import BEAT, GAP, PULSE, TRAIN, Content, Event
from hbc_host.exchange.out_files import json_text, number
from hbc_host.manifest import file_sha256

PIP = "pip install 'hbc-box[cohort]'"


def rr_ms_of(content: Content) -> tuple[list[float], int]:
    """Intervals between neighbouring beats, milliseconds, NaN across a gap; and how many are across one."""
    beats_s = [event.onset_s for event in content.of_kind(BEAT)]
    gaps = [(gap.onset_s, gap.onset_s + gap.duration_s) for gap in content.of_kind(GAP)]
    starts = np.array([start for start, _ in gaps])
    ends = np.array([end for _, end in gaps])
    rr_ms = []
    for before_s, at_s in pairwise(beats_s):
        crossed = bool(np.any((starts < at_s) & (ends > before_s)))
        rr_ms.append(float("nan") if crossed else 1e3 * (at_s - before_s))
    return rr_ms, int(np.isnan(rr_ms).sum())


def write_rr(content: Content, folder: Path) -> None:
    """Write ``NAME_rr.txt``, one interval a line in milliseconds as Kubios reads it, and ``NAME.json`` beside it.

    Raises
    ------
    InputError
        There are fewer than two beats without a gap between.
    """
    rr_ms, left_out_n = rr_ms_of(content)
    kept = [value for value in rr_ms if value == value]
    if not kept:
        raise InputError(f"{content.name}: no interval between two beats without a gap; look at it with hbc detect")
    (folder / f"{content.name}_rr.txt").write_text("".join(f"{value:.3f}\n" for value in kept), "utf-8")
    _write_card(content, folder, {"rr_n": len(kept), "rr_left_out_across_gaps_n": left_out_n, "unit": "ms"})


def write_csv(content: Content, folder: Path) -> None:
    """Write ``_ecg``, ``_beats``, ``_triggers``, ``_trains`` and ``_gaps`` tables; seconds from the first sample.

    ``hbc analyze NAME_beats.csv NAME_triggers.csv`` reads them.
    """
    kept = ~content.missing[content.sample_grid_idx]
    place = content.sample_grid_idx[kept]
    mv = content.ecg_lsb[place] * content.mv_per_lsb
    rows = zip(content.sample_s[kept].tolist(), mv.tolist(), content.blanked[place].tolist(), strict=True)
    _write(folder / f"{content.name}_ecg.csv", "time_s,ecg_mv,blanked",
           (f"{at:.6f},{number(value)},{int(blanked)}" for at, value, blanked in rows))  # fmt: skip
    rr_ms, _ = rr_ms_of(content)
    beats = zip(content.of_kind(BEAT), [float("nan"), *rr_ms], strict=False)
    _write(folder / f"{content.name}_beats.csv", "time_s,rr_ms,quality",
           (f"{beat.onset_s:.6f},{number(rr, 3)},{beat.quality}" for beat, rr in beats))  # fmt: skip
    _write(folder / f"{content.name}_triggers.csv", "time_s,site,intensity_pct",
           (f"{pulse.onset_s:.7f},{_plan(pulse)}" for pulse in content.of_kind(PULSE)))  # fmt: skip
    trains = (f"{train.onset_s:.7f},{train.duration_s:.7f},{_plan(train)}" for train in content.of_kind(TRAIN))
    _write(folder / f"{content.name}_trains.csv", "onset_s,duration_s,site,intensity_pct", trains)
    _write(folder / f"{content.name}_gaps.csv", "start_s,duration_s",
           (f"{gap.onset_s:.6f},{gap.duration_s:.6f}" for gap in content.of_kind(GAP)))  # fmt: skip
    _write_card(content, folder, {"rate_hz": content.rate_hz})


def _plan(event: Event) -> str:
    return f"{event.site},{'' if event.intensity_pct is None else number(event.intensity_pct)}"


def _write(path: Path, head: str, lines: Any) -> None:
    path.write_text("\n".join([head, *lines, ""]), "utf-8")


def card(content: Content) -> dict[str, Any]:
    """What a reader of bare tables must know: who, when, by what protocol, from where."""
    return {
        **({"practice": content.practice} if content.practice else {}),
        "subject": content.subject,
        "visit": content.visit_n,
        "started": None if content.started is None else content.started.isoformat(),
        "protocol": content.protocol,
        "times": "seconds of the box's clock from place 0 of the sampling grid"
        if content.rate_hz
        else "seconds from the beginning of the recording",
        "provenance": content.provenance,
    }


def _write_card(content: Content, folder: Path, more: dict[str, Any]) -> None:
    """``NAME.json``: the card, and the hash of each file that it belongs to."""
    files = {path.name: file_sha256(path) for path in sorted(folder.glob(f"{content.name}_*"))}
    (folder / f"{content.name}.json").write_text(json_text({**card(content), **more, "sha256": files}), "utf-8")


def write_parquet(content: Content, folder: Path) -> None:
    """Write ``NAME_samples.parquet`` and ``NAME_events.parquet``; the card stands in the metadata under ``hbc``.

    Raises
    ------
    InputError
        pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise InputError(f"Parquet needs pyarrow, which is not installed; {PIP}") from None
    kept = ~content.missing[content.sample_grid_idx]
    place = content.sample_grid_idx[kept]
    samples = {
        "time_s": content.sample_s[kept],
        "ecg_mv": content.ecg_lsb[place] * content.mv_per_lsb,
        "ecg_lsb": content.ecg_lsb[place],
        "blanked": content.blanked[place],
    }
    events = {
        "onset_s": pa.array([event.onset_s for event in content.events], pa.float64()),
        "duration_s": pa.array([event.duration_s for event in content.events], pa.float64()),
        "kind": pa.array([event.kind for event in content.events], pa.string()),
        "site": pa.array([event.site or None for event in content.events], pa.string()),
        "intensity_pct": pa.array([event.intensity_pct for event in content.events], pa.float64()),
        "quality": pa.array([event.quality for event in content.events], pa.uint8()),
    }
    for what, columns in (("samples", samples), ("events", events)):
        table = pa.table({"recording": pa.array([content.name] * len(columns[next(iter(columns))])), **columns})
        table = table.replace_schema_metadata({"hbc": json.dumps(card(content))})
        pq.write_table(table, folder / f"{content.name}_{what}.parquet", compression="zstd")
