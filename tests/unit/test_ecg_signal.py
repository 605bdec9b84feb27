"""Every input becomes one ECG on its grid: what is lost is missing, and the detector gets the numbers the box had."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hbc_host.chunks import FROM_BOX, Chunk
from hbc_host.detection import find_beats
from hbc_host.errors import InputError
from hbc_host.io.ecg_signal import read_signal, session_signal
from hbc_host.recorder import LOG_NAME, LogWriter
from hbc_host.redetect import blanked_of, redetect
from hbc_host.session import META_NAME, load_session
from hbc_wire import messages
from support import BLOCK_N, RATE_HZ, Sent, a_meta, box_frames, stream_of

DURATION_S = 20.0


def save(folder: Path, sent: list[Sent]) -> Path:
    """A session folder with these frames from the box."""
    folder.mkdir()
    (folder / META_NAME).write_text(a_meta("P-014").to_json(), "utf-8")
    writer = LogWriter(folder / LOG_NAME)
    writer.append(Chunk(FROM_BOX, 100.0, stream_of(sent)))
    writer.close()
    return folder


def without_blocks(sent: list[Sent], lost: range) -> list[Sent]:
    """The frames without some of the ECG blocks, counted from 0."""
    places = [place for place, one in enumerate(sent) if one.message is messages.EcgBlock]
    gone = {places[block] for block in lost}
    return [one for place, one in enumerate(sent) if place not in gone]


def test_a_session_keeps_its_samples_times_and_triggers(tmp_path: Path) -> None:
    session = load_session(save(tmp_path / "s", box_frames(DURATION_S)))
    signal = session_signal(session)
    assert (signal.name, signal.rate_hz, signal.runs) == ("P-014", RATE_HZ, ((0, session.ecg_lsb.size),))
    mv_per_lsb = 732e-6 / 1100
    assert signal.ecg_mv == pytest.approx(session.ecg_lsb * mv_per_lsb)
    assert signal.sample_s == pytest.approx(session.ecg_us * 1e-6)
    assert signal.triggers_s == pytest.approx(session.edges_tick / 80e6)
    assert signal.box_beats_s == pytest.approx(session.beats_us * 1e-6)
    assert np.array_equal(signal.blanked, blanked_of(session))
    assert signal.notes == session.notes


def test_the_detector_gets_the_counts_of_the_box(tmp_path: Path) -> None:
    session = load_session(save(tmp_path / "s", box_frames(DURATION_S)))
    signal = session_signal(session)
    assert np.array_equal(np.rint(1000 * signal.ecg_mv * signal.detector_scale), session.ecg_lsb)
    # Noise instead of an ECG finds something, and the same something as the path that follows the box bit for bit.
    again, beats = np.sort(redetect(session), order="peak_us"), find_beats(signal)
    assert again.size > 5
    assert np.floor(1e6 * beats.time_s[: again.size] + 0.01).tolist() == pytest.approx(again["peak_us"], abs=1)
    assert np.array_equal(beats.quality[: again.size], again["quality"])


def test_lost_blocks_are_missing_samples_at_their_place(tmp_path: Path) -> None:
    sent = box_frames(DURATION_S)
    whole = session_signal(load_session(save(tmp_path / "whole", sent)))
    holed = session_signal(load_session(save(tmp_path / "holed", without_blocks(sent, range(100, 140)))))
    first, end = 100 * BLOCK_N, 140 * BLOCK_N
    assert holed.runs == ((0, first), (end, whole.ecg_mv.size))
    assert np.isnan(holed.ecg_mv[first:end]).all()
    for part in (slice(0, first), slice(end, None)):
        assert np.array_equal(holed.ecg_mv[part], whole.ecg_mv[part])
    assert holed.sample_s == pytest.approx(whole.sample_s, abs=1e-4)  # lost instants are nominal
    assert "2.00 s of samples are lost in 1 places; the detector begins anew after each" in holed.notes
    beats = find_beats(holed)
    assert not ((beats.position_idx > first) & (beats.position_idx < end - 1)).any()


def test_a_session_without_samples_says_what_can_be_done_with_it(tmp_path: Path) -> None:
    sent = [one for one in box_frames(DURATION_S) if one.message is not messages.EcgBlock]
    folder = save(tmp_path / "s", sent)
    with pytest.raises(InputError, match=r"beats of the box and no ECG sample; hbc analyze .* uses those beats"):
        read_signal(folder, None)


def test_times_of_beats_are_refused_as_an_ecg(tmp_path: Path) -> None:
    (tmp_path / "beats.csv").write_text("\n".join(f"{0.8 * n:.3f}" for n in range(400)))
    with pytest.raises(InputError, match="values that only increase are times, not an ECG"):
        read_signal(tmp_path / "beats.csv", None)
