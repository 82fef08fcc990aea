"""`run-pipeline unbundle`: a bundle becomes a folder that needs no network."""

from __future__ import annotations

from pathlib import Path

import click

from runner.bundle.unpack import unbundle
from runner.cli.common import reports_errors


@click.command(name="unbundle")
@click.argument("bundle", metavar="FILE.bundle", type=click.Path(path_type=Path))
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--canary", is_flag=True, help="At the end, run each pipeline: one item, where it goes over many.")
@click.option("--no-check", is_flag=True, help="Do not check the pipelines at the end.")
@reports_errors
def command(bundle: Path, folder: Path, canary: bool, no_check: bool) -> int:
    """Unpack a bundle to DIR and make its environments, without a network.

    DIR is a new folder, or one that an older bundle was unpacked to: what you changed there stays. A bundle that is
    damaged, or for another computer, is refused and changes nothing. `python FILE.bundle DIR` does the same where no
    runner is yet.
    """
    return unbundle(bundle, folder, canary=canary, check=not no_check)
