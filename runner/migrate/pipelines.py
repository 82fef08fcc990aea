"""The `_uv` twin of a pipeline file: the same text, with `uv:GROUP` where the conda environment was named."""

from __future__ import annotations

import os
import posixpath
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import yaml

from runner.environments.spec import conda_below, conda_environment
from runner.errors import PipelineError, UsageError
from runner.ground.files import write_atomic
from runner.migrate.files import files_below
from runner.model import Mark, Pipeline, Segment
from runner.pipeline.nodes import MapNode, compose
from runner.pipeline.reader import parse_pipeline, read_pipeline
from runner.pipeline.report import Report
from runner.pipeline.text import decode, encoding_of
from runner.pipeline.tokens import resolve
from runner.pipeline.values import fields_of
from runner.state.status import pipeline_of

SUFFIX = "_uv"
NO_VALUES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Twin:
    """What becomes of one pipeline file."""

    source: Path
    target: Path
    data: bytes = b""  # of the twin; empty when there is none to write
    segments: tuple[int, ...] = ()  # whose environment changes
    note: str = ""


def plan_twins(
    files: Iterable[Path], names: Sequence[str], group: str, dotenv: Mapping[str, str] = NO_VALUES
) -> list[Twin]:
    """One for each file that uses a conda environment of `names`. Raises PipelineError for one that is not valid."""
    return [twin for path in files if (twin := _twin(path, names, group, dotenv)) is not None]


def write_twins(twins: Iterable[Twin]) -> list[Path]:
    """The files written."""
    written = []
    for twin in twins:
        if twin.data and not os.path.lexists(twin.target):  # since the plan was made minutes may have passed
            write_atomic(twin.target, twin.data)
            written.append(twin.target)
    return written


def pipeline_files(arguments: Sequence[str], start: Path) -> list[Path]:
    """Files, folders and patterns (cmd.exe leaves them to the program) as pipeline files.

    Raises UsageError, and PipelineError for a file of a folder that cannot be read.
    """
    return named_files(arguments, start, lambda path: as_pipeline(path) is not None)


def named_files(
    arguments: Sequence[str], start: Path, wanted: Callable[[Path], bool] = lambda path: True
) -> list[Path]:
    """What --pipelines stands for, but status files: of a folder the `wanted` ones that are YAML. Raises UsageError."""
    found: dict[Path, None] = {}
    for text in arguments:
        path = Path(os.path.abspath(start / Path(text).expanduser()))  # noqa: PTH100  (no links resolved)
        if path.is_dir():
            inside = [one for one in files_below(path) if wanted(one)]
        elif path.is_file():
            inside = [path]
        else:
            inside = sorted(one for one in path.parent.glob(path.name) if one.is_file() and "*" in path.name)
        if not inside:
            raise UsageError(f"there is no pipeline file {path}", "Give --pipelines a file, a folder or a pattern.")
        found |= dict.fromkeys(inside)
    return [path for path in found if pipeline_of(path) is None]


