"""``hbc sim``: a simulated box on a port, for as long as somebody wants it."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Annotated, NoReturn

import typer

from hbc_host.cli_common import JsonOption, Output
from hbc_host.cli_live import live_status
from hbc_host.cli_rig import SEED, EcgOption, SeedOption, plain_errors

GRACE_S = 2.0  # for the interpreter to start


def sim(
    seed: SeedOption = SEED,
    minutes: Annotated[float, typer.Option(metavar="N", min=0.1, help="How long the simulated patient stays.")] = 60.0,
    ecg: EcgOption = "patient",
    rest_s: Annotated[
        float | None,
        typer.Option("--rest-s", metavar="N", min=1.0, help="Rest before each site; else 180 s, then 60 s."),
    ] = None,
    json_target: JsonOption = None,
) -> None:
    """Switch on a simulated box in real time and print its port; Ctrl-C switches it off.

    Any program can open the port as if a box were plugged in, for example `hbc record` or `hbc session run` in a
    second window. The simulated stimulator gives 15 trains at each of four sites, and waits for nobody.

    Example: hbc sim --minutes 10
    """
    out = Output(json_target)
    with plain_errors(), ExitStack() as stack:
        stack.enter_context(_until_told())
        with live_status("switching on a simulated box; its port comes in some seconds"):
            from hbc_hil.rig import RigOptions, rig
            from hbc_hil.scenario import Scenario

            duration_s = 60.0 * minutes
            scenario = Scenario.demo(seed) if ecg == "patient" else Scenario.recording(seed, ecg)
            if rest_s is not None:
                scenario = replace(scenario, rest_first_s=rest_s, rest_between_s=rest_s)
            box = stack.enter_context(rig(replace(scenario, duration_s=duration_s), RigOptions(paced=True)))
        out.say(f"port: {box.port}")  # each line goes out by itself, into a pipe, too
        out.say(f"in a second window: hbc record --port {box.port} --out my-session")
        first_s = min((train.onset_s for train in box.world.truth.trains), default=None)
        out.say(_first_train(first_s, minutes))
        out.say(f"or a practice session (hbc protocol new --help): hbc session run VISIT --port {box.port}")
        out.say("Ctrl-C switches the box off")
        out.json({"port": box.port, "seed": seed, "duration_s": duration_s, "first_train_s": first_s})
        # By the wall clock too: bytes that nobody reads keep the box from being finished.
        until_s = time.monotonic() + duration_s + GRACE_S
        while not box.finished and time.monotonic() < until_s:
            time.sleep(0.1)
    out.say("the simulated box is off")


def _first_train(first_s: float | None, minutes: float) -> str:
    if first_s is None:
        return f"no pulse train comes within these {minutes:g} minutes"
    return f"the first pulse train comes {first_s:.0f} s after switching on; before that the patient rests"


@contextmanager
def _until_told() -> Iterator[None]:
    """Leave quietly on Ctrl-C or SIGTERM: here that is the normal end, and the box must be switched off."""

    def stop(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)
