"""`run-pipeline migrate`: a conda environment file becomes a dependency group, with an account of every line."""

from __future__ import annotations

from typing import Any

import click

from runner.cli.common import offline_option, usual
from runner.cli.completing import complete_files

EPILOG = """\b
Examples:
  run-pipeline migrate conda_envs/cellpose.yml --dry-run
  run-pipeline migrate conda_envs/cellpose.yml --prefix cellpose --pin
  run-pipeline migrate conda_envs/cellpose.yml --pipelines pipeline_configs
  run-pipeline migrate --retire cellpose
\b
Exit codes: 0 done, 2 usage or a recipe that cannot become a group,
3 the group does not lock."""


@click.command(name="migrate", epilog=EPILOG)
@click.argument("recipe", metavar="RECIPE.yml", required=False, shell_complete=complete_files)
@click.option("--group", metavar="NAME", default="", help="Name of the group (default: the environment's name).")
@click.option(
    "--prefix", metavar="ENV", help="The installed environment, by name or folder: its own metadata names the packages."
)
@click.option(
    "--pin", is_flag=True, help="With --prefix: the versions that are installed, also of what they brought along."
)
@click.option("--python", metavar="3.X", default="", help="Another Python than the recipe's.")
@click.option("--cuda", metavar="VERSION", default="", help="PyTorch's own builds for this CUDA (12.4), or `cpu`.")
@click.option("--replace", is_flag=True, help="Write a group that is there already anew.")
@click.option(
    "--pipelines",
    metavar="FILE",
    multiple=True,
    help="Pipelines (a file, a folder, a pattern) to write an _uv twin of. Can be repeated.",
)
@click.option(
    "--environment", metavar="NAME", multiple=True, help="Another name by which pipelines call the conda environment."
)
@click.option(
    "--retire", metavar="NAME", help="Remove a recipe and its conda pipelines, once their twins are signed off."
)
@click.option("--report", "report_file", metavar="FILE.md", help="Also write the account of every line as Markdown.")
@click.option("--dry-run", is_flag=True, help="Show the plan and whether it locks; write nothing.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@offline_option
@usual
def command(recipe: str | None, retire: str | None, **options: Any) -> int:
    """Turn a conda environment file into a dependency group of pyproject.toml.

    Every line of the recipe is accounted for. The plan is shown first; nothing is written before you agree, and
    pyproject.toml and uv.lock stay as they are when the group does not lock.
    """
    from runner.cli.migrating import migrate

    return migrate(recipe, retire, **options)
