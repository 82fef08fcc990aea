"""The `_uv` twin of a pipeline file: the same text, with `uv:GROUP` where the conda environment was named."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.environments.spec import parse_environment
from runner.errors import PipelineError, UsageError
from runner.model import Mark, Segment
from runner.state.files import write_atomic
from runner.state.status import pipeline_of

SUFFIX = "_uv"


@dataclass(frozen=True)
class Twin:
    """What becomes of one pipeline file."""

    source: Path
    target: Path
    text: str = ""  # of the twin; "" when there is none to write
    segments: tuple[int, ...] = ()  # whose environment changes
    note: str = ""


def plan_twins(files: Iterable[Path], names: Sequence[str], group: str) -> list[Twin]:
    """One for each file that uses a conda environment of `names`. Raises PipelineError for one that is not valid."""
    return [twin for path in files if (twin := _twin(path, names, group)) is not None]


def write_twins(twins: Iterable[Twin]) -> list[Path]:
    """The files written."""
    written = []
    for twin in twins:
        if twin.text:
            write_atomic(twin.target, twin.text.encode("utf-8"))
            written.append(twin.target)
    return written


def pipeline_files(arguments: Sequence[str], start: Path) -> list[Path]:
    """Files, folders and patterns (cmd.exe leaves them to the program) as pipeline files. Raises UsageError."""
    found: dict[Path, None] = {}
    for text in arguments:
        path = start / Path(text).expanduser()
        if path.is_dir():
            inside = _pipelines_below(path)
        elif path.is_file():
            inside = [path]
        else:
            inside = sorted(one for one in path.parent.glob(path.name) if one.is_file()) if "*" in path.name else []
        if not inside:
            raise UsageError(f"there is no pipeline file {path}", "Give --pipelines a file, a folder or a pattern.")
        found |= dict.fromkeys(inside)
    return [path for path in found if not is_status(path)]


def uses(path: Path, names: Sequence[str]) -> list[Segment]:
    """The segments of a pipeline that name one of these conda environments. Raises PipelineError."""
    from runner.pipeline.reader import read_pipeline

    wanted = {plain_name(name) for name in names}
    return [one for one in read_pipeline(path).segments if conda_name(one) in wanted]


def conda_name(segment: Segment) -> str:
    """The name of the conda environment, also of one given by its folder; "" for another kind."""
    spec = parse_environment(segment.environment, "", "linux")
    if spec.kind != "conda" or segment.is_control:
        return ""
    return plain_name(spec.name)


def is_status(path: Path) -> bool:
    """Whether it is the status file of a pipeline beside it."""
    return pipeline_of(path) is not None


def twin_of(path: Path) -> Path:
    """Where the twin of a pipeline stands."""
    return path.with_name(f"{path.stem.removesuffix('_conda')}{SUFFIX}{path.suffix}")


def _twin(path: Path, names: Sequence[str], group: str) -> Twin | None:
    segments = uses(path, names)
    target = twin_of(path)
    if not segments:
        return None
    numbers = tuple(segment.number for segment in segments)
    marks = {segment.marks["environment"] for segment in segments if "environment" in segment.marks}
    text = _replaced(path, marks, group)
    _check(text, path, numbers, group)
    if target.exists():
        same = target.read_text(encoding="utf-8-sig") == text
        note = "is there already, and is the same" if same else "is there already and differs: not written again"
        return Twin(path, target, "", numbers, note)
    return Twin(path, target, text, numbers, _note(path, group))


def _note(path: Path, group: str) -> str:
    """What the user has to know before running both."""
    from runner.pipeline.reader import read_pipeline

    others = {name for one in read_pipeline(path).segments if (name := conda_name(one))}
    left = sorted({segment.environment for segment in read_pipeline(path).segments if conda_name(segment)})
    mixed = f"; other conda environments stay: {', '.join(left)}" if len(others) > 1 else ""
    return f"writes to the same folders as the original: `run-pipeline compare` keeps them apart{mixed}"


def _replaced(path: Path, marks: Iterable[Mark], group: str) -> str:
    text = path.read_bytes().decode("utf-8-sig")
    lines = re.split("(\r\n|[\r\n\x85\u2028\u2029])", text)
    for mark in sorted(marks, key=lambda one: (one.line, one.column), reverse=True):
        number = 2 * (mark.line - 1)
        line, start = lines[number], mark.column - 1
        written = line[start : start + mark.length]
        lines[number] = line[:start] + _quoted_like(written, f"uv:{group}") + line[start + mark.length :]
    return "".join(lines)


def _quoted_like(written: str, value: str) -> str:
    """With the anchor and in the quotes that were there. A colon without a blank behind it needs none."""
    found = re.match(r"(?:[&!]\S+\s+)*", written)
    lead = found[0] if found else ""
    written = written[len(lead) :]
    quote = written[:1] if written[:1] in ("'", '"') and written[-1:] == written[:1] else ""
    return f"{lead}{quote}{value}{quote}"


def _check(text: str, path: Path, numbers: Sequence[int], group: str) -> None:
    """The twin says what it should and nothing else. Raises UsageError when an edit of the text cannot say it."""
    from runner.pipeline.reader import parse_pipeline, read_pipeline

    try:
        new = parse_pipeline(text.encode("utf-8"), path).segments
    except PipelineError:
        new = ()
    old = read_pipeline(path).segments
    right = len(old) == len(new) and all(
        after.environment == (f"uv:{group}" if before.number in numbers else before.environment)
        and (after.name, after.commands, after.env) == (before.name, before.commands, before.env)
        for before, after in zip(old, new, strict=True)
    )
    if not right:
        raise UsageError(
            f"{path.name}: the environment of a segment stands where it cannot be replaced (a merged or folded value)",
            "Write `environment:` with a plain name in each segment, then start again.",
        )


def _pipelines_below(folder: Path) -> list[Path]:
    """YAML files with `run:` at any depth, without hidden folders."""
    found = []
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() in (".yaml", ".yml") and not hidden and path.is_file() and _has_run(path):
            found.append(path)
    return found


def _has_run(path: Path) -> bool:
    try:
        return re.search(rb"^run\s*:", path.read_bytes(), re.MULTILINE) is not None
    except OSError:
        return False


def plain_name(name: str) -> str:
    """An environment's name in lower case, or the last part of its folder."""
    return re.split(r"[/\\]", name.strip().rstrip("/\\"))[-1].lower()
