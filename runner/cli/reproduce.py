"""`run-pipeline reproduce`: a recorded run again, from its own record."""

from __future__ import annotations

from typing import Any

import click

from runner.cli.common import offline_option, usual
from runner.cli.completing import complete_files

EPILOG = """\b
Examples:
  run-pipeline reproduce pipeline.yaml              the last run, again
  run-pipeline reproduce pipeline.yaml 42 -n        what differs from run 42
  run-pipeline reproduce pipeline.yaml 42 --report report
\b
Exit codes: 0 the same, or within the tolerance; 1 different, missing or not comparable; 2 it would not be the same run,
or something of it is gone; 3 an environment of then cannot be had; others as everywhere."""


@click.command(name="reproduce", epilog=EPILOG)
@click.argument("record", metavar="FILE.yaml|DIR", shell_complete=complete_files)
@click.argument("run", metavar="[RUN]", default="last")
@click.option("--dry-run", "-n", is_flag=True, help="Only tell what differs from then; nothing is written or run.")
@click.option("--anyway", is_flag=True, help="Run it although what differs may change the result.")
@click.option(
    "--todays-lock", is_flag=True, help="With the environments as they are today, as for records that hold no lock."
)
@click.option("--fresh", is_flag=True, help="Run all of it, also what an earlier call has finished.")
@click.option("--report", metavar="DIR", help="Write a page with pictures (index.html) and report.json into DIR.")
@click.option(
    "--tolerance", multiple=True, metavar="LIMIT=N", help="Such as image.max=1 or labels.pq=0.95; repeatable."
)
@click.option("--ignore", multiple=True, metavar="GLOB", help="Files to leave out, such as '*.log'; repeatable.")
@click.option("--ignore-column", multiple=True, metavar="GLOB", help="Columns of tables to leave out; repeatable.")
@click.option("--records", metavar="DIR", help="Where the run records are, if not beside the file.")
@offline_option
@usual
def command(record: str, run: str, **options: Any) -> int:
    """Run a recorded run again, from its own record, and compare its results with those of then.

    RUN is the run's number or `last`; in place of both, the folder of the run. The pipeline's text is that of then, and
    so are the packages of uv's environments, which are made anew in folders of their own. Results go elsewhere: nothing
    is overwritten. What differs from then is told before anything runs.
    """
    from runner.cli.reproducing import reproduce

    return reproduce(record, run, **options)