def as_pipeline(path: Path) -> Pipeline | None:
    """The pipeline in a YAML file, or None: it is one if the reader that runs it finds `run:` at its top.

    Raises PipelineError for what cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError:
        return read_pipeline(path)  # which says why not
    text = decode(data, Report(path, ()))
    if text is not None:
        try:
            root = compose(text)
        except yaml.YAMLError:
            return parse_pipeline(data, path)
        if not isinstance(root, MapNode) or "run" not in fields_of(root, Report(path, ())):
            return None
    return parse_pipeline(data, path)


def uses(pipeline: Pipeline, names: Iterable[str], dotenv: Mapping[str, str] = NO_VALUES) -> list[Segment]:
    """The segments of a pipeline that name one of these conda environments."""
    wanted = {plain_name(name) for name in names}
    return [one for one in pipeline.segments if conda_name(one, pipeline, dotenv) in wanted]


def stands_on(pipeline: Pipeline, names: Iterable[str], dotenv: Mapping[str, str] = NO_VALUES) -> bool:
    """Whether a segment with a uv group or a script needs one of these for its libraries (`conda:NAME + uv:GROUP`)."""
    wanted = {plain_name(name) for name in names}
    return any(conda_name(one, pipeline, dotenv, find=conda_below) in wanted for one in pipeline.segments)


def conda_name(
    segment: Segment,
    pipeline: Pipeline,
    dotenv: Mapping[str, str] = NO_VALUES,
    *,
    find: Callable[[str], str] = conda_environment,
) -> str:
    """The name of the conda environment, also of one given by its folder; "" for another kind.

    `dotenv`: what tokens such as `%ENVS%` stand for; a token that it does not know stays.
    """
    if segment.is_control:
        return ""
    text = resolve(segment.environment, repo=pipeline.folder, folder=pipeline.folder, dotenv=dotenv, windows=False)
    name = find(text)
    return plain_name(name) if name else ""


def twin_of(path: Path) -> Path:
    """Where the twin of a pipeline stands."""
    return path.with_name(f"{path.stem.removesuffix('_conda')}{SUFFIX}{path.suffix}")


def _twin(path: Path, names: Sequence[str], group: str, dotenv: Mapping[str, str]) -> Twin | None:
    pipeline = as_pipeline(path)
    segments = uses(pipeline, names, dotenv) if pipeline else []
    if pipeline is None or not segments:
        return None
    target = twin_of(path)
    numbers = tuple(segment.number for segment in segments)
    marks = {segment.marks["environment"] for segment in segments if "environment" in segment.marks}
    twin = _replaced(path.read_bytes(), marks, group)
    _check(twin, pipeline, numbers, group)
    if os.path.lexists(target):
        same = target.is_file() and target.read_bytes() == twin
        note = "is there already, and is the same" if same else "is there already and differs: not written again"
        return Twin(path, target, b"", numbers, note)
    return Twin(path, target, twin, numbers, _note(pipeline, dotenv))


def _note(pipeline: Pipeline, dotenv: Mapping[str, str]) -> str:
    """What the user has to know before running both."""
    named = {name: one.environment for one in pipeline.segments if (name := conda_name(one, pipeline, dotenv))}
    mixed = f"; other conda environments stay: {', '.join(sorted(named.values()))}" if len(named) > 1 else ""
    return f"writes to the same folders as the original: `run-pipeline compare` keeps them apart{mixed}"


def _replaced(data: bytes, marks: Iterable[Mark], group: str) -> bytes:
    """In the encoding, with the byte-order mark and the ends of the lines that are there."""
    encoding, bom = encoding_of(data)
    lines = re.split("(\r\n|[\r\n\x85\u2028\u2029])", data[len(bom) :].decode(encoding))
    for mark in sorted(marks, key=lambda one: (one.line, one.column), reverse=True):
        number = 2 * (mark.line - 1)
        line, start = lines[number], mark.column - 1
        written = line[start : start + mark.length]
        lines[number] = line[:start] + _quoted_like(written, f"uv:{group}") + line[start + mark.length :]
    return bom + "".join(lines).encode(encoding)


def _quoted_like(written: str, value: str) -> str:
    """With the anchor and in the quotes that were there. A colon without a blank behind it needs none."""
    found = re.match(r"(?:[&!]\S+\s+)*", written)
    lead = found[0] if found else ""
    written = written[len(lead) :]
    quote = written[:1] if written[:1] in ("'", '"') and written[-1:] == written[:1] else ""
    return f"{lead}{quote}{value}{quote}"


def _check(twin: bytes, pipeline: Pipeline, numbers: Sequence[int], group: str) -> None:
    """The twin says what it should and nothing else. Raises UsageError when an edit of the text cannot say it."""
    path = Path(pipeline.path)
    try:
        new = parse_pipeline(twin, path).segments
    except PipelineError:
        new = ()
    old = pipeline.segments
    right = len(old) == len(new) and all(
        after
        == replace(
            before,
            environment=f"uv:{group}" if before.number in numbers else before.environment,
            content_hash=after.content_hash,
            marks=after.marks,
        )
        for before, after in zip(old, new, strict=True)
    )
    if not right:
        raise UsageError(
            f"{path.name}: the environment of a segment stands where it cannot be replaced (a merged or folded value)",
            "Write `environment:` with a plain name in each segment, then start again.",
        )


def plain_name(name: str) -> str:
    """An environment's name in lower case, or the last part of its folder; an ä is one, however it is composed."""
    last = posixpath.basename(posixpath.normpath(name.strip().replace("\\", "/")))
    return unicodedata.normalize("NFC", last).lower()
