"""What the box recorded and what was imported stand side by side in a cohort, and say the same of the same heart."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import support
from hbc_hil.cohort import CohortPlan
from hbc_hil.cohort_beats import SimRecording, patient_recordings
from hbc_hil.cohort_files import draw_cohort, write_cohort
from hbc_host.chunks import FROM_BOX, Chunk
from hbc_host.cohort.audit import audit_cohort
from hbc_host.cohort.estimates import estimate_recording
from hbc_host.cohort.outcomes import read_outcomes
from hbc_host.cohort.recordings import SESSION, find_recordings
from hbc_host.recorder import LOG_NAME, LogWriter
from hbc_host.session import META_NAME, SessionMeta

PLAN = CohortPlan(
    patients_n=2, sites_n=2, clinics_n=1, strap_clinics_n=0, mean_bpm=5.0, skipped_share=0.0, noisy_share=0.0,
    rest_s=60.0, seed=3,
)  # fmt: skip


def record(folder: Path, simulated: SimRecording, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session folder as the recorder writes it, of the same beats and triggers."""
    assert simulated.triggers_s is not None
    beats_us, edges_us = (
        (support.FIRST_US + np.round(1e6 * times_s)).astype(int).tolist()
        for times_s in (simulated.beats_s, simulated.triggers_s)
    )
    monkeypatch.setattr(support, "beat_times_us", lambda *_: beats_us)
    monkeypatch.setattr(support, "edge_times_us", lambda *_: edges_us)
    data = support.stream_of(support.box_frames(simulated.end_s + 2.0))
    meta = SessionMeta(
        created=datetime(2026, 1, 2, tzinfo=UTC), title="t", protocol="dash", sites=simulated.sites,
        intensities_pct=simulated.intensities_pct, host_version="0.1.0", port="p",
    )  # fmt: skip
    folder.mkdir(parents=True)
    (folder / META_NAME).write_text(meta.to_json(), "utf-8")
    writer = LogWriter(folder / LOG_NAME)
    writer.append(Chunk(FROM_BOX, 100.0, data))
    writer.close()


def test_a_session_and_an_import_of_one_heart_give_one_estimate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_cohort(PLAN, tmp_path / "c")
    patient = draw_cohort(PLAN)[0]
    record(tmp_path / "c/recordings/P-box/visit-1", patient_recordings(PLAN, patient)[0], monkeypatch)
    refs = find_recordings(tmp_path / "c/recordings")
    assert [ref.patient for ref in refs] == ["P-001", "P-002", "P-box"]
    assert refs[2].kind == SESSION
    audit = audit_cohort(refs, read_outcomes(tmp_path / "c/outcomes.csv"))
    assert audit.loaded_n == 3
    imported, recorded = estimate_recording(refs[0], None, "k"), estimate_recording(refs[2], None, "k")
    assert [row.error for row in recorded] == ["", ""]
    assert [row.site for row in recorded] == [row.site for row in imported]
    for one, other in zip(imported, recorded, strict=True):
        assert (other.trains_n, other.verdict) == (15, one.verdict)
        assert other.effect_bpm == pytest.approx(one.effect_bpm, abs=0.05)
        assert other.threshold_found == one.threshold_found
        np.testing.assert_allclose(other.step_intensity_pct, one.step_intensity_pct)
