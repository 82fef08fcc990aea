"""The GPU and its driver, as nvidia-smi tells them, held against the CUDA that the lock brings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from runner.doctor import Check, Context, Line, ok, problem, warning
from runner.doctor.cuda_table import (
    OLDEST_GPU_OF_CUDA_13,
    cuda_of_driver,
    first_cuda,
    numbers,
    oldest_driver,
    toolkit_driver,
)
from runner.doctor.cuda_wanted import Wanted, cpu_on_windows, wanted
from runner.ground.codes import spell_code
from runner.ground.disk import is_file
from runner.ground.words import size_text
from runner.host import Host

_FIELDS = ("name", "driver_version", "memory.total", "memory.used", "compute_cap")
_BUSY = 0.8  # of its memory
INDEX_FOR_CUDA = (
    "Give the group PyTorch's index for CUDA in pyproject.toml ([tool.uv.sources]), then run `run-pipeline env lock`."
)
_NO_DRIVER = "Install NVIDIA's driver, or run this pipeline on a machine with such a GPU."


@dataclass(frozen=True)
class Gpu:
    """One line of nvidia-smi; memory in MiB."""

    name: str
    driver: str
    total: int
    used: int
    capability: tuple[int, ...]


@dataclass(frozen=True)
class Answer:
    """What nvidia-smi said; `why` is set where there is no GPU to be seen."""

    program: str | None
    gpus: tuple[Gpu, ...] = ()
    cuda: tuple[int, int] | None = None  # the newest that the driver can run
    why: str = ""


def ask(host: Host) -> Answer:
    """Asks nvidia-smi; older ones do not know compute_cap."""
    program = find_program(host)
    if program is None:
        return Answer(None)
    got = host.capture([program, _query(_FIELDS), "--format=csv,noheader,nounits"])
    if got.code == 2:
        got = host.capture([program, _query(_FIELDS[:-1]), "--format=csv,noheader,nounits"])
    text = got.stdout.decode("utf-8", "replace")
    if got.code != 0:
        said = (text + got.stderr.decode("utf-8", "replace")).strip()
        return Answer(program, why=got.error or " ".join(said.split()) or spell_code(got.code))
    gpus = tuple(gpu for line in text.splitlines() if (gpu := parse(line)))
    page = host.capture([program]).stdout.decode("utf-8", "replace")
    found = re.search(r"CUDA Version:\s*(\d+)\.(\d+)", page)
    cuda = (int(found[1]), int(found[2])) if found else None
    if cuda is None and gpus:
        cuda = cuda_of_driver(gpus[0].driver, windows=host.windows)
    return Answer(program, gpus, cuda, "" if gpus else "it lists no GPU")


def _query(fields: Sequence[str]) -> str:
    return f"--query-gpu={','.join(fields)}"


def find_program(host: Host) -> str | None:
    """nvidia-smi on PATH, or where drivers for Windows put it."""
    if found := host.which("nvidia-smi"):
        return found
    if not host.windows:
        return None
    root = host.path(host.environ.get("SYSTEMROOT") or "C:/Windows") / "System32" / "nvidia-smi.exe"
    files = host.path(host.environ.get("PROGRAMFILES") or "C:/Program Files")
    older = files / "NVIDIA Corporation" / "NVSMI" / "nvidia-smi.exe"
    return next((str(path) for path in (root, older) if is_file(path)), None)


def parse(line: str) -> Gpu | None:
    """`NVIDIA RTX A4000, 551.61, 16376, 512, 8.6`; a value may be `[N/A]`."""
    parts = [part.strip() for part in line.split(",")]
    if len(parts) < 4:
        return None
    total, used = (int(part) if part.isdecimal() else 0 for part in parts[2:4])
    return Gpu(parts[0], parts[1], total, used, numbers(parts[4]) if len(parts) > 4 else ())


def gpu_and_driver(context: Context) -> list[Line]:
    """Which GPU there is, and whether its driver answers."""
    host = context.site.host
    if host.platform == "darwin":
        return [ok("a Mac: programs may use Apple's own GPU, never CUDA")]
    answer = ask(host)
    asking = ", ".join(one.name for one in wanted(context))
    needed = asking if context.has_file else ""
    if answer.program is None:
        text = f"no NVIDIA driver (nvidia-smi) was found{_though(asking)}"
        return [warning(text, _NO_DRIVER) if needed or context.gpu else ok(text)]
    if answer.why:
        line = f"nvidia-smi does not tell of a GPU{_though(needed)}: {answer.why}"
        cure = "Restart the computer: the driver was updated and the old one still runs."
        if "mismatch" not in answer.why.lower():
            cure = "Restart the computer; if that does not help, install NVIDIA's driver anew."
        return [problem(line, cure) if needed or context.gpu else warning(line, cure)]
    return [_gpu_line(gpu) for gpu in answer.gpus]


def _gpu_line(gpu: Gpu) -> Line:
    text = f"{gpu.name}, {size_text(gpu.total << 20)}, driver {gpu.driver}"
    if gpu.total and gpu.used > _BUSY * gpu.total:
        cure = "`nvidia-smi` lists the programs that use it. End those that you do not need."
        return warning(f"{text}: {size_text(gpu.used << 20)} of its memory are in use already", cure)
    return ok(text)


def _though(needed: str) -> str:
    return f", though {needed} brings CUDA along" if needed else ""


def cuda_of_the_lock(context: Context) -> list[Line]:
    """Whether driver and GPU can run the CUDA that groups and conda environments bring."""
    host = context.site.host
    lines = [
        warning(
            f"PyTorch of group {name} uses the GPU on Linux, but on Windows it is the one for the CPU alone",
            INDEX_FOR_CUDA,
        )
        for name in cpu_on_windows(context)
    ]
    asked = wanted(context)
    answer = ask(host) if asked else Answer(None)
    if not answer.gpus:
        return lines
    fitting = []
    for one in asked:
        found = [line for gpu in answer.gpus[:1] if (line := _judged(one, gpu, answer.cuda, windows=host.windows))]
        lines += found
        if not found:
            fitting.append(f"{one.name} {_text(one.cuda)}")
    if fitting:
        lines.insert(0, ok(f"the driver runs CUDA up to {_text(answer.cuda)}; brought along: {', '.join(fitting)}"))
    return lines


def _judged(one: Wanted, gpu: Gpu, cuda: tuple[int, int] | None, *, windows: bool) -> Line | None:
    text = f"{one.name} brings CUDA {_text(one.cuda)}"
    first = first_cuda(gpu.capability)
    if first and first > one.cuda:
        return problem(
            f"{text}, which does not know the {gpu.name} yet",
            f"Move the group to a PyTorch for CUDA {_text(first)} or newer.",
        )
    if one.cuda >= (13, 0) and () < gpu.capability < OLDEST_GPU_OF_CUDA_13:
        return problem(
            f"{text}, which does not know the {gpu.name} any more", "Move the group to a PyTorch for CUDA 12."
        )
    if cuda is not None and one.cuda <= cuda:
        return None
    oldest = oldest_driver(one.cuda, windows=windows)
    if (cuda is not None and one.cuda[0] > cuda[0]) or numbers(gpu.driver) < numbers(oldest):
        return problem(
            f"{text}, but driver {gpu.driver} runs CUDA up to {_text(cuda)}",
            f"Update NVIDIA's driver to {oldest or 'the newest'} or newer.",
        )
    better = toolkit_driver(one.cuda, windows=windows)
    return warning(
        f"{text}; driver {gpu.driver} is made for CUDA {_text(cuda)} and runs most of it all the same",
        f"Should a program stop with `unsupported toolchain` or `PTX`, update the driver to {better or 'the newest'}.",
    )


def _text(cuda: tuple[int, int] | None) -> str:
    return f"{cuda[0]}.{cuda[1]}" if cuda else "an unknown version"


CHECKS = (
    Check("GPU", "Without a working driver, programs for the GPU stop or compute on the CPU.", gpu_and_driver),
    Check(
        "CUDA",
        "The lock fixes the CUDA that a group brings along; the driver must be new enough for it, and it must know the "
        "GPU.",
        cuda_of_the_lock,
    ),
)
