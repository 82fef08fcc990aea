"""`run-pipeline FILE --shard 2/4`: this computer's part of a run that several of a share do together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from runner.checks import find_warnings
from runner.cli.common import error_console, make_site, pipeline_path, show_diagnostics
from runner.cli.options import open_reporter, request_for, select
from runner.cluster.by_hand import HERE
from runner.cluster.shards import Share
from runner.errors import ExitCode, UsageError
from runner.pipeline.reader import read_pipeline
from runner.process.stop import StopRequest, install_signal_handlers

_MOST = 1000
_NOT_TOGETHER = ("executor", "accept", "canary", "dry_run", "print_hash")


def run_shard(file: str, options: Mapping[str, Any]) -> int:
    """Raises RunnerError."""
    number, count = _part(options["shard"])
    for name in _NOT_TOGETHER:
        if options[name]:
            raise UsageError(f"--shard and --{name.replace('_', '-')} exclude each other", "Give one of them.")
    path, site = pipeline_path(file), make_site(options["repo"])
    pipeline = read_pipeline(path)
    if warnings := find_warnings(pipeline, site):
        show_diagnostics(warnings, error_console())
    selection = select(pipeline, options["start"], options["only"], force=options["force"], accept=False)
    stop = StopRequest()
    request = request_for(
        pipeline,
        site,
        reporter=open_reporter(as_json=options["as_json"], verbose=options["verbose"]),
        stop=stop,
        selection=replace(selection, retry_failed=options["retry_failed"], items=options["items"]),
        records=options["records"],
        prepare_ahead=False,
        executor=HERE,
    )
    with install_signal_handlers(stop):
        code = Share(request, number, count, options["jobs"]).run()
    if code is None:
        request.journal.note("Nothing to run. --force runs everything again, --from SEGMENT a part.")
    return int(ExitCode.DONE if code is None else code)


def _part(text: str) -> tuple[int, int]:
    """`2/4` -> (2, 4). Raises UsageError."""
    found = re.fullmatch(r"\s*(\d{1,4})\s*/\s*(\d{1,4})\s*", text, re.ASCII)
    number, count = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= number <= count < _MOST:
        raise UsageError(f"--shard: {text!r} is no part of a whole", "Write 1/4, 2/4, 3/4 and 4/4 on four computers.")
    return number, count
