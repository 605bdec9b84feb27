"""Files are read as they are, and refused in one line that says what to do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hbc_host.analysis import analyze_files
from hbc_host.errors import InputError
from hbc_host.io.ecg_text import read_ecg_text
from hbc_host.io.events_csv import assign_roles, read_events_csv
from hbc_host.io.sniff import ECG_TEXT, EVENTS, SESSION, WFDB, sniff
from hbc_host.io.wfdb_record import quiet_wfdb, read_wfdb
from hbc_host.sources import ignored_options
from hbc_host.trains import PROTOCOLS


def wave(count: int = 3000) -> np.ndarray:
    """Something that goes up and down like an ECG, in mV."""
    return np.asarray(np.sin(np.arange(count) * 0.3) + 0.2 * np.sin(np.arange(count) * 0.05))


def write_values(path: Path, values: np.ndarray) -> Path:
    path.write_text("\n".join(f"{value:.5g}" for value in values) + "\n")
    return path


def write_wfdb(folder: Path, name: str = "r1", units: str = "mV") -> Path:
    with quiet_wfdb() as wfdb:
        wfdb.wrsamp(
            name,
            fs=130,
            units=[units, units],
            sig_name=["resp", "ECG"],
            fmt=["16", "16"],
            write_dir=str(folder),
            p_signal=np.column_stack((0.5 * wave(), wave())),
        )
    return folder / name


def test_microvolts_and_millivolts_are_told_apart(tmp_path: Path) -> None:
    in_mv = read_ecg_text(write_values(tmp_path / "a.txt", wave()), 130.0)
    in_uv = read_ecg_text(write_values(tmp_path / "b.txt", 1000.0 * wave()), 130.0)
    np.testing.assert_allclose(in_mv.ecg_mv, in_uv.ecg_mv, atol=1e-3)
    assert in_mv.name == "a"
    assert in_mv.duration_s == pytest.approx(3000 / 130.0)


def test_text_without_a_rate_asks_for_it(tmp_path: Path) -> None:
    path = write_values(tmp_path / "a.txt", wave())
    with pytest.raises(InputError, match="--rate-hz"):
        read_ecg_text(path, None)
    with pytest.raises(InputError, match="outside 50 to 5000"):
        read_ecg_text(path, 1.0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"1\n2\n3\n", "3 samples are 0.0 s"),
        (b"1\n2\nhello\n4\n", "line 3 is 'hello', not a number"),
        (b"1\n2\nnan\n4\n", "line 3 is 'nan'"),
        (b"\x01\xfe\x00\x80", "not text"),
    ],
)
def test_a_bad_text_file_is_refused_with_the_place(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_ecg_text(path, 130.0)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such file"):
        sniff(tmp_path / "nothing.txt")
    with pytest.raises(InputError, match=r"without session\.json"):
        sniff(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        read_events_csv(tmp_path / "nothing.csv")


def test_every_kind_of_input_is_recognised(tmp_path: Path) -> None:
    session = tmp_path / "s1"
    session.mkdir()
    (session / "session.json").write_text("{}")
    record = write_wfdb(tmp_path)
    assert sniff(session) == SESSION
    assert sniff(record) == sniff(record.with_suffix(".hea")) == sniff(record.with_suffix(".dat")) == WFDB
    assert sniff(write_values(tmp_path / "ecg.txt", wave())) == ECG_TEXT
    assert sniff(write_values(tmp_path / "beats.csv", np.arange(1.0, 50.0))) == EVENTS


@pytest.mark.parametrize(
    "text", ["1.5\n2.5\n3\n", "time_s\n1.5\n2.5\n3\n", "time_s,n\n1.5,1\n\n2.5,2\n3,3\n", "1.5;x\n2.5;y\n3"]
)
def test_event_times_are_the_first_column(tmp_path: Path, text: str) -> None:
    path = tmp_path / "beats.csv"
    path.write_text(text)
    assert read_events_csv(path).tolist() == [1.5, 2.5, 3.0]


def test_event_times_that_go_back_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "beats.csv"
    path.write_text("1\n3\n2\n")
    with pytest.raises(InputError, match=r"line 3 \(2 s\) does not come after the time before it \(3 s\)"):
        read_events_csv(path)


RR_S = 0.8 + 0.1 * np.sin(np.arange(40))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("beat_s\n\n1\n3\n3\n", r"line 5 \(3 s\) repeats"),
        ("-1\n3\n4\n", "line 1 is -1 s, before 0"),
        ("beat_s\n0,812\n1,634\n2,401\n", "line 2 is '0,812', a decimal comma"),
        ("\n".join(f"{rr_s:.3f}" for rr_s in RR_S), "look like RR intervals"),
        ("\n".join(f"{1000 * rr_s:.0f}" for rr_s in RR_S), "look like RR intervals"),
        ("\n".join(f"{1000 * at_s:.0f}" for at_s in np.cumsum(RR_S)), "times look like milliseconds; seconds are"),
        ("\n".join(f"{at_s / 60:.5f}" for at_s in np.cumsum(RR_S)), "times look like minutes"),
    ],
)
def test_bad_beat_times_are_blamed_on_their_file(tmp_path: Path, text: str, words: str) -> None:
    beats, triggers = tmp_path / "beats.csv", write_values(tmp_path / "triggers.csv", np.arange(10.0, 20.0, 0.1))
    beats.write_text(text)
    with pytest.raises(InputError, match=words) as caught:
        analyze_files([beats, triggers], protocol=PROTOCOLS["dash"])
    assert str(caught.value).startswith(f"{beats}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{t:.3f},{v:.3f},7", "3 columns"),
        ("{v:.3f} {v:.3f}", "2 columns"),
        ("{v:.3f};x", "2 columns"),
        ("{comma}", "decimal comma"),
    ],
)
def test_columns_and_decimal_commas_are_no_ecg(tmp_path: Path, line: str, words: str) -> None:
    path = tmp_path / "ecg.csv"
    rows = [line.format(t=n / 130, v=v, comma=f"{v:.3f}".replace(".", ",")) for n, v in enumerate(wave())]
    path.write_text("\n".join(rows))
    with pytest.raises(InputError, match=words):
        read_ecg_text(path, 130.0)
    with pytest.raises(InputError, match=words):  # a first column of sample times is not taken for beats
        analyze_files([path], protocol=PROTOCOLS["dash"])


def test_a_folder_is_a_session_by_its_log_and_one_level_too_high_is_said(tmp_path: Path) -> None:
    inside = tmp_path / "demo" / "session"
    inside.mkdir(parents=True)
    (inside / "wire.hbclog").write_bytes(b"")
    assert sniff(inside) == SESSION
    with pytest.raises(InputError, match=r"there is a recording in .*demo.session, give that"):
        sniff(tmp_path / "demo")


def test_options_that_say_nothing_are_noted() -> None:
    assert ignored_options([ECG_TEXT, WFDB], 130.0, 3.0) == []
    assert ignored_options([EVENTS, SESSION], None, None) == []
    rate, first = ignored_options([SESSION], 130.0, 3.0)
    assert rate.startswith("--rate-hz 130 was ignored")
    assert first.startswith("--first-train-s 3 was ignored")
    assert len(ignored_options([WFDB], 130.0, 3.0)) == 1


def test_roles_follow_names_else_order() -> None:
    beats, triggers, other = Path("x_beats.csv"), Path("x_triggers.csv"), Path("y.csv")
    assert assign_roles(triggers, beats) == (beats, triggers)
    assert assign_roles(beats, triggers) == (beats, triggers)
    assert assign_roles(triggers, other) == (other, triggers)
    assert assign_roles(other, Path("z.csv")) == (other, Path("z.csv"))


def test_wfdb_gives_the_ecg_channel_in_millivolts(tmp_path: Path) -> None:
    recording = read_wfdb(write_wfdb(tmp_path))
    assert recording.rate_hz == 130.0
    np.testing.assert_allclose(recording.ecg_mv, wave(), atol=1e-3)
    assert recording.gaps_s == ()


def test_a_wfdb_header_that_announces_signals_it_does_not_describe_is_refused_before_they_are_listed(
    tmp_path: Path,
) -> None:
    (tmp_path / "many.hea").write_text("many 1111111111 360 1000\n")  # its reader would make a list of a billion
    with pytest.raises(InputError, match="announces 1111111111 signals and describes 0"):
        read_wfdb(tmp_path / "many")


def test_a_truncated_or_incomplete_wfdb_record_is_refused(tmp_path: Path) -> None:
    record = write_wfdb(tmp_path)
    data = record.with_suffix(".dat")
    data.write_bytes(data.read_bytes()[:101])
    with pytest.raises(InputError, match=r"r1\.dat is truncated \(101 bytes, r1\.hea announces 12000\)"):
        read_wfdb(record)
    header = record.with_suffix(".hea")
    text = header.read_text()
    for cut in ("", text[:4], text[: text.index("\n") + 1], text[:40]):
        header.write_text(cut)
        with pytest.raises(InputError) as caught:
            read_wfdb(record)
        assert not {"broadcast", "index", "object"} & set(str(caught.value).split()), cut
    header.write_text(text)
    data.unlink()
    with pytest.raises(InputError, match="cannot be read"):
        read_wfdb(record)
    record.with_suffix(".hea").unlink()
    with pytest.raises(InputError, match="no WFDB header"):
        read_wfdb(record)


def test_a_wfdb_channel_that_is_not_a_voltage_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'bpm' is not a voltage"):
        read_wfdb(write_wfdb(tmp_path, units="bpm"))
