"""False alarms on annotated beats of real recordings, ectopic beats and all: how many an hour.

    python tests/study/alarm_false.py            (recordings: HBC_SHARED, else ../shared/data/mitdb)

Each annotated beat is told 0.3 s after it happened, as the box does; every beat is known, so each alarm is due to the
criteria and not to the detector.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import wfdb
from hbc_host.alarms import PAUSE, SLOW, AlarmCriteria, AlarmMonitor
from hbc_wire import messages

BEATS = set("NLRBAaJSVrFejnE/fQ?")
BLOCK_US = 50_000
HELLO = {"wire_version": messages.WIRE_VERSION, "rate_hz": 500, "unique_id": "x"}


def make(message: Any, **known: Any) -> Any:
    empty = {"s": "", "a": ()}
    return message.make(*[known.get(n, empty.get(c, 0)) for n, c in zip(message.names, message.codes, strict=True)])


def alarms_of(beats_us: list[int]) -> dict[str, int]:
    """Alarms of each kind that began."""
    monitor = AlarmMonitor(AlarmCriteria())
    monitor.take(make(messages.Hello, **HELLO))
    counts = {PAUSE: 0, SLOW: 0}
    n = 0
    for k in range(beats_us[-1] // BLOCK_US):
        began = []
        while n < len(beats_us) and beats_us[n] + 300_000 <= (k + 1) * BLOCK_US:
            began += monitor.take(make(messages.RPeak, peak_n=n, peak_us=beats_us[n]))
            n += 1
        began += monitor.take(make(messages.EcgBlock, first_idx=k * 25, first_us=k * BLOCK_US, ecg_lsb=(0,) * 25))
        for alarm in began:
            counts[alarm.kind] += alarm.began
    return counts


def main() -> int:
    shared = Path(os.environ.get("HBC_SHARED", Path(__file__).resolve().parents[3] / "shared"))
    hours = slow_n = pause_n = 0.0
    for header in sorted((shared / "data" / "mitdb").glob("*.hea")):
        marks = wfdb.rdann(str(header.with_suffix("")), "atr")
        at = [int(s * 1e6 / marks.fs) for s, kind in zip(marks.sample, marks.symbol, strict=True) if kind in BEATS]
        ectopic_n = sum(kind in BEATS and kind not in "NLR/f" for kind in marks.symbol)
        counts = alarms_of(at)
        hours += at[-1] / 3.6e9
        slow_n, pause_n = slow_n + counts[SLOW], pause_n + counts[PAUSE]
        print(f"{header.stem}: {len(at)} beats, {ectopic_n} ectopic, slow {counts[SLOW]}, pause {counts[PAUSE]}")
    if not hours:
        print("no recordings found", file=sys.stderr)
        return 1
    print(f"{hours:.1f} h: slow {slow_n / hours:.2f} an hour, pause {pause_n / hours:.2f} an hour")
    return 0


if __name__ == "__main__":
    sys.exit(main())
