"""A port that cannot be used is one line with the next step; a real pty carries bytes unchanged."""

from __future__ import annotations

import errno
import os
import pty
from pathlib import Path
from typing import Any

import pytest
import serial
from hbc_host import transport
from hbc_host.errors import TransportError
from hbc_host.transport import SerialTransport, port_names
from support import pty_box


def test_bytes_of_all_values_pass_a_real_pty_both_ways() -> None:
    every = bytes(range(256)) * 3
    with pty_box() as box:
        port = SerialTransport(box.path)
        port.open()
        box.send(every)
        came = b""
        while len(came) < len(every):
            came += port.read()
        assert came == every
        port.write(every[:256])
        there = b""
        while len(there) < 256:
            there += os.read(box.master, 4096)
        assert there == every[:256]
        assert port.read() == b""
        port.close()
        port.close()


def test_unknown_port_lists_the_ports_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "port_names", lambda: ["/dev/ttyUSB3", "/dev/ttyUSB7"])
    with pytest.raises(TransportError, match=r"no port /dev/nonesuch; .*: /dev/ttyUSB3, /dev/ttyUSB7$"):
        SerialTransport("/dev/nonesuch").open()
    monkeypatch.setattr(transport, "port_names", lambda: [])
    with pytest.raises(TransportError, match="none, is the box plugged in"):
        SerialTransport("/dev/nonesuch").open()


def test_busy_port_is_refused_and_said_so() -> None:
    with pty_box() as box:
        first = SerialTransport(box.path)
        first.open()
        with pytest.raises(TransportError, match="is busy; close the other program"):
            SerialTransport(box.path).open()
        first.close()
        second = SerialTransport(box.path)
        second.open()
        second.close()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become another user, so it runs as root only (CI does)")
def test_forbidden_port_names_the_group_dialout() -> None:
    with pty_box() as box:
        os.chmod(box.path, 0o600)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:  # the interpreter's own checks would see root, so the whole process changes its user
            os.setgid(65534)
            os.setuid(65534)
            try:
                SerialTransport(box.path).open()
                said = "opened"
            except TransportError as error:
                said = str(error)
            os.write(writer, said.encode())
            os._exit(0)
        os.close(writer)
        said = os.read(reader, 4096).decode()
        os.close(reader)
        os.waitpid(child, 0)
        assert "no permission" in said
        assert "sudo usermod -aG dialout $USER" in said


def test_forbidden_port_names_the_group_dialout_for_any_user(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise serial.SerialException(errno.EACCES, "could not open port: [Errno 13] Permission denied")

    monkeypatch.setattr(serial.Serial, "open", refuse)
    with pytest.raises(TransportError, match=r"no permission to open /dev/ttyUSB0; .*dialout"):
        SerialTransport("/dev/ttyUSB0").open()


@pytest.mark.parametrize("url", ["", "nonesuch://x", "/dev/null"])
def test_what_is_no_serial_port_is_refused_in_one_line(url: str, tmp_path: Path) -> None:
    with pytest.raises(TransportError) as caught:
        SerialTransport(url).open()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


def test_a_plain_file_is_no_serial_port(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x")
    with pytest.raises(TransportError, match="cannot be used as a serial port"):
        SerialTransport(str(path)).open()


def test_unplugged_port_raises_with_the_next_step() -> None:
    with pty_box() as box:
        port = SerialTransport(box.path)
        port.open()
        box.unplug()
        with pytest.raises(TransportError, match="disappeared; check the cable"):
            port.read()
        with pytest.raises(TransportError, match="disappeared"):
            port.write(b"x")
        port.close()


def test_use_before_opening_is_an_error_not_a_crash() -> None:
    with pytest.raises(TransportError, match="not open"):
        SerialTransport("/dev/ttyUSB0").read()


def test_opening_never_passes_through_the_reset_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ESP32 board resets while RTS is high and DTR is low; the kernel raises both when it opens a port."""
    lines = {"dtr": True, "rts": True}
    seen: list[tuple[bool, bool]] = []

    def set_line(name: str) -> Any:
        def update(self: serial.Serial) -> None:
            lines[name] = getattr(self, f"_{name}_state")
            seen.append((lines["dtr"], lines["rts"]))

        return update

    monkeypatch.setattr(serial.Serial, "_update_dtr_state", set_line("dtr"))
    monkeypatch.setattr(serial.Serial, "_update_rts_state", set_line("rts"))
    master, slave = pty.openpty()
    port = SerialTransport(os.ttyname(slave))
    port.open()
    port.close()
    os.close(master)
    os.close(slave)
    assert (False, True) not in seen
    assert seen[-1] == (False, False)


def test_bytes_from_before_the_opening_can_be_left_out() -> None:
    with pty_box() as box:
        box.send(b"from the day before yesterday")
        assert not box.drained()
        port = SerialTransport(box.path, discard_s=0.1)
        port.open()
        box.send(b"now")
        came = b""
        while len(came) < 3:
            came += port.read()
        assert came == b"now"
        port.close()


def test_port_names_are_sorted_text() -> None:
    assert port_names() == sorted(port_names())
