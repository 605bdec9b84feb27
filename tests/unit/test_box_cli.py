"""The commands of the box: which port, which names, and a line of help for everybody."""

from __future__ import annotations

from pathlib import Path

import pytest
from hbc_host import cli_boxes, transport
from hbc_host.cli import app
from hbc_host.errors import InputError, TransportError
from typer.testing import CliRunner


def test_each_command_of_the_box_has_help_with_an_example() -> None:
    for command in ("flash", "info", "check", "set", "recover"):
        result = CliRunner().invoke(app, ["box", command, "--help"])
        assert result.exit_code == 0
        assert f"Example: hbc box {command}" in " ".join(result.output.split())


def test_the_only_port_need_not_be_named_but_of_two_one_must(monkeypatch: pytest.MonkeyPatch) -> None:
    ports: list[str] = []
    monkeypatch.setattr(transport, "port_names", lambda: ports)
    with pytest.raises(TransportError, match="no serial port found; plug in the box"):
        cli_boxes._port("")
    ports.append("/dev/ttyUSB0")
    assert cli_boxes._port("") == "/dev/ttyUSB0"
    ports.append("/dev/ttyUSB1")
    with pytest.raises(InputError, match="say which with --port"):
        cli_boxes._port("")
    assert cli_boxes._port("/dev/x") == "/dev/x"


def test_a_setting_may_be_written_with_an_equals_sign() -> None:
    assert cli_boxes._name_and_value("blank_ms=8", None) == ("blank_ms", 8)
    assert cli_boxes._name_and_value("blank_ms", 8) == ("blank_ms", 8)
    with pytest.raises(InputError, match="'soon' is not a whole number"):
        cli_boxes._name_and_value("blank_ms=soon", None)


def test_a_setting_without_a_value_and_a_used_folder_are_refused_before_a_port_is_opened(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["box", "set", "blank_ms", "--port", "/dev/nonesuch"])
    assert (result.exit_code, "give a value, too" in result.stderr) == (2, True)
    (tmp_path / "mine.txt").write_text("x")
    result = CliRunner().invoke(app, ["box", "check", "--port", "/dev/nonesuch", "--out", str(tmp_path)])
    assert (result.exit_code, "is not empty" in result.stderr) == (2, True)
