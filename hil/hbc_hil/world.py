"""The simulated world: patient, stimulator, electrodes and front end, rendered as the stream the chip lives on.

Stream, little-endian: a header ``HBCW``, u32 version, u32 analog_rate_hz, u32 0; then chunks of u64 start_ns, u32
samples_n, u32 events_n, samples (u16, units of 62.5 uV at the ADC pin; with an ADS1292R 0.5 uV at the electrodes around
32768), events (u64 t_ns, u8 wire, u8 level, 6 zero
bytes, sorted by time). Each chunk carries one sample more than its duration, the first of the next chunk, so that a
reader interpolates within one chunk. A chunk without samples and events ends the world at its start_ns.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from hbc_hil.afe import FrontEnd, r_peak_delay_s
from hbc_hil.artefact import Artefact
from hbc_hil.digital_front_end import DigitalFrontEnd, DigitalSettings
from hbc_hil.ecg import BLOCK_N, EcgSource, PatientEcg
from hbc_hil.ecg_source import RecordedEcg, load_recording
from hbc_hil.errors import ScenarioError
from hbc_hil.evoked import Response, evoked_bpm
from hbc_hil.patient import LAW_RATE_HZ, grid_points_n, simulate_heart
from hbc_hil.scenario import PlannedRun, Scenario
from hbc_hil.truth import WorldTruth, stimulate

FloatArray = npt.NDArray[np.float64]

STREAM_VERSION = 1
WIRE_TRIGGER, WIRE_LO_PLUS, WIRE_LO_MINUS = 0, 1, 2
HEADER = struct.Struct("<4sIII")
CHUNK = struct.Struct("<QII")
EVENT = np.dtype([("t_ns", "<u8"), ("wire", "u1"), ("level", "u1"), ("zero", "u1", (6,))])


class World:
    """One scenario, ready to be rendered. Building it costs milliseconds; chunks are rendered when asked for.

    Parameters
    ----------
    scenario : Scenario
    analog_rate_hz : int
        Samples per second of the analog voltage. The chip interpolates linearly between them.

    Attributes
    ----------
    scenario : Scenario
    analog_rate_hz : int
    duration_s : float
        A whole number of samples.
    truth : WorldTruth

    Raises
    ------
    ScenarioError
        If a sample does not last a whole number of nanoseconds, the scenario has no end, or a recording is unreadable.
    """

    def __init__(self, scenario: Scenario, *, analog_rate_hz: int = 4000) -> None:
        if not 1000 <= analog_rate_hz <= 100_000 or 1_000_000_000 % analog_rate_hz:
            raise ScenarioError(
                f"analog rate {analog_rate_hz} Hz: it must be 1000..100000 Hz and divide 10^9, for example 4000 Hz"
            )
        self.scenario = scenario
        self.analog_rate_hz = analog_rate_hz
        runs = scenario.timetable()
        simulated = scenario.ecg == "patient"
        stimulation = stimulate(scenario, runs, responsive=simulated)
        beats_known = True
        self._source: EcgSource
        if simulated:
            self.duration_s = self._whole_samples_s(runs, None)
            self._source = self._patient(runs, stimulation.responses)
        else:
            recording = load_recording(scenario.ecg)
            self.duration_s = self._whole_samples_s(runs, recording.duration_s)
            self._source = RecordedEcg(
                recording, scenario.recording_gain, rate_hz=analog_rate_hz, duration_s=self.duration_s
            )
            beats_known = recording.annotated
        self._stimulation = stimulation
        self._events = self._wire_events()
        self.truth = self._truth(beats_known)

    def _whole_samples_s(self, runs: tuple[PlannedRun, ...], recording_s: float | None) -> float:
        """Return the length of the world, cut to a whole number of samples."""
        wanted_s = self.scenario.duration_s
        if wanted_s is None:
            wanted_s = runs[-1].end_s if runs else recording_s
        if wanted_s is None:
            raise ScenarioError("a scenario without sites has no end of its own: give duration_s")
        samples_n = int(wanted_s * self.analog_rate_hz + 1e-6)
        if samples_n < 1:
            raise ScenarioError(f"duration {wanted_s:g} s is shorter than one sample: give a longer one")
        return samples_n / self.analog_rate_hz

    def _patient(self, runs: tuple[PlannedRun, ...], responses: tuple[Response, ...]) -> PatientEcg:
        scenario = self.scenario
        law_s = np.arange(grid_points_n(self.duration_s)) / LAW_RATE_HZ
        heart = simulate_heart(
            scenario.patient,
            duration_s=self.duration_s,
            seed=scenario.seed,
            evoked_bpm=evoked_bpm(law_s, responses),
            runs_s=[(run.start_s, run.end_s) for run in runs],
        )
        return PatientEcg(scenario.waveform, heart, rate_hz=self.analog_rate_hz, seed=scenario.seed)

    def _truth(self, beats_known: bool) -> WorldTruth:
        scenario = self.scenario
        beats_s = self._source.beats_s
        rr_s = 60.0 / scenario.patient.mean_bpm
        return WorldTruth(
            beats_s=beats_s[beats_s < self.duration_s],
            beats_known=beats_known,
            edges_ns=self._stimulation.edges_ns,
            trains=self._stimulation.trains,
            sites=self._stimulation.sites,
            lead_off=scenario.lead_off,
            obscured_s=self._source.obscured_s,
            duration_s=self.duration_s,
            afe_delay_s=r_peak_delay_s(scenario.afe, rr_s=rr_s, rate_hz=self.analog_rate_hz),
        )

    def _wire_events(self) -> npt.NDArray[np.void]:
        """Return every level change on the digital wires, sorted by time."""
        rising_ns = self._stimulation.edges_ns
        falling_ns = rising_ns + round(self.scenario.stimulator.width_us * 1e3)
        rows = [(t_ns, WIRE_TRIGGER, 1) for t_ns in rising_ns.tolist()]
        rows += [(t_ns, WIRE_TRIGGER, 0) for t_ns in falling_ns.tolist()]
        for span in self.scenario.lead_off:
            wire = WIRE_LO_PLUS if span.electrode == "LA" else WIRE_LO_MINUS
            rows += [(round(span.start_s * 1e9), wire, 1), (round(span.end_s * 1e9), wire, 0)]
        events = np.zeros(len(rows), dtype=EVENT)
        if rows:
            events["t_ns"], events["wire"], events["level"] = zip(*sorted(rows), strict=True)
        return events

    def chunks(self, chunk_s: float = 1.0) -> Iterator[bytes]:
        """Yield the stream: header, chunks of `chunk_s`, end. Every call starts at time zero.

        The samples and events do not depend on `chunk_s`, only how they are cut does.
        """
        step_n = max(1, round(chunk_s * self.analog_rate_hz))
        total_n = round(self.duration_s * self.analog_rate_hz)
        sample_ns = 1_000_000_000 // self.analog_rate_hz
        yield HEADER.pack(b"HBCW", STREAM_VERSION, self.analog_rate_hz, 0)
        blocks = self._blocks()
        ready = np.empty(0, dtype="<u2")
        event_n = 0
        for first_idx in range(0, total_n, step_n):
            last_idx = min(first_idx + step_n, total_n)
            samples_n = last_idx - first_idx + 1
            while ready.size < samples_n:
                ready = np.concatenate((ready, next(blocks)))
            stop_n = int(np.searchsorted(self._events["t_ns"], np.uint64(last_idx * sample_ns)))
            events = self._events[event_n:stop_n]
            yield b"".join(
                (
                    CHUNK.pack(first_idx * sample_ns, samples_n, events.size),
                    ready[:samples_n].tobytes(),
                    events.tobytes(),
                )
            )
            ready, event_n = ready[samples_n - 1 :], stop_n
        yield CHUNK.pack(total_n * sample_ns, 0, 0)

    def _front_end(self) -> FrontEnd | DigitalFrontEnd:
        afe = self.scenario.afe
        if isinstance(afe, DigitalSettings):
            return DigitalFrontEnd(afe, self.analog_rate_hz)
        return FrontEnd(afe, self.analog_rate_hz)

    def _blocks(self) -> Iterator[npt.NDArray[np.uint16]]:
        """Yield the voltage at the ADC pin, BLOCK_N samples at a time, without end."""
        scenario, pulses = self.scenario, self._stimulation
        front_end = self._front_end()
        artefact = Artefact(
            scenario.artefact,
            pulses.edges_ns,
            pulses.intensity_pct,
            pulses.polarity,
            rate_hz=self.analog_rate_hz,
            seed=scenario.seed,
        )
        block_idx = 0
        while True:
            ecg_mv = self._source.render(block_idx)
            artefact.add(block_idx * BLOCK_N, ecg_mv)
            if block_idx == 0:
                front_end.settle(ecg_mv)
            yield front_end.words(ecg_mv, self._lead_off(block_idx))
            block_idx += 1

    def _lead_off(self, block_idx: int) -> npt.NDArray[np.int8] | None:
        """Return which electrode is off at each sample of a block, None when all hold throughout."""
        first_s = block_idx * BLOCK_N / self.analog_rate_hz
        end_s = first_s + BLOCK_N / self.analog_rate_hz
        spans = [span for span in self.scenario.lead_off if span.start_s < end_s and span.end_s > first_s]
        if not spans:
            return None
        time_s = np.arange(block_idx * BLOCK_N, (block_idx + 1) * BLOCK_N) / self.analog_rate_hz
        off = np.zeros(BLOCK_N, dtype=np.int8)
        for span in spans:
            off[(time_s >= span.start_s) & (time_s < span.end_s)] = 1 if span.electrode == "LA" else -1
        return off
