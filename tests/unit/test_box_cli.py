"""The commands of the box: which port, which names, and a line of help for everybody."""

from __future__ import annotations

from pathlib import Path

import pytest
from hbc_host import cli_boxes
from hbc_host.cli import app
from hbc_host.errors import InputError, TransportError
from hbc_host.ports import the_port
from serial.tools.list_ports_common import ListPortInfo
from typer.testing import CliRunner


def test_each_command_of_the_box_has_help_with_an_example() -> None:
    for command in ("flash", "info", "check", "set", "recover"):
        result = CliRunner().invoke(app, ["box", command, "--help"])
        assert result.exit_code == 0
        assert f"Example: hbc box {command}" in " ".join(result.output.split())


def seen(device: str, vid: int | None = None, description: str = "n/a") -> ListPortInfo:
    port = ListPortInfo(device, skip_link_detection=True)
    port.vid, port.description = vid, description
    return port


def test_the_only_port_on_usb_need_not_be_named_but_of_two_one_must() -> None:
    built_in = seen("/dev/ttyS0")
    usb = [seen("/dev/ttyUSB0", 0x10C4, "CP2102 USB to UART"), seen("/dev/ttyUSB1", 0x1A86)]
    assert the_port(lambda: [built_in, usb[0]]) == "/dev/ttyUSB0"
    with pytest.raises(InputError, match=r"USB: /dev/ttyUSB0 \(CP2102 USB to UART\), /dev/ttyUSB1; say which"):
        the_port(lambda: [*usb, built_in])
    assert cli_boxes._port("/dev/x") == "/dev/x"


def test_without_a_box_each_port_that_was_seen_is_named_and_why_it_was_not_taken() -> None:
    with pytest.raises(TransportError, match=r"^no box found: no serial port; plug in the box"):
        the_port(list)
    with pytest.raises(TransportError, match=r"are /dev/ttyS0 \(not on USB\), /dev/ttyS1 \(not on USB\), and"):
        the_port(lambda: [seen("/dev/ttyS1"), seen("/dev/ttyS0")])


def test_a_setting_may_be_written_with_an_equals_sign() -> None:
    assert cli_boxes._name_and_value("blank_ms=8", "") == ("blank_ms", 8)
    assert cli_boxes._name_and_value("blank_ms", "8") == ("blank_ms", 8)
    assert cli_boxes._name_and_value("front_end", "ads1292r") == ("front_end", 1)
    assert cli_boxes._name_and_value("front_end=AD8232", "") == ("front_end", 0)
    assert cli_boxes._name_and_value("blank_ms", "") == ("blank_ms", None)
    with pytest.raises(InputError, match="'soon' is not a whole number"):
        cli_boxes._name_and_value("blank_ms=soon", "")


def test_a_setting_without_a_value_and_a_used_folder_are_refused_before_a_port_is_opened(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["box", "set", "blank_ms", "--port", "/dev/nonesuch"])
    assert (result.exit_code, "give a value, too" in result.stderr) == (2, True)
    (tmp_path / "mine.txt").write_text("x")
    result = CliRunner().invoke(app, ["box", "check", "--port", "/dev/nonesuch", "--out", str(tmp_path)])
    assert (result.exit_code, "is not empty" in result.stderr) == (2, True)
