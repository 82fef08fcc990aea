"""Asks at the terminal for what only a person can tell (where conda or ImageJ is), and keeps it in .env."""

from __future__ import annotations

from collections.abc import Iterable

import click

from runner.environments import Lack, Site, kind
from runner.errors import Interrupted
from runner.ground.disk import on_disk
from runner.model import EnvironmentSpec
from runner.pipeline.dotenv import save_dotenv_value


def ask_user(specs: Iterable[EnvironmentSpec], site: Site) -> None:
    """For the foreground, before anything runs. Does nothing without a terminal."""
    if not site.host.interactive:
        return
    for spec in dict.fromkeys(specs):
        if lack := kind(spec).lacks(spec, site):
            save_dotenv_value(on_disk(site.repo) / ".env", lack.variable, _answer(lack))


def _answer(lack: Lack) -> str:
    def accepted(text: str) -> str:
        try:
            return lack.accept(text)
        except ValueError as error:
            raise click.UsageError(str(error)) from None

    try:
        return str(click.prompt(lack.question, value_proc=accepted))
    except click.Abort:
        what = lack.question.partition(" was not found")[0]
        raise Interrupted(f"stopped at the question where {what} is", f"{lack.variable} in .env answers it.") from None
