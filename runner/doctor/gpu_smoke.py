"""`--gpu`: PyTorch tried in each environment that brings CUDA, prepared and started as a segment's is."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from runner.doctor import Context, Line, check, from_error, ok, problem, warning
from runner.doctor.cuda_wanted import wanted
from runner.doctor.gpu import INDEX_FOR_CUDA
from runner.environments import Preparation, Request, kind, parts
from runner.errors import RunnerError
from runner.ground.words import size_text, time_text
from runner.model import Command, EnvironmentSpec, Outcome
from runner.process.gpu import ask

LIMIT = 26.0  # seconds for all
_RESERVE = 3.0  # seconds for stopping what takes too long
_NOT_READY = f"it was not ready within {time_text(LIMIT - _RESERVE)}"
_PROBE = Path(__file__).with_name("gpu_probe.py")


class _TooLongError(Exception):
    """The check's time was used up."""


@check(
    "GPU test",
    "With `--gpu`: fills memory and multiplies matrices on the GPU with the PyTorch of each group that brings "
    "CUDA, prepared as for a segment; nothing else shows that driver, CUDA and PyTorch go together.",
    LIMIT,
)
def smoke_test(context: Context) -> list[Line]:
    """One line for each environment."""
    if not context.gpu:
        return []
    # of conda's environment below a uv group it is that group which computes
    computing = {parts(job.spec)[-1] for job in context.jobs}
    found = [one for one in wanted(context) if one.spec in computing or not context.has_file]
    if not found:
        what = "this pipeline" if context.has_file else "uv.lock"
        return [warning(f"nothing to try: no environment of {what} brings CUDA", "Leave --gpu out.")]
    return [_tried(one.spec, context) for one in found]


def _tried(spec: EnvironmentSpec, context: Context) -> Line:
    name = spec.text
    try:
        preparation = kind(spec).prepare(spec, ("python",), context.site)
        if preparation is not None:
            # where the driver is merely not found, a ready environment is tried all the same
            if why := _no_gpu(context):
                return problem(f"{name} was neither prepared nor tried: {why}", "Look at the line about the GPU.")
            _prepare(preparation, context)
        # -I: what lies beside the probe must not be taken for modules of the environment
        command = kind(spec).wrap(
            Request(spec, ("python", "-I", str(_PROBE)), {}, str(context.site.repo)), context.site
        )
        outcome, text = _run(command, context)
    except _TooLongError as error:
        asked = f"uv@{spec.python}:{spec.name}" if spec.python else spec.name
        cure = (
            f"`run-pipeline env sync {asked}` takes its time; then try again." if kind(spec).managed else "Try again."
        )
        return warning(f"{name}: {error}", cure)
    except RunnerError as error:
        return from_error(error)
    return _judged(name, outcome, text)


def _no_gpu(context: Context) -> str:
    """Why gigabytes need not be fetched for a try."""
    told = ask(context.site.host)
    if told is None:
        return "no NVIDIA driver (nvidia-smi) was found"
    return "NVIDIA's driver tells of no GPU" if told.why else ""


def _prepare(preparation: Preparation, context: Context) -> None:
    from runner.errors import Busy
    from runner.executors.carry import carry_out
    from runner.process.stop import StopRequest

    try:
        carry_out(
            preparation,
            context.site.host.environ,
            StopRequest(),
            screen=lambda chunk: None,
            wait=max(0.0, context.remaining() - _RESERVE),
            timeout=lambda: _left(context),
        )
    except Busy as error:
        raise _TooLongError(error.message) from None
    except TimeoutError:
        raise _TooLongError(_NOT_READY) from None


def _left(context: Context) -> float:
    left = context.remaining() - _RESERVE
    if left <= 0:
        raise _TooLongError("the time was used up before it could be tried")
    return left


def _run(command: Command, context: Context) -> tuple[Outcome, str]:
    from runner.ground.text import decoded
    from runner.process.stop import StopRequest
    from runner.process.supervise import run

    output = bytearray()
    outcome = run(
        command,
        environ=context.site.host.environ,
        screen=output.extend,
        log=Path(os.devnull),
        timeout=_left(context),
        stop=StopRequest(),
        grace=1.0,
    )
    if outcome.timed_out:
        raise _TooLongError(_NOT_READY)
    return outcome, decoded(output)


def _judged(name: str, outcome: Outcome, text: str) -> Line:
    lines = [line for line in text.splitlines() if line.startswith("{")]
    try:
        found: dict[str, Any] = json.loads(lines[-1])
    except (IndexError, ValueError):
        end = outcome.error or outcome.explanation or (text.strip().splitlines() or ["no output"])[-1]
        return problem(f"{name}: PyTorch could not be tried: {end}", "Look at the lines about GPU and CUDA.")
    if error := found.get("error"):
        detail = f" ({found['detail']})" if found.get("detail") else ""
        return problem(f"{name}: {error}{detail}", _cure(str(error)))
    return ok(
        f"{name}: PyTorch {found['torch']} computes on {found['name']} with CUDA {found['cuda']}; "
        f"{size_text(found['free'])} of {size_text(found['total'])} are free"
    )


def _cure(error: str) -> str:
    if "CPU alone" in error:
        return INDEX_FOR_CUDA
    if "out of memory" in error.lower():
        return "Another program fills the GPU: `nvidia-smi` lists them."
    if "imported" in error:
        return "Remove the environment (`run-pipeline env remove GROUP`); the next run makes it anew."
    return "Look at the lines about GPU and CUDA: an old driver, or a GPU that this PyTorch does not know."
