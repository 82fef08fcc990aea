"""An error of ours: one line on the screen, and everything that helps to mend it in a file."""

from __future__ import annotations

import sys
from pathlib import Path

from runner import __version__
from runner.errors import ExitCode
from runner.report.console import Console

# the values of .env, once they were read: a report is sent to others
known: dict[str, str] = {}


def write_report(error: BaseException, console: Console) -> ExitCode:
    """Write the report and say where it is; returns the exit code."""
    import platform
    import tempfile
    import traceback

    text = "\n".join(
        (
            f"run-pipeline {__version__}",
            f"Python {sys.version} on {platform.platform()}",
            f"started as: {sys.argv}",
            "",
            "".join(traceback.format_exception(error)),
        )
    )
    if known:
        from runner.pipeline.masking import masked

        text = masked(text, known, windows=sys.platform == "win32")
    console.line(f"error: the runner itself failed: {type(error).__name__}: {error}", "red", "bold")
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", errors="backslashreplace", prefix="run-pipeline-", suffix=".txt", delete=False
        ) as stream:
            stream.write(text)
        console.line(f"  A report for the people who keep the runner is in {Path(stream.name)}")
    except OSError as problem:
        console.line(f"  The report could not be written ({problem}); here it is:")
        console.line(text)
    console.line("  Finished segments stay finished; start the pipeline again to go on.")
    return ExitCode.INTERNAL
