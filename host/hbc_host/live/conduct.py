"""Conducting a session: the recording, its alarms, and the engine that follows it, from first byte to result."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hbc_host import __version__
from hbc_host.alarm_criteria import criteria_of
from hbc_host.alarm_watch import AlarmWatch
from hbc_host.alarms import NOT_VISIBLE, Alarm
from hbc_host.chunks import FROM_BOX, TO_BOX, Chunk
from hbc_host.clinic.visit import Visit
from hbc_host.link import HELLO_TIMEOUT_S
from hbc_host.live.engine import Engine
from hbc_host.live.feed import Feed
from hbc_host.live.follow import Follow
from hbc_host.live.gate import check_box
from hbc_host.live.over import STAY_S
from hbc_host.live.rebuild import rebuild
from hbc_host.live.state_now import hello_of, state_of
from hbc_host.reconnect import BoxFinder
from hbc_host.record import RecordSummary, record
from hbc_host.session_model import SessionMeta
from hbc_host.transport import Transport

log = logging.getLogger(__name__)

Candidates = Callable[[], Sequence[Transport]]


class Overheard:
    """A transport whose openings and writes the engine hears of; reads reach it by the link's tap."""

    def __init__(self, inner: Transport, engine: Engine, clock: Callable[[], float]) -> None:
        self._inner, self._engine, self._clock = inner, engine, clock
        self.url = str(getattr(inner, "url", type(inner).__name__))

    def open(self) -> None:
        """As the transport's own."""
        self._inner.open()
        self._engine.opened()

    def read(self) -> bytes:
        """As the transport's own."""
        return self._inner.read()

    def write(self, data: bytes) -> None:
        """As the transport's own; the engine learns when."""
        self._engine.tap(Chunk(TO_BOX, self._clock(), data))
        self._inner.write(data)

    def close(self) -> None:
        """As the transport's own."""
        self._inner.close()


def meta_of(visit: Visit, port: str) -> SessionMeta:
    """The labels of a visit's recording, which begins now: it may have been laid down days ago."""
    return SessionMeta(
        created=datetime.now(UTC),
        title=visit.pseudonym,
        protocol=visit.protocol.trains.timing.name,
        sites=tuple(run.site for run in visit.plan.runs),
        intensities_pct=tuple(train.intensity_mso_pct for train in visit.plan.runs[0].trains if train.pulses_n),
        host_version=__version__,
        port=port,
    )


def conduct(
    folder: Path,
    visit: Visit,
    transport: Transport,
    *,
    clock: Callable[[], float] = time.monotonic,
    feed: Feed | None = None,
    candidates: Candidates | None = None,
    give_up_s: float = 600.0,
    resume: bool = False,
    stop: Callable[[], bool] = lambda: False,
    on_event: Callable[[str], None] | None = None,
    on_alarm: Callable[[Alarm], None] | None = None,
    on_problem: Callable[[dict[str, Any]], None] = lambda _: None,
    stay_s: float = STAY_S,
    closed: str = "",
    hello_timeout_s: float = HELLO_TIMEOUT_S,
    ping: bool = True,
) -> RecordSummary:
    """Conduct the session of a visit until it is over or somebody ends it.

    Parameters
    ----------
    folder : Path
        Session folder with ``visit.json``; the recording is made in it.
    visit : Visit
    transport : Transport
        To the box.
    clock : callable
        Host seconds; a simulated box brings its own.
    feed : Feed, optional
        One that serves already; else one is opened for this session.
    candidates : callable, optional
        Transports to try when the box is lost; without, the recording ends then.
    give_up_s : float
        How long a lost box is looked for, seconds.
    resume : bool
        Take up a session that was interrupted: its log says where it stood.
    stop : callable
        Asked between reads; true ends the session.
    on_event : callable, optional
        Gets lines for people.
    on_alarm : callable, optional
        Gets each alarm, in the thread of the alarms, at once.
    on_problem : callable, optional
        Gets ``code``, ``text`` and ``began`` of each problem that begins or ends, in the engine's thread; it must not
        wait. Those that stood already when a session is taken up come first.
    stay_s : float
        How long the session waits for its end when all sites are done and a page is there, seconds.
    closed : str
        What words after the end are told; else :func:`hbc_host.live.over.closed_words` of the usual store.
    hello_timeout_s : float
        How long the box may take to introduce itself, seconds.
    ping : bool
        Relate the box's clock to the host's. A free-running simulated box can only be listened to.

    Returns
    -------
    RecordSummary

    Raises
    ------
    SessionError
        The protocol is for practice, and the box a real one.
    HbcError
        As :func:`hbc_host.record.record`.
    """
    follow = rebuild(folder, visit) if resume else Follow(visit)
    criteria = criteria_of(visit.protocol.alarms)
    with ExitStack() as stack:
        feed = stack.enter_context(Feed(folder)) if feed is None else feed
        feed.publish(hello_of(visit, None))  # what pages may know before the box has spoken
        feed.publish(state_of(follow))
        _say_what_stands(follow, on_problem)
        engine = Engine(
            follow, folder, feed, clock=clock, stop=stop, on_problem=on_problem,
            on_event=on_event or log.info, stay_s=stay_s, closed=closed,
        )  # fmt: skip
        stack.enter_context(engine)

        def heard(alarm: Alarm) -> None:
            if alarm.kind == NOT_VISIBLE and engine.should_stop():  # nobody looks: the recording is being closed
                return
            engine.alarm(alarm)
            if on_alarm is not None:
                on_alarm(alarm)

        watch = None if criteria is None else stack.enter_context(AlarmWatch(criteria, heard, clock=clock))

        def tap(chunk: Chunk) -> None:
            if watch is not None:
                watch.tap(chunk)
            if chunk.kind == FROM_BOX:
                engine.tap(chunk) if chunk.data else engine.closed()

        def notes() -> list[Chunk]:
            return engine.notes() + (watch.notes() if watch is not None else [])

        finder = None
        if candidates is not None and give_up_s > 0:
            finder = BoxFinder(lambda: [Overheard(one, engine, clock) for one in candidates()], give_up_s=give_up_s)
        summary = record(
            Overheard(transport, engine, clock),
            folder,
            meta=meta_of(visit, str(getattr(transport, "url", ""))),
            stop=engine.should_stop,
            on_event=on_event,
            clock=clock,
            ping=ping,
            fetch=ping,
            tap=tap,
            notes=notes,
            reconnect=finder,
            resume=resume,
            hello_timeout_s=hello_timeout_s,
            accept=lambda hello: check_box(visit, hello.unique_id),
        )
        if summary.ended in ("stopped", "interrupted"):
            engine.over()
        engine.final()
    return summary


def _say_what_stands(follow: Follow, on_problem: Callable[[dict[str, Any]], None]) -> None:
    """Problems that stood before a crash; what is noted anew is said by the engine when it writes it down."""
    anew = {one.fields["code"] for one in follow.noted if one.event == "problem"}
    for problem in follow.problems.standing.values():
        if problem.code not in anew:
            on_problem({"code": problem.code, "text": problem.text, "began": True})


__all__ = ["Candidates", "conduct", "meta_of"]
