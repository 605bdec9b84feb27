"""What was there, boot by boot, on the clock of the box in that boot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hbc_hil.afe import VOLT_PER_LSB
from hbc_hil.bench.evidence import BootEvidence, Evidence
from hbc_hil.bench.plan import Plan
from hbc_hil.bench.wire_faults import account
from hbc_hil.digital_front_end import DigitalSettings, millivolts, without_offset
from hbc_hil.rig import Rig
from hbc_hil.world import CHUNK, HEADER, World

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class BootTruth:
    """One boot and what the world did meanwhile; nanoseconds of the box's clock in this boot."""

    box: BootEvidence
    begin_s: float  # world
    end_s: float
    pulses_ns: FloatArray  # (n, 2), all on the pin
    reported: npt.NDArray[np.bool_]  # which of them the box has to report
    slack_ns: float

    @property
    def commanded_ns(self) -> FloatArray:
        """Edges that have to be reported."""
        return np.asarray(self.pulses_ns[self.reported, 0], np.float64)


def boot_truths(plan: Plan, rig: Rig, evidence: Evidence, pulses: IntArray) -> list[BootTruth]:
    """Each boot beside what the world did meanwhile.

    Parameters
    ----------
    plan : Plan
    rig : Rig
        Its boots and options.
    evidence : Evidence
    pulses : array of int64 (n, 2)
        Every active stretch of the trigger wire, nanoseconds of the world, faults included.
    """
    options = rig.options
    begins = [begin_s for begin_s, _ in rig.boots]
    ends = [*sorted(options.brownouts_s)[: len(begins) - 1], rig.world.duration_s]
    truths = []
    for k, box in enumerate(evidence.boots[: len(begins)]):
        inside = (pulses[:, 0] >= begins[k] * 1e9) & (pulses[:, 0] < ends[k] * 1e9)
        device_ns = (pulses[inside] - begins[k] * 1e9) * (1.0 + options.drift_ppm * 1e-6)
        sums = account(
            pulses[inside],
            min_width_us=plan.settings.get("trigger_min_width_us", 0),
            hold_off_us=plan.settings.get("trigger_hold_off_us", 0),
        )
        # The start of a later boot is known to the microsecond that it was rounded to.
        slack_ns = 1000.0 if k else 1.0
        device_ns = np.asarray(device_ns + options.ticks_at_boot_us * 1e3, np.float64)
        truths.append(BootTruth(box, begins[k], ends[k], device_ns.astype(np.float64), sums.reported, slack_ns))
    return truths


def pin_volts(world: World, until_s: float) -> FloatArray:
    """The voltage at the converter's pin, from world second 0 on, at the world's analog rate.

    With an ADS1292R what the box makes of it: millivolts at the electrodes, less the offset that the firmware follows.
    """
    chunks = world.chunks()
    assert len(next(chunks)) == HEADER.size
    parts = []
    for chunk in chunks:
        start_ns, samples_n, _ = CHUNK.unpack_from(chunk)
        if not samples_n or start_ns > until_s * 1e9:
            break
        parts.append(np.frombuffer(chunk, "<u2", samples_n, CHUNK.size)[:-1])
    words = np.concatenate(parts)
    afe = world.scenario.afe
    if isinstance(afe, DigitalSettings):
        return without_offset(millivolts(words), afe, world.analog_rate_hz)
    return np.asarray(words * VOLT_PER_LSB, np.float64)
