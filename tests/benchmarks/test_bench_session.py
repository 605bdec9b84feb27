"""An hour of recording: bytes to results, and the replay through link and recorder: `make bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hbc_host.recorder import FROM_BOX, LOG_NAME, Chunk, LogWriter
from hbc_host.replay import replay_session
from hbc_host.session import META_NAME, load_session
from support import a_meta, box_frames, stream_of

DURATION_S = 3600.0
CHUNK_N = 140  # a read of a live box: 2750 bytes a second, one every 50 ms


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hour")
    (folder / META_NAME).write_text(a_meta().to_json(), "utf-8")
    data = stream_of(box_frames(DURATION_S))
    writer = LogWriter(folder / LOG_NAME)
    for at in range(0, len(data), CHUNK_N):
        writer.append(Chunk(FROM_BOX, at / 2750, data[at : at + CHUNK_N]))
    writer.close()
    return folder


@pytest.mark.benchmark(group="hour")
def test_an_hour_is_decoded(benchmark: Any, hour: Path) -> None:
    session = benchmark.pedantic(load_session, (hour,), rounds=5, warmup_rounds=1)
    assert session.frames_lost_n == 0
    assert session.duration_s == pytest.approx(DURATION_S, abs=0.1)
    benchmark.extra_info["times_real_time"] = round(DURATION_S / benchmark.stats.stats.median)


@pytest.mark.benchmark(group="hour")
def test_an_hour_is_replayed_through_link_and_recorder(benchmark: Any, hour: Path) -> None:
    session = benchmark.pedantic(replay_session, (hour,), rounds=3)
    assert session.frames_lost_n == 0
    benchmark.extra_info["times_real_time"] = round(DURATION_S / benchmark.stats.stats.median)
