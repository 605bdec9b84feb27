"""What the detector costs on an ESP32: prints the tables of docs/detector-cost.md.

Instructions are counted, cycles estimated (device_trace.py says how).

    python tests/study/device_cost.py

Needs Debian's gcc-xtensa-lx106, gcc-riscv64-unknown-elf and qemu-user; valgrind for the twin.  What is absent is
skipped with a message.  Takes about two minutes.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import device_trace
import device_twin
import numpy as np
from device_trace import CPUS, NATIVE, UNITS, Cost, Cpu, MissingToolError, Recording

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "native"))
import rpeak_cases as cases  # noqa: E402

DURATION_S = 30.0
SEED = 1
RATE_HZ = 500
GOAL_CYCLES = (100, 250)


def noisy_ecg(rate_hz: int) -> Recording:
    """75 beats a minute, R wave 1 mV, noise 20 uV rms."""
    ecg, _ = cases.synthetic_ecg(cases.regular_beats(DURATION_S, 0.8), rate_hz)
    noise = np.random.default_rng(SEED).normal(0, 20, len(ecg))
    return Recording(cases.to_int16(ecg + noise), np.zeros(len(ecg), np.uint8))


def stimulated_ecg(rate_hz: int) -> Recording:
    """The same under a train of 10 Hz without end, artefacts of an R wave."""
    plain = noisy_ecg(rate_hz)
    samples_n = len(plain.mask)
    pulses_s = cases.train_pulses_s(DURATION_S, first_s=3.0, every_s=DURATION_S, pulses_n=int(10 * DURATION_S))
    artefacts = cases.artefacts(pulses_s, samples_n, rate_hz, 1000, 0.005)
    return Recording(cases.to_int16(plain.samples_lsb + artefacts), cases.pulse_mask(pulses_s, samples_n, rate_hz))


def white_noise(rate_hz: int) -> Recording:
    """Noise of 3 mV rms: a candidate as often as there can be one."""
    samples_n = int(DURATION_S * rate_hz)
    noise = np.random.default_rng(SEED).normal(0, 3000, samples_n)
    return Recording(cases.to_int16(noise), np.zeros(samples_n, np.uint8))


INPUTS = (
    ("ECG", RATE_HZ, noisy_ecg),
    ("ECG under pulses", RATE_HZ, stimulated_ecg),
    ("white noise", RATE_HZ, white_noise),
    ("ECG", 100, noisy_ecg),
    ("ECG", 1000, noisy_ecg),
    ("white noise", 1000, white_noise),
)


def row(cpu: Cpu, what: str, rate_hz: int, cost: Cost) -> str:
    """One line of the table; the learning time ends once, its sample is shown apart."""
    late = cost.cycles[int(2.5 * rate_hz) :]
    learning = cost.cycles[: int(2.5 * rate_hz)].max()
    mean = cost.cycles.mean()
    longest = max(late.max(), learning)
    cells = (
        cpu.name,
        what,
        rate_hz,
        f"{cost.instructions.mean():.0f}",
        f"**{mean:.0f}**",
        f"{np.percentile(late, 10):.0f} / {np.percentile(late, 95):.0f}",
        f"{late.max():.0f}",
        f"{learning:.0f}",
        f"{100 * mean * rate_hz / cpu.clock_hz:.3f} %",
        f"{1e6 * longest / cpu.clock_hz:.0f} us",
    )
    return "| " + " | ".join(map(str, cells)) + " |"


def cost_rows(folder: Path) -> Iterator[str]:
    """The table of costs at -O2."""
    yield "| CPU | input | Hz | instructions | cycles | 10 / 95 % | candidate | end of learning | core | longest |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for cpu in CPUS:
        for what, rate_hz, make in INPUTS:
            build = device_trace.compile_for(cpu, folder, make(rate_hz), rate_hz, "-O2")
            yield row(cpu, what, rate_hz, device_trace.measure(build))


def size_rows(folder: Path) -> Iterator[str]:
    """The table of code, stack and mean cost by optimisation."""
    yield "| CPU | option | code, bytes | deepest stack, bytes | cycles a sample |"
    yield "|---|---|---|---|---|"
    for cpu in CPUS:
        for optimise in ("-O2", "-Os"):
            build = device_trace.compile_for(cpu, folder, noisy_ecg(RATE_HZ), RATE_HZ, optimise)
            mean = device_trace.measure(build).cycles.mean()
            yield f"| {cpu.name} | {optimise} | {build.code_bytes} | {build.stack_bytes} | {mean:.0f} |"


def host_program(folder: Path) -> Path:
    """Compile the C for this machine."""
    gcc = shutil.which("gcc")
    if gcc is None:
        raise MissingToolError("viper twin: not compared with the C, gcc is not installed")
    program = folder / "device_host"
    sources = [str(HERE / "device_host.c"), *(str(NATIVE / "src" / f"{unit}.c") for unit in UNITS)]
    flags = ["-O2", f"-DRATE_HZ={RATE_HZ}", f"-I{NATIVE / 'include'}"]
    subprocess.run([gcc, *flags, *sources, "-o", str(program)], check=True)
    return program


def twin_code_rows(folder: Path) -> Iterator[str]:
    """The table of the twin's machine code by function, for the chips and for this machine."""
    objdump = shutil.which("objdump")
    if objdump is None:
        raise MissingToolError("viper twin: skipped, objdump is not installed (apt install binutils)")
    built = [device_twin.functions(arch, folder) for arch in ("xtensawin", "rv32imc", "x64")]
    yield "| viper function | xtensawin, bytes | rv32imc, bytes | rv32imc, instructions | this machine, instructions |"
    yield "|---|---|---|---|---|"
    sums = [0, 0, 0, 0]
    for windowed, compressed, here in zip(*built, strict=True):
        riscv_n = compressed.instructions_n((CPUS[1].tool("objdump"), "-m", "riscv:rv32"), folder)
        here_n = here.instructions_n((objdump, "-m", "i386:x86-64"), folder)
        cells = [len(windowed.code), len(compressed.code), riscv_n, here_n]
        sums = [total + cell for total, cell in zip(sums, cells, strict=True)]
        yield f"| `{windowed.name}` | " + " | ".join(map(str, cells)) + " |"
    yield "| all | " + " | ".join(map(str, sums)) + " |"


