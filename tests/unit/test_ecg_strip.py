"""The picture of ``hbc detect``: every beat is marked where it is, and what is shaded is what was said."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hbc_host.detection import Beats, Signal, StateSpan
from hbc_host.errors import InputError
from hbc_host.report import ecg_strip
from hbc_host.report.drawing import ROLES
from hbc_host.report.ecg_strip import LANE, check_suffix, draw_strips, write_picture
from hbc_host.report.strip_layout import COLUMNS_N, Frame, frame_of, scale_of, trace
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex

RATE_HZ = 100.0
PNG_HEAD = b"\x89PNG\r\n\x1a\n"


def a_signal(duration_s: float = 25.0, start_s: float = 0.0) -> Signal:
    """R waves of 1 mV at 0.5 s, 1.5 s ... after the start."""
    time_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    ecg_mv = np.exp(-(((np.remainder(time_s, 1.0) - 0.5) / 0.02) ** 2))
    n = time_s.size
    return Signal("lead <II>", ecg_mv, RATE_HZ, start_s + time_s, np.zeros(n, np.bool_), ((0, n),))


def beats_of(signal: Signal) -> Beats:
    n = int(signal.duration_s)
    time_s = signal.start_s + 0.5 + np.arange(n)
    rr_ms = np.concatenate([[np.nan], np.full(n - 1, 1000.0)])
    position_idx = (time_s - signal.start_s) * RATE_HZ
    return Beats(position_idx, time_s, rr_ms, np.full(n, 240, np.uint8), np.ones(n, np.int8), ())


def marks_in(figure: Any) -> dict[str, list[tuple[float, float]]]:
    """Places of the marks, by their marker."""
    marks = {}
    for line in figure.axes[0].lines:
        if line.get_marker() not in ("None", "", None):
            x, y = line.get_data()
            marks[str(line.get_marker())] = list(zip(np.round(x, 6).tolist(), np.round(y, 6).tolist(), strict=True))
    return marks


def bands_in(figure: Any) -> list[tuple[str, float, float, float]]:
    """Shaded rectangles: (colour, left, right, top)."""
    bands = []
    for shape in figure.axes[0].collections:
        if isinstance(shape, PolyCollection):
            for path in shape.get_paths():
                x, y = path.vertices.T
                place = np.round((x.min(), x.max(), y.max()), 6).tolist()
                bands.append((to_hex(shape.get_facecolor()[0]), *place))
    return bands


def test_a_span_is_cut_where_the_rows_end() -> None:
    frame = Frame(100.0, 125.0, 10.0)
    assert frame.rows_n == 3
    assert frame.pieces(108.0, 123.0) == [(0, 8.0, 2.0), (1, 0.0, 10.0), (2, 0.0, 3.0)]
    assert frame.pieces(90.0, 101.0) == [(0, 0.0, 1.0)]
    assert frame.pieces(124.0, 999.0) == [(2, 4.0, 1.0)]
    assert frame.pieces(110.0, 120.0) == [(1, 0.0, 10.0)]
    assert frame.pieces(130.0, 140.0) == frame.pieces(105.0, 105.0) == []


def test_the_whole_recording_is_drawn_unless_a_part_is_asked_for() -> None:
    assert frame_of(a_signal(25.0), None, None) == Frame(0.0, 25.0, 10.0)
    assert frame_of(a_signal(25.0, start_s=0.25), None, None) == Frame(0.0, 25.25, 10.0)  # rows begin at round seconds
    assert frame_of(a_signal(25.0), 5.5, 9.0) == Frame(5.5, 9.0, 5.0)
    assert frame_of(a_signal(25.0), -3.0, 99.0) == Frame(0.0, 25.0, 10.0)
    assert frame_of(a_signal(1800.0), None, None).row_s == 60.0
    assert frame_of(a_signal(3600.0), None, None).rows_n == 60


@pytest.mark.parametrize(("from_s", "to_s"), [(30.0, None), (None, 0.0), (8.0, 8.0), (9.0, 8.0), (float("nan"), None)])
def test_a_part_without_recording_is_refused_with_its_limits(from_s: float | None, to_s: float | None) -> None:
    with pytest.raises(InputError, match=r"\(0\.0 to 25\.0 s\).*choose a part"):
        frame_of(a_signal(), from_s, to_s)


def test_a_day_is_refused_with_the_limit() -> None:
    with pytest.raises(InputError, match=r"3601 s would be too long.*limit is 3600 s.*--from-s"):
        frame_of(a_signal(3601.0), None, None)


def test_every_beat_is_marked_once_where_it_is() -> None:
    signal = a_signal(25.0)
    beats = beats_of(signal)
    marks = marks_in(draw_strips(signal, beats, frame_of(signal, None, None)))
    assert marks["|"] == [(n % 10 + 0.5, round(-(n // 10) - LANE / 2, 6)) for n in range(25)]
    assert marks["x"] == marks["v"] == marks["^"] == []


def test_doubtful_and_downward_beats_differ_in_shape_and_stay_one_mark_each() -> None:
    signal = a_signal(9.0)
    quality, polarity = np.full(9, 240, np.uint8), np.ones(9, np.int8)
    quality[[2, 4]], polarity[[4, 6]] = 50, -1
    beats = replace(beats_of(signal), quality=quality, polarity=polarity)
    marks = marks_in(draw_strips(signal, beats, frame_of(signal, None, None)))
    assert [x for x, _ in marks["x"]] == [2.5, 4.5]
    assert [x for x, _ in marks["v"]] == [6.5]
    assert len(marks["|"]) == 6


def test_states_blanked_spans_and_missing_samples_are_shaded_where_they_are() -> None:
    signal = a_signal(25.0)
    ecg_mv, blanked = signal.ecg_mv.copy(), signal.blanked.copy()
    ecg_mv[300:400], blanked[1200:1220] = np.nan, True
    signal = replace(signal, ecg_mv=ecg_mv, blanked=blanked, triggers_s=np.array([12.004]))
    states = (StateSpan("good", 0.0, 8.0), StateSpan("noisy", 8.0, 11.0), StateSpan("flat", 20.0, 21.0))
    figure = draw_strips(signal, replace(beats_of(signal), states=states), frame_of(signal, None, None))
    warn, train, muted, grid = (ROLES[role] for role in ("warn", "train", "muted", "grid"))
    assert sorted(bands_in(figure)) == sorted(
        [(warn, 8.0, 10.0, 0.0), (warn, 0.0, 1.0, -1.0), (train, 2.0, 2.2, -1.0), (muted, 0.0, 1.0, -2.0),
         (grid, 3.0, 4.0, 0.0)]
    )  # fmt: skip
    assert marks_in(figure)["^"] == [(2.004, round(-2 + LANE / 2, 6))]
    said = {text.get_text() for text in figure.axes[0].texts}
    assert {"noisy", "flat", "no samples", "0 s", "10 s", "20 s", "60 bpm"} <= said
    legend = {text.get_text() for text in figure.axes[0].get_legend().get_texts()}
    assert legend == {"R peak", "trigger", "noisy", "flat", "no samples", "blanked"}


def test_thinning_a_long_row_loses_no_extreme() -> None:
    signal = a_signal(600.0)
    signal.ecg_mv[12_345], signal.ecg_mv[23_456] = 7.0, -5.0
    signal.ecg_mv[40_000:41_000] = np.nan
    frame = Frame(0.0, 600.0, 600.0)
    x_s, y_mv = trace(signal, frame, 0)
    assert y_mv.size <= 3 * COLUMNS_N
    middle_mv = float(np.nanmedian(signal.ecg_mv))
    assert x_s[np.nanargmax(y_mv)] == pytest.approx(123.45, abs=0.6)
    assert np.nanmax(y_mv) == 7.0 - middle_mv
    assert np.nanmin(y_mv) == -5.0 - middle_mv
    assert np.isnan(y_mv[(x_s > 400.5) & (x_s < 409.5)]).all()


def test_noise_does_not_make_the_r_waves_small() -> None:
    signal = a_signal(60.0)
    beats = beats_of(signal)
    states = (StateSpan("good", 0.0, 30.0), StateSpan("noisy", 30.0, 60.0))
    signal.ecg_mv[3000:] += 20.0 * np.random.default_rng(1).standard_normal(3000)
    frame = frame_of(signal, None, None)
    rows = [trace(signal, frame, row) for row in range(frame.rows_n)]
    low_mv, high_mv = scale_of(rows, replace(beats, states=states), frame)
    assert 1.0 < high_mv < 2.5
    assert -2.5 < low_mv < 0.0


def test_a_flat_line_is_not_magnified() -> None:
    signal = a_signal(12.0)
    signal.ecg_mv[:] = 1e-4 * np.random.default_rng(1).standard_normal(1200)
    frame = frame_of(signal, None, None)
    no_beats = replace(beats_of(signal), time_s=np.empty(0), quality=np.empty(0, np.uint8))
    low_mv, high_mv = scale_of([trace(signal, frame, row) for row in range(2)], no_beats, frame)
    assert high_mv - low_mv == pytest.approx(0.2, abs=0.001)


def save(file: Path, signal: Signal) -> Path:
    write_picture(
        file, signal, beats_of(signal), frame_of(signal, None, None), facts=[("beats", "<9>")], command="hbc detect x"
    )
    return file


def test_png_and_svg_are_what_they_say_and_equal_for_equal_input(tmp_path: Path) -> None:
    signal = a_signal(9.0)
    assert save(tmp_path / "a.png", signal).read_bytes().startswith(PNG_HEAD)
    first, second = save(tmp_path / "a.svg", signal).read_bytes(), save(tmp_path / "b.SVG", signal).read_bytes()
    assert b"<svg" in first
    assert first == second


def test_the_page_is_one_file_that_escapes_what_it_was_told(tmp_path: Path) -> None:
    page = save(tmp_path / "a.html", a_signal(9.0)).read_text("utf-8")
    assert "lead &lt;II&gt;" in page
    assert "<dd>&lt;9&gt;</dd>" in page
    assert "<II>" not in page
    assert "hbc detect x" in page
    assert "Research use; not a medical device." in page
    assert re.findall(r"(?:src|href)=[\"'](?!#)[^\"']*", page) == []
    assert all(f"var(--{role})" in page for role in ("ink", "series", "muted"))


def test_a_name_with_a_dollar_sign_is_plain_text(tmp_path: Path) -> None:
    text = save(tmp_path / "a.svg", replace(a_signal(9.0), name="$x$ $\\alpha$")).read_text("utf-8")
    assert ">$x$ $\\alpha$</text>" in text


@pytest.mark.parametrize("name", ["beats", "beats.pdf", "beats.jpeg"])
def test_another_ending_is_refused_with_those_that_can_be(name: str) -> None:
    with pytest.raises(InputError, match=r"end it in \.png, \.svg, \.html"):
        check_suffix(Path(name))
    assert ecg_strip.SUFFIXES == (".png", ".svg", ".html")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"No such file.*choose another place with --picture"):
        save(tmp_path / "nowhere" / "a.png", a_signal(9.0))
