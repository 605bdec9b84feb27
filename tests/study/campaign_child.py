"""A program that records and is killed, or whose disk fills up or turns read-only while it writes; run by the campaign.

    python tests/study/campaign_child.py PORT FOLDER [--resume] [--limit-n N] [--at N] [--what fill|break|refuse]

Prints one line of JSON: how the recording ended, why, and how many bytes of the log fsync had acknowledged.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import resource
import signal
import time
from pathlib import Path
from typing import Any

from campaign_world import labels
from hbc_host.record import record
from hbc_host.recorder import LogWriter
from hbc_host.transport import SerialTransport

SILENT_S = 1.0  # the world has ended when nothing came for so long
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def fill(folder: Path) -> None:
    """Another program takes the last bytes of the disk."""
    with (folder.parent / "filler").open("wb", buffering=0) as file:
        for size_n in (65536, 1):  # in large pieces, then to the last byte
            try:
                while file.write(bytes(size_n)):
                    pass
            except OSError:
                continue


def break_disk(folder: Path) -> None:
    """The kernel finds an error in this ext4 file system and lets nobody write to it any more."""
    device = next(line.split()[0] for line in Path("/proc/self/mounts").read_text().splitlines()
                  if line.split()[1] == str(folder.parent))  # fmt: skip
    if not device.startswith("/dev/loop"):
        raise RuntimeError(f"{folder.parent} lies on {device}; only a disk made for this is broken")
    Path("/sys/fs/ext4", Path(device).name, "trigger_fs_error").write_text("1")


def refuse(folder: Path) -> None:
    """Every write to the folder is refused, within this program only: for who may not mount a disk."""
    write, opened = os.write, os.open

    def read_only(*_: object) -> Any:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    def write_elsewhere(number: int, data: Any) -> int:
        inside = os.readlink(f"/proc/self/fd/{number}").startswith(str(folder))
        return int(read_only()) if inside else write(number, data)

    def open_to_read(path: Any, flags: int, *mode: int, **more: Any) -> int:
        inside = str(path).startswith(str(folder)) and flags & WRITING
        return int(read_only()) if inside else opened(path, flags, *mode, **more)

    os.write, os.open = write_elsewhere, open_to_read
    os.rename = os.unlink = read_only


MISHAPS = {"fill": fill, "break": break_disk, "refuse": refuse}


def limit_files(limit_n: int) -> None:
    """No file may grow beyond this: as a full disk, for who may not mount one."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_n, limit_n))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--limit-n", type=int)
    parser.add_argument("--at", type=int, default=0, help="the mishap comes with this message")
    parser.add_argument("--what", choices=sorted(MISHAPS))
    options = parser.parse_args()
    if options.limit_n is not None:
        limit_files(options.limit_n)
    heard_s, messages_n, synced_n = time.monotonic(), 0, 0

    def hear(_: object) -> None:
        nonlocal heard_s, messages_n
        heard_s = time.monotonic()
        messages_n += 1
        if options.what is not None and messages_n == options.at:
            MISHAPS[options.what](options.folder)

    real_sync = LogWriter.sync

    def sync(log: LogWriter) -> None:
        nonlocal synced_n
        real_sync(log)
        synced_n = log.bytes_n

    LogWriter.sync = sync  # type: ignore[method-assign]
    summary = record(
        SerialTransport(options.port), options.folder, meta=labels("x"), resume=options.resume, ping=True, fetch=True,
        on_event=lambda _: None, on_message=hear, hello_timeout_s=30.0,
        stop=lambda: time.monotonic() - heard_s > SILENT_S,
    )  # fmt: skip
    print(json.dumps({"ended": summary.ended, "reason": summary.reason, "synced_n": synced_n}))


if __name__ == "__main__":
    main()