def twin_rows(folder: Path) -> Iterator[str]:
    """What the twin executes here, and the cycles if its instructions are like those of the C on each chip."""
    twin_n, c_n = device_twin.host_instructions(noisy_ecg(RATE_HZ).samples_lsb, RATE_HZ, folder, host_program(folder))
    yield f"Executed on this machine, {RATE_HZ} Hz ECG, blocks of 64: twin {twin_n:.0f} instructions a sample"
    yield f"(with the loop that feeds it), C {c_n:.0f}; the twin executes {twin_n / c_n:.1f} times as many."
    for cpu in CPUS:
        build = device_trace.compile_for(cpu, folder, noisy_ecg(RATE_HZ), RATE_HZ, "-O2")
        cost = device_trace.measure(build)
        cycles = twin_n * cost.cycles.sum() / cost.instructions.sum()
        share = 100 * cycles * RATE_HZ / cpu.clock_hz
        yield f"- {cpu.name}: about {cycles:.0f} cycles a sample, {share:.2f} % of a core."


def main() -> None:
    print(f"goal: {GOAL_CYCLES[0]}-{GOAL_CYCLES[1]} cycles a sample, 0.05 % of a core at {RATE_HZ} Hz\n")
    with tempfile.TemporaryDirectory() as name:
        for table in (cost_rows, size_rows, twin_code_rows, twin_rows):
            try:
                for line in table(Path(name)):
                    print(line, flush=True)
            except MissingToolError as error:
                print(error)
            print()


if __name__ == "__main__":
    main()
