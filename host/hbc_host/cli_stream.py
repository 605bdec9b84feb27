"""``hbc stream``: what the box measures, live, for other programs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hbc_host.cli_common import HbcGroup, JsonOption, Output
from hbc_host.cli_store import folder_given
from hbc_host.errors import InputError, TransportError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hbc_host.exchange.lsl_out import Outlets

app = typer.Typer(name="stream", cls=HbcGroup, no_args_is_help=True, help="Live streams to and from other programs.")

NetworkOption = Annotated[bool, typer.Option("--network", help="Be found on the local network, not only here.")]
SecondsOption = Annotated[
    float | None, typer.Option(metavar="S", help="Stop after so long; else with Ctrl-C.", show_default=False, min=0.1)
]


@app.command()
def lsl(
    live: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="A session under way, or its visit: follow it, untouched.", show_default=False
        ),
    ] = None,
    port: Annotated[
        str | None,
        typer.Option(metavar="PORT", help="A box without a session: listen only, nothing is kept.", show_default=False),
    ] = None,
    seconds: SecondsOption = None,
    network: NetworkOption = False,
    json_target: JsonOption = None,
) -> None:
    """Send ECG, beats, triggers and coupling as LSL streams, stamped with the instants at which they happened.

    Example: hbc stream lsl --live sessions/P-014
    """
    if (live is None) == (port is None):
        raise InputError("give one of --live FOLDER (a session under way) and --port PORT (a box alone)")
    out = Output(json_target)
    from hbc_host.exchange.lsl import load_lsl
    from hbc_host.exchange.lsl_out import outlets

    module = load_lsl(network=network)
    until_s = None if seconds is None else time.monotonic() + seconds
    with outlets(module) as streams:
        try:
            _run(_messages(live, port, lambda: until_s is not None and time.monotonic() >= until_s), streams, out)
        except KeyboardInterrupt:
            out.say("stopped by Ctrl-C")
        out.say(", ".join(f"{name}: {count}" for name, count in streams.sent_n.items()))
        out.json(
            {
                "sent_n": streams.sent_n,
                "left_out_n": streams.left_out_n,
                "clock_max_error_us": round(streams.clock.error_us, 1) if streams.clock.fit else None,
            }
        )


def _run(messages: Iterator[dict[str, Any]], streams: Outlets, out: Output) -> None:
    told = False
    for message in messages:
        streams.take(message)
        if streams.are_open and not told:
            told = True
            out.say(
                f"streams are open; time stamps are good to {streams.clock.error_us / 1e3:.2f} ms; Ctrl-C ends them"
            )


def _messages(live: Path | None, port: str | None, stop: Callable[[], bool]) -> Iterator[dict[str, Any]]:
    if live is not None:
        yield from _of_session(live, stop)
    elif port is not None:
        from hbc_host.exchange.box_feed import listen_to
        from hbc_host.link import Link
        from hbc_host.transport import SerialTransport

        with Link(SerialTransport(port), ping=True) as link:
            try:
                yield from listen_to(link, stop)
            except TransportError as error:
                if not stop():
                    raise error


def _of_session(folder: Path, stop: Callable[[], bool]) -> Iterator[dict[str, Any]]:
    from hbc_host.live.feed_client import FeedClient, NoFeedError

    with FeedClient(folder_given(folder)) as client:
        while not stop():
            try:
                message = client.receive(timeout_s=0.2)
            except NoFeedError:  # the session is over: that is how this ends
                return
            if message is not None:
                yield message


@app.command()
def markers(
    out_path: Annotated[Path, typer.Option("--out", metavar="FILE", help="New CSV of markers.", show_default=False)],
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="The stream, if there are several.", show_default=False)
    ] = None,
    seconds: SecondsOption = None,
    network: NetworkOption = False,
) -> None:
    """Write down the markers of another program, while hbc record runs in another window; for hbc stream place.

    Example: hbc stream markers --out markers.csv
    """
    out = Output(None)
    from hbc_host.exchange.lsl import load_lsl
    from hbc_host.exchange.lsl_in import find_markers, listen_markers, write_markers

    module = load_lsl(network=network)
    info = find_markers(module, name)
    out.say(f"listening to {info.name()} on {info.hostname()}; Ctrl-C ends")
    until_s = None if seconds is None else time.monotonic() + seconds
    heard = listen_markers(module, info, lambda: until_s is not None and time.monotonic() >= until_s)
    try:
        write_markers(out_path, heard, lambda marker: out.say(f"{marker.host_s:.3f} s  {marker.text}"))
    except KeyboardInterrupt:
        out.say("stopped by Ctrl-C")
    out.say(f"wrote {out_path}")


@app.command()
def place(
    file: Annotated[Path, typer.Argument(metavar="MARKERS", help="File of hbc stream markers.")],
    session: Annotated[
        Path, typer.Argument(metavar="SESSION", help="What was recorded at the same time: folder, or visit.")
    ],
    out_path: Annotated[Path, typer.Option("--out", metavar="FILE", help="New CSV of triggers.", show_default=False)],
    match: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Only markers of this text.", show_default=False)
    ] = None,
    json_target: JsonOption = None,
) -> None:
    """Put markers on the clock of a recording: trigger times beside those of hbc detect SESSION --csv.

    Example: hbc stream place markers.csv sessions/P-014 --match TMS --out triggers.csv
    """
    out = Output(json_target)
    from hbc_host.exchange.lsl_in import place_markers, read_markers
    from hbc_host.exchange.out_files import write_new
    from hbc_host.session import load_session

    wanted = [marker for marker in read_markers(file) if match is None or marker.text == match]
    if not wanted:
        raise InputError(f"{file}: no marker{f' {match!r}' if match else ''}; look at its last column for --match")
    placed = place_markers(wanted, load_session(folder_given(session)))
    write_new(out_path, "".join(["time_s\n", *(f"{at:.6f}\n" for at in placed.device_s.tolist())]))
    out.say(
        f"{placed.device_s.size} markers placed, good to {placed.error_s * 1e3:.1f} ms beside what the sender's stamps "
        f"are worth; {placed.outside_n} lay outside the recording"
    )
    out.say(f"wrote {out_path}")
    out.json(
        {
            "placed_n": int(placed.device_s.size),
            "outside_n": placed.outside_n,
            "error_ms": round(placed.error_s * 1e3, 3),
        }
    )
