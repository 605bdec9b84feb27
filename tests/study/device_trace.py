"""Run the detector on a simulated device CPU and charge every executed instruction its cycles.

The C is compiled for the CPU, linked with ``device_main.c`` (no C library) and run by QEMU's user mode one instruction
at a time; QEMU tells the address of each.  The trace is therefore exact.  The cycles are a model, see :data:`CPUS`.
"""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
NATIVE = HERE.parents[1] / "native"
UNITS = ("hbc_rpeak", "hbc_artefact")
Floats = NDArray[np.float64]


class MissingToolError(Exception):
    """A compiler or simulator is not installed; the message says how to get it."""


@dataclass(frozen=True)
class Cpu:
    """A CPU, its tools, and what an instruction costs beyond one cycle."""

    name: str
    clock_hz: float
    tools: str
    flags: tuple[str, ...]
    simulator: tuple[str, ...]
    packages: str
    taken_extra: int  # a branch that is taken, a jump, a call, a return
    load_use_extra: int  # the next instruction needs what was just loaded (or multiplied)
    divide_extra: int

    def tool(self, name: str) -> str:
        """Return the path of one of its binutils or its compiler; raise MissingToolError."""
        found = shutil.which(self.tools + name)
        if found is None or shutil.which(self.simulator[0]) is None:
            raise MissingToolError(f"{self.name}: skipped, install {self.packages}")
        return found


CPUS = (
    # ESP32.  Five stages, one issue, load and multiply ready after two cycles: GCC's own pipeline model (xtensa.md).
    # Taken branch 4 cycles: a loop of 2 operations and a branch takes 6 (espressif/esp-idf issue 85).
    Cpu("ESP32 (LX6)", 240e6, "xtensa-lx106-elf-", ("-mlongcalls",), ("qemu-xtensa", "-cpu", "dc233c"),
        "gcc-xtensa-lx106 qemu-user", taken_extra=3, load_use_extra=1, divide_extra=12),
    # Four stages, one issue.  Taken 3 cycles, division one bit a cycle: assumed from cores of that class.
    Cpu("ESP32-C3 (RV32IMC)", 160e6, "riscv64-unknown-elf-", ("-march=rv32imc", "-mabi=ilp32"), ("qemu-riscv32",),
        "gcc-riscv64-unknown-elf qemu-user", taken_extra=2, load_use_extra=1, divide_extra=33),
)  # fmt: skip


@dataclass(frozen=True)
class Recording:
    """Samples in LSB and what each is, both (samples,)."""

    samples_lsb: NDArray[np.int16]
    mask: NDArray[np.uint8]


@dataclass(frozen=True)
class Build:
    """A linked program and what it weighs."""

    cpu: Cpu
    program: Path
    code_bytes: int
    stack_bytes: int


@dataclass(frozen=True)
class Cost:
    """Instructions and cycles of each ``hbc_rpeak_push``, arrays of shape (samples,)."""

    instructions: Floats
    cycles: Floats


_LINE = re.compile(r"^\s*([0-9a-f]+):\t[0-9a-f ]+\t(\S+)\s*(.*)$")
_LABEL = re.compile(r"^[0-9a-f]+ <([^>]+)>:$")
_LOAD = re.compile(r"^(c\.)?(lb|lbu|lh|lhu|lw|lwsp|l32i|l32r|l16si|l16ui|l8ui|l32i\.n)$")
_STORE = re.compile(r"^(c\.)?(sb|sh|sw|swsp|s32i|s16i|s8i|s32i\.n)$")
_MULTIPLY = re.compile(r"^(mul|mulh|mulhu|mulhsu|mull|mul16[su]|mulsh|muluh)$")
_DIVIDE = re.compile(r"^(div|divu|rem|remu|quos|quou)$")
_CONDITIONAL = re.compile(r"^(c\.)?b(eq|ne|lt|ge|any|none|all|nall|bc|bs)[a-z]*(\.n)?$")
_COPY = re.compile(r"^c\.(mv|li|lui)$")


def compile_for(cpu: Cpu, folder: Path, recording: Recording, rate_hz: int, optimise: str) -> Build:
    """Compile and link the detector with what it gets; raise MissingToolError without the compiler or QEMU."""
    gcc = cpu.tool("gcc")
    recording.samples_lsb.astype("<i2").tofile(folder / "samples.bin")
    recording.mask.tofile(folder / "mask.bin")
    flags = [*cpu.flags, "-std=gnu99", "-ffreestanding", optimise, f"-I{NATIVE / 'include'}"]
    frames: dict[str, int] = {}
    for unit in UNITS:
        source = str(NATIVE / "src" / f"{unit}.c")
        subprocess.run([gcc, *flags, "-fstack-usage", "-c", source, "-o", f"{unit}.o"], check=True, cwd=folder)
        frames |= _frames(cpu, folder, unit)
    objects = [f"{unit}.o" for unit in UNITS]
    main = [str(HERE / "device_main.c"), *objects, f"-DRATE_HZ={rate_hz}"]
    subprocess.run([gcc, *flags, "-nostdlib", "-static", *main, "-o", "program"], check=True, cwd=folder)
    sizes = subprocess.run([cpu.tool("size"), *objects], capture_output=True, text=True, check=True, cwd=folder).stdout
    code_bytes = sum(int(line.split()[0]) for line in sizes.splitlines()[1:])
    return Build(cpu, folder / "program", code_bytes, _deepest_stack(cpu, folder / "program", frames))


