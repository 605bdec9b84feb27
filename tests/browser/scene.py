"""A session as its feed tells it, without a box: the real feed, and a story that a test steers.

The heart is a train of Gaussian waves; nothing here is measured, it only has to look and arrive as a session does.
"""

from __future__ import annotations

import itertools
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from hbc_host.live.feed import Command, Feed

NUMBERS = itertools.count(14)
RATE_HZ = 500
BLOCK_S = 0.05
STEPS_PCT = [20.0, 26.0, 32.0, 38.0, 44.0]
SITES = ["5CM-L", "BF3-L"]
WAVES = ((-0.18, 0.025, 0.12), (-0.025, 0.008, -0.1), (0.0, 0.009, 1.1), (0.03, 0.01, -0.22), (0.27, 0.05, 0.28))


def hello(name: str, language: str) -> dict[str, Any]:
    trains = [{"intensity_mso_pct": pct, "pulses_n": 50} for pct in STEPS_PCT]
    sites = [{"name": name, "control": name == SITES[1], "trains": trains} for name in SITES]
    session = {
        "pseudonym": name, "protocol": "dash", "operator": "AB", "supervisor": "CD", "second_person": "EF",
        "language": language, "sites": sites, "rest_s": [180.0, 60.0], "caps": {}, "signed_by": "CD",
    }  # fmt: skip
    box = {"unique_id": "24dcc3a1b2c4", "board": "ESP32", "firmware": "0.1.0"}
    return {"kind": "hello", "session": session, "box": box, "rate_hz": RATE_HZ}


def coupling(site: str, steps_n: int, *, final: bool = False) -> dict[str, Any]:
    lag_s = np.arange(-2.0, 12.1, 0.5)
    bpm = -3.0 * np.clip(lag_s, 0.0, None) * np.exp(-np.clip(lag_s, 0.0, None) / 4.0) / 1.47
    steps = [
        {"intensity_pct": pct, "effect_bpm": 0.8 * k - 0.4, "ci90_bpm": [0.8 * k - 1.6, 0.8 * k + 0.8]}
        for k, pct in enumerate(STEPS_PCT[:steps_n])
    ]
    curve = {
        "lag_s": lag_s.tolist(),
        "bpm": bpm.tolist(),
        "low_bpm": (bpm - 1).tolist(),
        "high_bpm": (bpm + 1).tolist(),
    }
    return {
        "kind": "coupling", "site": site, "trains_n": steps_n, "effect_bpm": 2.1, "ci90_bpm": [0.9, 3.4],
        "p_value": 0.012, "verdict": "coupled", "reasons": [], "steps": steps, "mean_response": curve,
        "enough": steps_n >= 4, "final": final,
    }  # fmt: skip


class Scene:
    """A story under way: paced in real time by a thread of its own while used as a context.

    Attributes
    ----------
    name : str
        Pseudonym of its patient; no two scenes have the same.
    state : dict
        What the next state messages say; a test changes it.
    done : list of (str, dict)
        What pages asked for.
    told_s : dict
        Wall time at which each beat was published, by its ``at_s``.
    """

    def __init__(self, folder: Path, language: str = "en", *, rate_bpm: float = 66.0, has_box: bool = True) -> None:
        self.name = f"P-{next(NUMBERS):03d}"
        self.feed = Feed(folder)
        self.language, self.rr_s, self.has_box = language, 60.0 / rate_bpm, has_box
        self.done: list[tuple[str, dict[str, Any]]] = []
        self.told_s: dict[float, float] = {}
        self.blanked = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.now_s = 100.0
        self.state: dict[str, Any] = {
            "phase": "rest", "site_idx": 0, "site": SITES[0], "step_k": 0, "steps_n": 5, "train_k": 0, "trains_n": 5,
            "next_train_s": None, "rest_left_s": 42.0, "intensity_mso_pct": 20.0, "pulses_delivered_n": 0,
            "pulses_planned_n": 500, "problems": [], "alarms": [], "dropped_n": 0,
        }  # fmt: skip

    def __enter__(self) -> Scene:
        self.feed.__enter__()
        self.feed.publish(hello(self.name, self.language))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.feed.__exit__(None, None, None)

    def tell_state(self) -> None:
        box = {
            "connected": self.has_box, "leads": "on", "signal_state": "good", "lost_frames_n": 0, "gaps_n": 0,
            "drift_ppm": 3.2, "last_trigger_s": self.now_s - 2.0 if self.has_box else None,
            "last_beat_s": self.now_s, "disk_left_s": 90000.0,
        }  # fmt: skip
        self.feed.publish({"kind": "state", "now_s": self.now_s if self.has_box else None, "box": box, **self.state})

    def alarm(self, kind: str = "slow", measured: float = 38.0, limit: float = 45.0) -> None:
        """Raise an alarm."""
        one = {"id": f"{kind}-{len(self.state['alarms'])}", "kind": kind, "text": kind, "at_s": self.now_s}
        one |= {"measured": measured, "limit": limit, "unit": "bpm", "over": False, "acknowledged_by": None}
        self.state["alarms"] = [*self.state["alarms"], one]
        self.tell_state()

    def train(self, pulses_n: int = 20) -> None:
        """Pulses at 10 Hz from now, all told at once."""
        for k in range(pulses_n):
            self.feed.publish({"kind": "pulse", "at_s": self.now_s + 0.1 * k})

    def _run(self) -> None:
        begun_s, start_s, k = time.monotonic(), self.now_s, 0
        beat_s = start_s + 0.5
        while not self._stop.is_set():
            self._answer()
            if self.has_box:
                self._ecg(start_s + k * BLOCK_S)
            k += 1
            self.now_s = start_s + k * BLOCK_S
            if self.has_box and self.now_s > beat_s + 0.2:
                self._beat(beat_s)
                beat_s += self.rr_s
            if k % 5 == 0:
                self.tell_state()
            time.sleep(max(0.0, begun_s + k * BLOCK_S - time.monotonic()))

    def _ecg(self, first_s: float) -> None:
        t = first_s + np.arange(round(BLOCK_S * RATE_HZ)) / RATE_HZ
        phase = (t - 100.5 + self.rr_s / 2) % self.rr_s - self.rr_s / 2
        mv = sum(size * np.exp(-0.5 * ((phase - at) / width) ** 2) for at, width, size in WAVES)
        mv = mv + sum(size * np.exp(-0.5 * ((phase + self.rr_s - at) / width) ** 2) for at, width, size in WAVES)
        blanked = [int(self.blanked)] * t.size
        self.feed.publish(
            {"kind": "ecg", "first_s": first_s, "rate_hz": RATE_HZ, "mv": np.round(mv, 3).tolist(), "blanked": blanked}
        )

    def _beat(self, at_s: float) -> None:
        self.told_s[round(at_s, 3)] = time.time()
        beat = {
            "at_s": round(at_s, 3),
            "rr_ms": 1000 * self.rr_s,
            "rate_bpm": 60 / self.rr_s,
            "quality": 240,
            "counted": True,
        }
        self.feed.publish({"kind": "beat", **beat})

    def _answer(self) -> None:
        while not self.feed.commands.empty():
            command: Command = self.feed.commands.get()
            self.done.append((command.do, command.fields))
            if command.do == "acknowledge":
                for alarm in self.state["alarms"]:
                    if alarm["id"] == command.fields["alarm"]:
                        alarm["acknowledged_by"] = command.fields["by"]
            command.answer(True, "")
            self.tell_state()
