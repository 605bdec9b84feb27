"""How late LSL streams arrive, and how far their time stamps are off: paced simulated box, real port, real liblsl.

    python tests/study/lsl_loopback.py [--seconds 60]

`hbc stream lsl --port` runs as a program of its own; this one is the other program that listens. Latency is arrival
minus time stamp. Clock error is time stamp minus the instant of the world at which the pulse was fired; the rig keeps
to the computer's clock within about a millisecond, and that is in the figure.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from hbc_hil.rig import Rig, RigOptions, rig
from hbc_hil.scenario import Scenario
from hbc_host.exchange.lsl import load_lsl
from hbc_host.exchange.lsl_out import BEATS, CLOCK, ECG, TRIGGERS

FloatArray = npt.NDArray[np.float64]
FIND_S = 60.0


@dataclass(frozen=True)
class Loopback:
    """Milliseconds: latency of each sample by stream; error of each trigger's stamp; what the streams say of it.

    ``stated_ms`` is the largest bound on the clock stream, ``sent_n`` what the sending program counted.
    """

    latency_ms: dict[str, FloatArray]
    trigger_error_ms: FloatArray
    stated_ms: float
    sent_n: dict[str, int]
    received_n: dict[str, int]


class _Origin(threading.Thread):
    """The host time of world time 0: the smallest distance ever seen between the two."""

    def __init__(self, box: Rig) -> None:
        super().__init__(daemon=True)
        self._box, self.done = box, threading.Event()
        self.host_s = float("inf")

    def run(self) -> None:
        while not self.done.is_set():
            world_s = self._box.bridge.virtual_s
            if world_s > 0.0:
                self.host_s = min(self.host_s, time.monotonic() - world_s)
            time.sleep(0.0005)


def loopback(seconds: float, drift_ppm: float = 40.0) -> Loopback:
    """Stream a paced box to this program for so many seconds."""
    module = load_lsl()
    scenario = Scenario.short(5, seconds + 60.0, protocol="itbs", rest_s=8.0)
    with rig(scenario, RigOptions(paced=True, drift_ppm=drift_ppm)) as box:
        origin = _Origin(box)
        origin.start()
        hbc = Path(sys.executable).parent / "hbc"
        command = [str(hbc), "stream", "lsl", "--port", box.port, "--seconds", str(seconds), "--json", "-"]
        sender = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        inlets = {name: _inlet(module, name) for name in (ECG, BEATS, TRIGGERS, CLOCK)}
        found: dict[str, list[tuple[float, float, Any]]] = {name: [] for name in inlets}
        while sender.poll() is None:
            for name, inlet in inlets.items():
                values, stamps = inlet.pull_chunk(timeout=0.0, max_samples=4096)
                arrived_s = module.local_clock()
                found[name] += [(stamp, arrived_s, value) for value, stamp in zip(values, stamps, strict=True)]
            time.sleep(0.001)
        origin.done.set()
        origin.join()
        sent = json.loads(sender.communicate()[0])["sent_n"]
        edges_s = box.world.truth.edges_ns * 1e-9 + origin.host_s
    stamps_s = np.array([stamp for stamp, _, _ in found[TRIGGERS]])
    nearest = np.abs(stamps_s[:, None] - edges_s[None, :]).argmin(axis=1)
    return Loopback(
        latency_ms={name: np.array([1e3 * (at - stamp) for stamp, at, _ in rows]) for name, rows in found.items()},
        trigger_error_ms=1e3 * (stamps_s - edges_s[nearest]),
        stated_ms=max(value[0] for _, _, value in found[CLOCK]) / 1e3,
        sent_n=sent,
        received_n={name: len(rows) for name, rows in found.items()},
    )


def _inlet(module: Any, name: str) -> Any:
    streams = module.resolve_byprop("name", name, 1, FIND_S)
    if not streams:
        raise SystemExit(f"no stream {name} within {FIND_S:g} s")
    inlet = module.StreamInlet(streams[0], max_buflen=60)
    inlet.open_stream(timeout=10.0)
    return inlet


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    done = loopback(parser.parse_args().seconds)
    for name, ms in done.latency_ms.items():
        if ms.size and name != CLOCK:
            quantiles = ", ".join(f"{q:g} % {np.percentile(ms, q):.1f}" for q in (50, 99, 100))
            print(f"{name}: {ms.size} of {done.sent_n[name]} samples, latency ms: {quantiles}")
    error = done.trigger_error_ms
    print(
        f"trigger stamps against the world: median {np.median(error):+.2f} ms, largest {np.abs(error).max():.2f} ms; "
        f"stated bound {done.stated_ms:.2f} ms"
    )


if __name__ == "__main__":
    main()
