"""An hour of recording, from its file to results and through a replay: `make bench`."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hbc_hil.rig import rig
from hbc_hil.scenario import Scenario
from hbc_host.analysis import analyze_session
from hbc_host.chunks import FROM_BOX, Chunk, Chunks
from hbc_host.record import record
from hbc_host.recorder import LOG_NAME, LogWriter, read_log
from hbc_host.redetect import redetect
from hbc_host.replay import replay_session, verify_replay
from hbc_host.session import META_NAME, load_session, load_with_log, session_hash
from hbc_host.session_model import SessionMeta
from hbc_host.trains import parse_protocol
from hbc_host.transport import SerialTransport
from support import a_meta, box_frames, stream_of

DURATION_S = 3600.0
ROUNDS_N = 7
CHUNK_N = 140  # a read of a live box: 2750 bytes a second, one every 50 ms


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hour")
    (folder / META_NAME).write_text(a_meta().to_json(), "utf-8")
    write_in_small_reads(folder, stream_of(box_frames(DURATION_S)))
    return folder


def write_in_small_reads(folder: Path, data: bytes) -> None:
    writer = LogWriter(folder / LOG_NAME)
    for at in range(0, len(data), CHUNK_N):
        writer.append(Chunk(FROM_BOX, at / 2750, data[at : at + CHUNK_N]))
    writer.close()


@pytest.fixture(scope="module")
def four_sites(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demonstration's four sites with 13 minutes of rest between them: an hour, recorded from the simulated box."""
    folder = tmp_path_factory.mktemp("sites") / "session"
    scenario = replace(Scenario.demo(4711), rest_between_s=799.0)
    sites = tuple(site.name for site in scenario.sites)
    with rig(scenario) as box:
        assert box.world.duration_s == pytest.approx(DURATION_S, abs=10.0)
        meta = SessionMeta(datetime.now(UTC), "hour", "dash", sites, scenario.intensities_pct, "benchmark", box.port)
        record(
            SerialTransport(box.port), folder, meta=meta, stop=lambda: box.finished,
            clock=lambda: box.bridge.virtual_s, hello_timeout_s=600.0,
        )  # fmt: skip
    # A simulated box that does not wait for real time is read in large pieces; a live one is not.
    small = tmp_path_factory.mktemp("small")
    (small / META_NAME).write_bytes((folder / META_NAME).read_bytes())
    write_in_small_reads(small, Chunks.of(read_log(folder / LOG_NAME).chunks).data())
    return small


def rounds_of(benchmark: Any, what: Any, *arguments: Any) -> Any:
    began_s = time.process_time()
    result = benchmark.pedantic(what, arguments, rounds=ROUNDS_N, warmup_rounds=1)
    benchmark.extra_info["processor_s"] = round((time.process_time() - began_s) / (ROUNDS_N + 1), 3)
    benchmark.extra_info["times_real_time"] = round(DURATION_S / benchmark.stats.stats.median)
    return result


def decoded(folder: Path) -> str:
    session = load_session(folder)
    assert session.frames_lost_n == 0
    assert session.duration_s == pytest.approx(DURATION_S, abs=0.1)
    return session_hash(session)


@pytest.mark.benchmark(group="hour")
def test_an_hour_from_its_file_to_the_hash_of_its_result(benchmark: Any, hour: Path) -> None:
    rounds_of(benchmark, decoded, hour)


@pytest.mark.benchmark(group="hour")
def test_an_hour_is_replayed_through_link_and_recorder(benchmark: Any, hour: Path) -> None:
    assert rounds_of(benchmark, replay_session, hour).frames_lost_n == 0


@pytest.mark.benchmark(group="hour")
def test_an_hour_decoded_replayed_and_both_results_compared(benchmark: Any, hour: Path) -> None:
    """What `hbc replay` does between its start and its answer: this is to take at most a second."""
    assert rounds_of(benchmark, verify_replay, hour).same


def whole_result(folder: Path) -> int:
    """As `hbc replay`, and to the result of each site: coupling, steps, threshold, sites compared."""
    recorded, session = load_with_log(folder)
    assert session_hash(session) == session_hash(replay_session(folder, recorded=recorded))
    return len(analyze_session(session, protocol=parse_protocol("dash")).sites)


@pytest.mark.benchmark(group="hour")
def test_an_hour_with_four_sites_replayed_and_from_its_file_to_their_results(benchmark: Any, four_sites: Path) -> None:
    """The same second, import to result included."""
    assert rounds_of(benchmark, whole_result, four_sites) == 4


@pytest.mark.benchmark(group="hour")
def test_an_hour_with_four_sites_from_its_file_to_their_results(benchmark: Any, four_sites: Path) -> None:
    rounds_of(
        benchmark, lambda folder: analyze_session(load_session(folder), protocol=parse_protocol("dash")), four_sites
    )


@pytest.mark.benchmark(group="hour")
def test_the_beats_of_an_hour_are_detected_again(benchmark: Any, hour: Path) -> None:
    """What --verify adds."""
    rounds_of(benchmark, redetect, load_session(hour))
