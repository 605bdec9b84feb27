"""What is soldered in between electrodes and chip: the scenario and the chip's configuration that go with it."""

from __future__ import annotations

from dataclasses import asdict, replace

from hbc_hil.afe import AfeSettings
from hbc_hil.boxes import FRONT_ENDS, Box
from hbc_hil.digital_front_end import DigitalSettings
from hbc_hil.errors import ScenarioError
from hbc_hil.scenario import Scenario

ADS_LA_WIRE, ADS_RA_WIRE = 1001, 1002  # where the lead-off wires end: at the converter (machine_esp32/ads1292r.py)
# 8 uV peak to peak in 150 Hz at gain 6 (data sheet SBAS502C, "Features"), some 1.2 uV rms, in steps of 48 nV.
ADS_NOISE_LSB = 25


def with_front_end(scenario: Scenario, front_end: str) -> Scenario:
    """Return the scenario with the electrodes joined to this front end, as the box has it.

    Raises
    ------
    ScenarioError
        There is no such front end.
    """
    if front_end not in FRONT_ENDS:
        raise ScenarioError(f"no front end {front_end!r}: choose one of {', '.join(FRONT_ENDS)}")
    digital = isinstance(scenario.afe, DigitalSettings)
    if (front_end == "ads1292r") == digital:
        return scenario
    return replace(scenario, afe=AfeSettings() if digital else DigitalSettings())


def converter_config(box: Box, board: str, *, clock_ppm: int, offset_mv: int) -> dict[str, int]:
    """Return what ``machine_esp32/ads1292r.py`` is told: pins, clock, offset between the electrodes, noise.

    Raises
    ------
    ScenarioError
        This board cannot have one.
    """
    if box.ads is None:
        raise ScenarioError(f"an {board} box cannot have an ADS1292R: its chip has no capture unit for DRDY")
    return asdict(box.ads) | {"clock_ppm": clock_ppm, "offset_uv": 1000 * offset_mv, "noise_lsb": ADS_NOISE_LSB}
