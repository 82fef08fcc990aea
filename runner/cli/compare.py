"""`run-pipeline compare`: do two pipelines, or two folders, hold the same results?"""

from __future__ import annotations

from typing import Any

import click

from runner.cli.common import offline_option, usual
from runner.cli.completing import complete_files

EPILOG = """\b
Examples:
  run-pipeline compare nuclei.yaml nuclei_uv.yaml --report report
  run-pipeline compare results_old results_new
  run-pipeline compare a.yaml b.yaml --tolerance image.max=1 --tolerance table.rtol=1e-4
\b
Exit codes: 0 the same, or within the tolerance; 1 different, missing or not comparable; others as everywhere."""


@click.command(name="compare", epilog=EPILOG)
@click.argument("a", metavar="A", shell_complete=complete_files)
@click.argument("b", metavar="B", shell_complete=complete_files)
@click.option("--report", metavar="DIR", help="Write a page with pictures (index.html) and report.json into DIR.")
@click.option(
    "--sign-off", metavar='"NAME: REASON"', help="Write down who accepts this result, and why (two pipelines)."
)
@click.option(
    "--no-noise-floor", is_flag=True, help="Do not run A a second time to see how far it differs from itself."
)
@click.option(
    "--fresh", is_flag=True, help="Run both anew, with outputs in folders of their own; nothing is overwritten."
)
@click.option(
    "--tolerance", multiple=True, metavar="LIMIT=N", help="Such as image.max=1 or labels.pq=0.95; repeatable."
)
@click.option("--ignore", multiple=True, metavar="GLOB", help="Files to leave out, such as '*.log'; repeatable.")
@click.option(
    "--ignore-column",
    multiple=True,
    metavar="GLOB",
    help="Columns of tables to leave out, such as created; repeatable.",
)
@offline_option
@usual
def command(a: str, b: str, **options: Any) -> int:
    """Compare two pipelines (their runs and results), or two folders of results.

    Pipelines are run as usual where they are not done. Files pair up by their relative names, and each pair gets a
    place on the ladder: same bytes, same content, within tolerance, different.
    """
    from runner.cli.comparing import compare

    return compare(a, b, **options)
