"""What goes onto a box: compiled for its interpreter, only what differs, nothing stale, main.py last."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hbc_host.box.app_files import MAIN, AppFile, arch_of, build_app, firmware_here, mip_manifest, sources
from hbc_host.box.boards import board_names, choose_board
from hbc_host.box.bootloader import md5_of, pieces_of
from hbc_host.box.chips import CHIPS
from hbc_host.box.install import BOARD_FILE, MANIFEST, install, plan_for
from hbc_host.errors import FlashError

REPOSITORY = Path(__file__).resolve().parents[2]
X64_MPY = 2 << 10 | 3 << 8 | 6  # as the unix port says it
ESP32_MPY = 10 << 10 | 3 << 8 | 6


@pytest.fixture(scope="module")
def app() -> tuple:
    return build_app("xtensawin")


def test_the_app_is_every_device_file_compiled_but_main(app: tuple) -> None:
    firmware = REPOSITORY / "firmware"
    wanted = {path.relative_to(firmware).as_posix() for path in firmware.rglob("*.py")}
    assert set(sources()) == wanted
    assert {file.path for file in app} == {path.replace(".py", ".mpy") for path in wanted - {MAIN}} | {MAIN}
    assert app[-1].path == MAIN
    assert app[-1].data == (firmware / MAIN).read_bytes()
    # An .mpy of version 6: 'M', 6, and the architecture where native code is inside.
    assert all(file.data[:2] == b"M\x06" for file in app[:-1])
    viper = next(file for file in app if file.path == "hbc_mmio.mpy")
    assert viper.data[2] >> 2 & 0x0F == 10


def test_the_same_source_gives_the_same_bytes(app: tuple) -> None:
    assert [file.sha256 for file in build_app("xtensawin")] == [file.sha256 for file in app]


@pytest.mark.parametrize(("mpy", "arch"), [(X64_MPY, "x64"), (ESP32_MPY, "xtensawin"), (11 << 10 | 0x306, "rv32imc")])
def test_the_interpreter_says_for_which_processor_to_compile(mpy: int, arch: str) -> None:
    assert arch_of(mpy) == arch


@pytest.mark.parametrize(
    ("mpy", "words"),
    [(ESP32_MPY & ~0x100, "version 6.2"), (0x306, "no native code"), (0x305 | 10 << 10, "version 5.3")],
)
def test_an_interpreter_that_cannot_run_our_files_is_refused(mpy: int, words: str) -> None:
    with pytest.raises(FlashError, match=words):
        arch_of(mpy)


def test_a_complete_box_needs_nothing(app: tuple) -> None:
    on_box = {file.path: file.sha256 for file in app} | {"settings.txt": "x", "boot_n.txt": "y"}
    plan = plan_for(app, on_box)
    assert (plan.copy, plan.remove, plan.keep_n) == ((), (), len(app))


def test_one_wrong_file_is_copied_and_main_after_it(app: tuple) -> None:
    on_box = {file.path: file.sha256 for file in app} | {"hbc_fw/app.mpy": "half of it"}
    plan = plan_for(app, on_box)
    assert [file.path for file in plan.copy] == ["hbc_fw/app.mpy", MAIN]
    assert plan.keep_n == len(app) - 2


def test_a_stale_source_that_would_hide_a_module_is_removed_but_nothing_of_the_user(app: tuple) -> None:
    stale = {"hbc_fw/app.py": "1", "hbc_fw/gone.mpy": "2", "hbc_mmio.py": "3", "main.mpy": "4"}
    mine = {"boot.py": "5", "settings.txt": "6", "lib/other.mpy": "7", "hbc_notes.txt": "8"}
    plan = plan_for(app, {file.path: file.sha256 for file in app} | stale | mine)
    assert set(plan.remove) == set(stale)
    assert [file.path for file in plan.copy] == [MAIN]


class PulledError(Exception):
    """The cable is out."""


class Box:
    """The file system of a box at its prompt, whose cable is pulled in the middle of an operation."""

    def __init__(self, files: dict[str, bytes], pulled_at: int | None = None) -> None:
        self.files = dict(files)
        self.operations_n = 0
        self._pulled_at = pulled_at

    def _operate(self) -> None:
        self.operations_n += 1
        if self.operations_n - 1 == self._pulled_at:
            raise PulledError

    def hashes(self) -> dict[str, str]:
        self._operate()
        return {path: hashlib.sha256(data).hexdigest() for path, data in self.files.items()}

    def write(self, path: str, data: bytes, progress: Callable[[int], None] | None = None) -> None:
        self.files[path] = data[: len(data) // 2]
        self._operate()
        self.files[path] = data
        if progress is not None:
            progress(len(data))

    def remove(self, path: str) -> None:
        self._operate()
        self.files.pop(path, None)

    def rename(self, old: str, new: str) -> None:
        self._operate()
        self.files[new] = self.files.pop(old)


FACTS = {"board": "esp32-ad8232", "arch": "xtensawin"}


def installed(box: Box, files: tuple) -> list[float]:
    shares: list[float] = []
    install(box, files, FACTS, 10_000_000, shares.append)
    return shares


def test_wherever_the_cable_is_pulled_no_mixture_boots_and_the_next_run_completes() -> None:
    old = tuple(
        AppFile(path, b"old " + path.encode()) for path in ("hbc_fw/a.mpy", "hbc_fw/b.mpy", "hbc_fw/c.mpy", MAIN)
    )
    new = (old[0], *(AppFile(file.path, file.data + b" new") for file in old[1:]))
    before = Box({"settings.txt": b"mine", "hbc_fw/a.py": b"stale"})
    installed(before, old)
    before.files["hbc_fw/a.py"] = b"stale"
    counter = Box(before.files)
    shares = installed(counter, new)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    done = counter.files
    assert "hbc_fw/a.py" not in done
    for pulled_at in range(counter.operations_n):
        box = Box(before.files, pulled_at)
        with pytest.raises(PulledError):
            installed(box, new)
        if MAIN in box.files:  # it boots the app: then all of the old one, or all of the new one
            apps = [{file.path: file.data for file in files} for files in (old, new)]
            assert {file.path: box.files.get(file.path) for file in old} in apps, pulled_at
        if MANIFEST in box.files:
            assert box.files in (before.files, done), pulled_at
        again = Box(box.files)
        installed(again, new)
        assert again.files == done
        for files in (box.files, again.files):
            assert files[BOARD_FILE] == b"esp32-ad8232", "half a name: the box would not find its board"
    assert Box(done).files["settings.txt"] == b"mine"
    idle = Box(done)
    installed(idle, new)
    assert (idle.operations_n, idle.files) == (1, done)  # one look, nothing else


def test_a_file_that_arrives_wrong_is_named_and_the_app_does_not_boot() -> None:
    class Worn(Box):
        def write(self, path: str, data: bytes, progress: Callable[[int], None] | None = None) -> None:
            super().write(path, data.replace(b"7", b"8") if path.endswith("b.mpy") else data, progress)

    files = tuple(AppFile(path, b"7" + path.encode()) for path in ("hbc_fw/a.mpy", "hbc_fw/b.mpy", MAIN))
    box = Worn({})
    with pytest.raises(FlashError, match=r"1 files on the box are not what was sent, first hbc_fw/b\.mpy"):
        installed(box, files)
    assert MAIN not in box.files
    with pytest.raises(FlashError, match="has 100 left"):
        install(Box({}), files, FACTS, 100, lambda _: None)


def test_an_image_goes_in_pieces_that_cover_it_and_the_first_comes_last() -> None:
    data = bytes(range(251)) * 2000 + b"tail"
    pieces = dict(pieces_of(data))
    assert list(pieces)[-1] == 0
    whole = b"".join(pieces[at] for at in sorted(pieces))
    assert whole[: len(data)] == data
    assert len(whole) % 4 == 0
    assert md5_of(b"abc") == hashlib.md5(b"abc").hexdigest()


def test_the_board_is_as_asked_else_as_before_else_the_chips_own() -> None:
    esp32, s3 = CHIPS[0], CHIPS[1]
    machine = "Generic ESP32S3 module with ESP32S3"
    assert choose_board("", None, None, machine) == "esp32s3-ad8232"
    assert choose_board("", esp32, None, "linux") == "esp32-ad8232"
    assert choose_board("", None, "esp32c6-ad8232\n", "linux") == "esp32c6-ad8232"
    assert choose_board("", s3, "esp32-ad8232", machine) == "esp32s3-ad8232"  # the chip was changed since
    assert choose_board("esp32-ad8232", None, None, "linux") == "esp32-ad8232"
    with pytest.raises(FlashError, match="give the board with --board"):
        choose_board("", None, "something", "linux")
    with pytest.raises(FlashError, match="not for the ESP32-S3"):
        choose_board("esp32-ad8232", s3, None, machine)
    with pytest.raises(FlashError, match="interpreter is for the ESP32-S3, the chip is an ESP32"):
        choose_board("", esp32, None, machine)


def test_every_board_of_the_firmware_can_be_named() -> None:
    names = re.findall(r'NAME = b"(esp32[^"]+)"', "".join(path.read_text() for path in sources().values()))
    assert set(names) <= set(board_names())
    assert {chip.board for chip in CHIPS} <= set(board_names())


def test_the_mip_manifest_names_every_file_and_the_firmwares_version() -> None:
    written = (REPOSITORY / "firmware" / "package.json").read_text("utf-8")
    version = firmware_here().split()[-1]
    assert written == mip_manifest(), "run: python -m hbc_host.box.app_files > firmware/package.json"
    manifest = json.loads(written)
    assert manifest["version"] == version


class Disk:
    """A folder in the place of a box, for mpremote's own installer."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fs_exists(self, path: str) -> bool:
        return (self.folder / path).exists()

    def fs_mkdir(self, path: str) -> None:
        (self.folder / path).mkdir()

    def fs_writefile(self, path: str, data: bytes, progress_callback: object) -> None:
        (self.folder / path).write_bytes(data)


def test_mpremotes_own_mip_installs_all_sources_from_the_manifest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from mpremote.mip import _install_json

    manifest = str(REPOSITORY / "firmware" / "package.json")
    _install_json(Disk(tmp_path), manifest, "", "app", None, True)
    for target, source in sources().items():
        assert (tmp_path / "app" / target).read_bytes() == source.read_bytes()
    assert capsys.readouterr().out.count("Installing:") == len(sources())
