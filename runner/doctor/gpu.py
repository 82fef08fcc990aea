"""The GPU and its driver, held against the CUDA that the lock brings."""

from __future__ import annotations

from runner.doctor import Context, Line, check, ok, problem, warning
from runner.doctor.cuda_table import (
    OLDEST_GPU_OF_CUDA_13,
    cuda_of_driver,
    first_cuda,
    numbers,
    oldest_driver,
    toolkit_driver,
)
from runner.doctor.cuda_wanted import Wanted, cpu_on_windows, wanted
from runner.ground.words import size_text
from runner.process.gpu import Gpu, ask, newest_cuda

_BUSY = 0.8  # of its memory
INDEX_FOR_CUDA = (
    "Give the group PyTorch's index for CUDA in pyproject.toml ([tool.uv.sources]), then run `run-pipeline env lock`."
)
_NO_DRIVER = "Install NVIDIA's driver, or run this pipeline on a machine with such a GPU."


@check("GPU", "Without a working driver, programs for the GPU stop or compute on the CPU.")
def gpu_and_driver(context: Context) -> list[Line]:
    """Which GPU there is, and whether its driver answers."""
    host = context.site.host
    if host.platform == "darwin":
        return [ok("a Mac: programs may use Apple's own GPU, never CUDA")]
    told = ask(host)
    asking = ", ".join(one.name for one in wanted(context))
    needed = asking if context.has_file else ""
    if told is None:
        text = f"no NVIDIA driver (nvidia-smi) was found{_though(asking)}"
        return [warning(text, _NO_DRIVER) if needed or context.gpu else ok(text)]
    if told.why:
        line = f"NVIDIA's driver does not tell of a GPU{_though(needed)}: {told.why}"
        cure = "Restart the computer: the driver was updated and the old one still runs."
        if "mismatch" not in told.why.lower():
            cure = "Restart the computer; if that does not help, install NVIDIA's driver anew."
        return [problem(line, cure) if needed or context.gpu else warning(line, cure)]
    return [_gpu_line(gpu) for gpu in told.gpus]


def _gpu_line(gpu: Gpu) -> Line:
    text = f"{gpu.name}, {size_text(gpu.memory)}, driver {gpu.driver}"
    if gpu.memory and gpu.used > _BUSY * gpu.memory:
        cure = "`nvidia-smi` lists the programs that use it. End those that you do not need."
        return warning(f"{text}: {size_text(gpu.used)} of its memory are in use already", cure)
    return ok(text)


def _though(needed: str) -> str:
    return f", though {needed} brings CUDA along" if needed else ""


@check(
    "CUDA",
    "The lock fixes the CUDA that a group brings along; the driver must be new enough for it, and it must know the "
    "GPU.",
)
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
    told = ask(host) if asked else None
    if told is None or not told.gpus:
        return lines
    gpu = told.gpus[0]
    newest = newest_cuda(host) or cuda_of_driver(gpu.driver, windows=host.windows)
    fitting = []
    for one in asked:
        if line := _judged(one, gpu, newest, windows=host.windows):
            lines.append(line)
        else:
            fitting.append(f"{one.name} {_text(one.cuda)}")
    if fitting:
        lines.insert(0, ok(f"the driver runs CUDA up to {_text(newest)}; brought along: {', '.join(fitting)}"))
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
