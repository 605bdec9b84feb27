"""Build ``hbc_native._rpeak`` with cffi in API mode.

The prototypes are read from the headers between their ``[cffi]`` marks, so that there is one copy of them and the
compiler checks it.  setuptools finds :data:`ffibuilder` through
``cffi_modules = ["native/build_native.py:ffibuilder"]``; ``python native/build_native.py`` builds the extension in
place, next to ``hbc_native/__init__.py``, for work in a checkout.
"""

import os
import sysconfig
from pathlib import Path

from cffi import FFI

ROOT = Path(__file__).resolve().parent
NAMES = ("hbc_artefact", "hbc_rpeak", "hbc_mv", "hbc_frames")  # header and source of each; the last two for hosts only


def prototypes(header: str) -> str:
    """Return the declarations between the ``[cffi]`` marks of a C header.

    Raises
    ------
    ValueError
        If a mark is missing or a preprocessor line stands between them.
    """
    _, opening, rest = header.partition("/* [cffi]")
    body, closing, _ = rest.partition("/* [/cffi] */")
    if not opening or not closing:
        raise ValueError("the C header has no [cffi] ... [/cffi] marks; the prototypes cannot be read")
    body = "/*" + body
    for line in body.splitlines():
        if line.lstrip().startswith("#"):
            raise ValueError(f"C header: preprocessor line inside the [cffi] marks: {line.strip()!r}")
    return body


def make_builder() -> FFI:
    """Return the cffi builder; refuses early, in one line, when Python's headers are missing.

    Raises
    ------
    RuntimeError
        If ``Python.h`` is not installed.
    """
    include_dir = Path(sysconfig.get_path("include"))
    if not (include_dir / "Python.h").exists():
        raise RuntimeError(f"Python.h is not in {include_dir}; install the headers (Debian: apt install python3-dev)")
    builder = FFI()
    headers = [ROOT / "include" / f"{name}.h" for name in NAMES]
    for header in headers:
        builder.cdef(prototypes(header.read_text(encoding="utf-8")))
    builder.set_source(
        "hbc_native._rpeak",
        "\n".join(f'#include "{header.name}"' for header in headers),
        sources=[_from_here(ROOT / "src" / f"{name}.c") for name in NAMES],
        include_dirs=[str(ROOT / "include")],
        depends=[str(header) for header in (*headers, *sorted((ROOT / "src").glob("*.h")))],
        define_macros=[("HBC_RPEAK_BATCH", None)],  # the host's push_block, same result as the device's
        extra_compile_args=["-std=c99", "-O3", "-ffp-contract=off"],
    )
    return builder


def _from_here(path: Path) -> str:
    # setuptools wants paths relative to the folder it runs in, and puts objects of absolute ones into odd places.
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


ffibuilder = make_builder()

if __name__ == "__main__":
    os.chdir(ROOT)
    make_builder().compile(tmpdir=".")
