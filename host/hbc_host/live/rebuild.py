"""Where an interrupted session stood: the follower hears its own log again, bytes and notes, in order."""

from __future__ import annotations

import math
from pathlib import Path

from hbc_host.alarms import NOT_VISIBLE, Alarm
from hbc_host.chunks import FROM_BOX, HOST_NOTE
from hbc_host.clinic.visit import Visit
from hbc_host.guided import SITE_BEGINS, SITE_ENDS
from hbc_host.live import problems
from hbc_host.live.follow import Follow
from hbc_host.live.silence import AWAY_S
from hbc_host.live.steps_now import Noted
from hbc_host.live.words_now import hear_note
from hbc_host.parts import LOST, PART, note_of, read_parts
from hbc_host.protocol import StreamDecoder


def rebuild(folder: Path, visit: Visit) -> Follow:
    """A follower that has heard all of an interrupted recording.

    What it finds to note is in the log already, but for what the crash cut off: a site that began or ended.

    Raises
    ------
    SessionError
        There is no recording to take up.
    """
    follow = Follow(visit)
    decoder = StreamDecoder()
    logged: set[tuple[str, object]] = set()
    due: list[Noted] = []
    heard_s = went_on_s = math.nan
    for chunk in read_parts(folder).chunks:
        if chunk.host_s - heard_s > AWAY_S and chunk.host_s - went_on_s > AWAY_S:  # as the engine had it then
            follow.away_s = chunk.host_s - went_on_s
        if chunk.kind == FROM_BOX:
            heard_s, before_us = chunk.host_s, follow.now_us
            for seq, message in decoder.feed(chunk.data):
                follow.take(message, seq, heard_s)
            went_on_s = heard_s if follow.now_us != before_us else went_on_s
        elif chunk.kind == HOST_NOTE:
            fields = note_of(chunk)
            event = str(fields.pop("event", ""))
            if event == PART:  # by another clock, perhaps
                heard_s = went_on_s = math.nan
            if event in (LOST, PART):
                decoder = StreamDecoder()
                follow.connection_lost()
            else:
                logged.add((event, fields.get("site_idx")))
                hear_note(follow, event, fields)
        due += [one for one in follow.noted if one.event in (SITE_BEGINS, SITE_ENDS)]
        follow.said, follow.noted, follow.done = [], [], follow.done[-1:]
    follow.noted = [one for one in due if (one.event, one.fields["site_idx"]) not in logged]
    _nobody_watched(follow)
    follow.connection_lost()
    follow.silence()
    return follow


def _nobody_watched(follow: Follow) -> None:
    """Alarms that stood at the crash are over for the watch, which begins anew and would never say so."""
    kinds = {one["kind"] for one in follow.alarms.fields() if not one["over"]}
    if problems.HEART_NOT_VISIBLE in follow.problems.standing:
        kinds.add(NOT_VISIBLE)
    for kind in sorted(kinds):
        over = Alarm(kind, False, follow.now_us, f"over: {kind}, the watch began anew")
        follow.hear_alarm(over)
        fields = {"kind": kind, "began": False, "met_us": over.met_us, "text": over.text}
        follow.noted.append(Noted("alarm", fields))