def _frames(cpu: Cpu, folder: Path, unit: str) -> dict[str, int]:
    """Stack of each function; in the object its static ones get the unit's name, as both units have some alike."""
    listed = subprocess.run(
        [cpu.tool("nm"), f"{unit}.o"], capture_output=True, text=True, check=True, cwd=folder
    ).stdout
    own = [line.split()[2] for line in listed.splitlines() if " t " in line]
    renamed = [f"--redefine-sym={name}={unit}.{name}" for name in own]
    subprocess.run([cpu.tool("objcopy"), *renamed, f"{unit}.o"], check=True, cwd=folder)
    rows = [line.split("\t") for line in (folder / f"{unit}.su").read_text(encoding="utf-8").splitlines()]
    sizes = {row[0].rpartition(":")[2]: int(row[1]) for row in rows}
    return {f"{unit}.{name}" if name in own else name: size for name, size in sizes.items()}


def _listing(cpu: Cpu, program: Path) -> list[str]:
    numeric = ("-M", "no-aliases,numeric") if "riscv" in cpu.tools else ()
    done = subprocess.run(
        [cpu.tool("objdump"), "-d", *numeric, str(program)], capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def _deepest_stack(cpu: Cpu, program: Path, frames: dict[str, int]) -> int:
    """Bytes of stack on the deepest path of calls from push_block."""
    calls: dict[str, set[str]] = {name: set() for name in frames}
    inside = ""
    for line in _listing(cpu, program):
        label = _LABEL.match(line)
        inside = label.group(1) if label else inside
        called = re.search(r"\b(?:(?:c\.)?j(?:al)?|call0)\b.*<([^>+]+)>", line)  # a jump to a function is a call, too
        if called and inside in calls and called.group(1) in calls:
            calls[inside].add(called.group(1))

    def depth(name: str) -> int:
        return frames[name] + max((depth(other) for other in calls[name]), default=0)

    return depth("hbc_rpeak_push_block")


def _instructions(build: Build) -> dict[int, tuple[str, str, int, str]]:
    """Address -> mnemonic, operands, length, function."""
    found: dict[int, tuple[str, str, int, str]] = {}
    inside = ""
    for line in _listing(build.cpu, build.program):
        label, parsed = _LABEL.match(line), _LINE.match(line)
        inside = label.group(1) if label else inside
        if parsed:
            raw = line.split("\t")[1].replace(" ", "")
            found[int(parsed.group(1), 16)] = (parsed.group(2), parsed.group(3), len(raw) // 2, inside)
    return found


def _trace(build: Build) -> NDArray[np.int64]:
    """Address of each executed instruction, in order."""
    command = [*build.cpu.simulator, "-singlestep", "-d", "exec,nochain", str(build.program)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as running:
        assert running.stderr is not None
        addresses = [int(line.split(b"/", 2)[1], 16) for line in running.stderr if line.startswith(b"Trace")]
    if running.returncode != 0:
        raise RuntimeError(f"{build.cpu.name}: the program found no beat, exit code {running.returncode}")
    return np.array(addresses, np.int64)


def _registers(text: str) -> set[str]:
    return set(re.findall(r"\b[ax]\d+\b", text.split("<")[0]))


def _table(build: Build) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats, NDArray[np.int64], NDArray[np.bool_]]:
    """Per instruction: address, length, extra cycles, register that is late (0 = none), registers that it needs."""
    listed = _instructions(build)
    address = np.array(sorted(listed), np.int64)
    length, late = np.zeros(len(address), np.int64), np.zeros(len(address), np.int64)
    extra, needs = np.zeros(len(address)), np.zeros((len(address), 64), np.bool_)
    for i, at in enumerate(address.tolist()):
        mnemonic, operands, length[i], inside = listed[at]
        first, _, others = operands.partition(",")
        needs_first = _STORE.match(mnemonic) or _CONDITIONAL.match(mnemonic) or not others
        if mnemonic.startswith("c.") and not _COPY.match(mnemonic) and not _LOAD.match(mnemonic):
            needs_first = True  # two operands: the first is read as well
        for name in _registers(operands if needs_first else others):
            needs[i, int(name[1:])] = True
        if _LOAD.match(mnemonic) or _MULTIPLY.match(mnemonic):
            late[i] = int(first[1:]) if first[1:].isdigit() else 0
        # On the Xtensa the divisions are two functions whose first instruction the disassembler does not know.
        if _DIVIDE.match(mnemonic) or (inside in ("__divsi3", "__udivsi3") and at == min(_of(listed, inside))):
            extra[i] = build.cpu.divide_extra
    needs[:, 0] = False  # register 0: x0 is zero, a0 the return address; neither is waited for here
    return address, length, extra, late, needs


def _of(listed: dict[int, tuple[str, str, int, str]], function: str) -> list[int]:
    return [at for at, row in listed.items() if row[3] == function]


def measure(build: Build) -> Cost:
    """Run the program and return what each push of a sample costs, the harness not counted."""
    trace = _trace(build)
    address, length, extra, late, needs = _table(build)
    listed = _instructions(build)
    row = np.searchsorted(address, trace)
    if not np.array_equal(address[np.minimum(row, len(address) - 1)], trace):
        row = np.searchsorted(address, trace, side="right") - 1  # inside bytes the disassembler did not know
    cycles = 1.0 + extra[row]
    jumped = np.append(np.diff(trace) != length[row[:-1]], False)
    cycles += build.cpu.taken_extra * jumped
    stalled = np.append(False, needs[row[1:], late[row[:-1]]])
    cycles += build.cpu.load_use_extra * stalled
    own = np.isin(trace, _of(listed, "_start") + _of(listed, "memset"))
    entry = min(_of(listed, "hbc_rpeak_push"))
    starts = np.flatnonzero(trace == entry)
    counted = np.where(own, 0.0, 1.0)
    return Cost(np.add.reduceat(counted, starts), np.add.reduceat(cycles * counted, starts))
