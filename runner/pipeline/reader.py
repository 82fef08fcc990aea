"""`read_pipeline`: a pipeline file -> `Pipeline`, or every problem in it at once."""

from __future__ import annotations

import gc
import hashlib
import os
from pathlib import Path

from runner.errors import PipelineError
from runner.ground.plain import read_plain
from runner.model import Mark, Pipeline, Segment
from runner.pipeline.near import near
from runner.pipeline.nodes import ListNode, MapNode, Node
from runner.pipeline.problems import explain_run, explain_top
from runner.pipeline.report import Report
from runner.pipeline.schema import faults, schema
from runner.pipeline.segments import SegmentReader
from runner.pipeline.syntax import compose_or_explain
from runner.pipeline.text import decode
from runner.pipeline.unknown_keys import warn_of_unknown_top_keys
from runner.pipeline.values import Fields, fields_of, value_of


def read_pipeline(path: Path, *, hashes_only: bool = False) -> Pipeline:
    """The pipeline in the file at `path`, with its warnings; PipelineError with all problems when it is not valid.

    `hashes_only`: for printing hashes, not for running. What the Go runner loaded and refused only when it came to
    run it is then taken, with the hash that Go gave it.
    """
    path = Path(os.path.abspath(path))  # noqa: PTH100  (no links resolved: %YAML% is the folder as given)
    try:
        data = read_plain(path)
    except OSError as error:
        report = Report(path)
        report.error(None, f"the file cannot be read: {error.strerror or error}", "Check the name and the drive.")
        raise _refused(path, report) from None
    return parse_pipeline(data, path, hashes_only=hashes_only)


def parse_pipeline(data: bytes, path: Path, *, hashes_only: bool = False) -> Pipeline:
    """As `read_pipeline`, of bytes that were read already; `path` is absolute."""
    report = Report(path)
    segments = _read(data, report, hashes_only)
    if report.errors:
        raise _refused(path, report)
    return Pipeline(
        path=path,
        sha256=hashlib.sha256(data).hexdigest(),
        segments=tuple(segments),
        warnings=tuple(report.in_order()),
        lines=tuple(report.lines),
        source=data,
    )


def _read(data: bytes, report: Report, hashes_only: bool) -> list[Segment]:
    """The segments of the file. The garbage collector rests meanwhile: it would double the time and find nothing."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        text = decode(data, report)
        if text is None:
            return []
        root, readable = compose_or_explain(text, report)
        return _segments(root, report, hashes_only) if readable else []
    finally:
        if enabled:
            gc.enable()


def _refused(path: Path, report: Report) -> PipelineError:
    number = len(report.errors)
    problems = "a problem" if number == 1 else f"{number} problems"
    return PipelineError(f"{path.name} has {problems}; nothing was run", report.in_order())


def _segments(root: Node | None, report: Report, hashes_only: bool) -> list[Segment]:
    """The segments below `run:`; a missing or empty list is a pipeline with nothing to do."""
    if root is None:
        report.warning(None, "the file is empty: there is nothing to run")
        return []
    if not isinstance(root, MapNode):
        if value_of(root, report) is None:
            report.warning(None, "the file is empty: there is nothing to run")
        else:
            explain_top(root, report)
        return []
    fields = fields_of(root, report)
    warn_of_unknown_top_keys(fields, report)
    if "compare" in fields:
        from runner.pipeline.compare_block import warn_of_block

        warn_of_block(fields["compare"][-1][1], report)
    run = _run_of(fields, report)
    if run is None:
        return []
    reader = SegmentReader(report, hashes_only)
    segments = [reader.read(node, number) for number, node in enumerate(run.items, 1)]
    return reader.finish(segments)


def _run_of(fields: Fields, report: Report) -> ListNode | None:
    """The list of `run:`; None when there is none, with what is to be said about that."""
    if "run" not in fields:
        meant = next(
            (name for name in fields if near(name, ("run",)) and isinstance(fields[name][-1][1], ListNode)), ""
        )
        if meant:
            report.error(fields[meant][-1][0], f"`{meant}` is no key of a pipeline file", "Write `run:`.")
            return None
        report.warning(Mark(1, 1), "there is no `run:` in this file, so there is nothing to run")
        return None
    node = fields["run"][-1][1]
    if isinstance(node, ListNode) and node.items:
        return node
    instance = {"run": {} if isinstance(node, MapNode) else value_of(node, report)}
    if faults(instance, schema()):
        explain_run(node, report)
    else:
        report.warning(node, "`run:` is empty: there is nothing to run")
    return None
