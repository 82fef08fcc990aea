"""`run-pipeline migrate --retire`: the recipe and the conda pipelines go when nothing needs them any more."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from runner.cli.common import confirmed
from runner.environments import Site
from runner.errors import UsageError
from runner.ground.disk import on_disk
from runner.migrate.retire import Retirement, carry_out, plan_retirement


def retire_command(
    name: str,
    pipelines: Sequence[str],
    names: Sequence[str],
    site: Site,
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """The exit code. Raises UsageError when something stands against it."""
    repo = on_disk(site.repo)

    def look() -> Retirement:
        return plan_retirement(name, repo, pipelines, Path.cwd(), names=names, dotenv=site.dotenv)

    retirement = look()
    if as_json:
        record = {
            "event": "retirement",
            "name": name,
            "files": [str(path) for path in retirement.files],
            "signed": retirement.signed,
            "obstacles": retirement.obstacles,
            "left": retirement.left,
        }
        print(json.dumps(record, ensure_ascii=False))
    if retirement.obstacles:
        lines = "\n".join(f"- {text}" for text in retirement.obstacles)
        raise UsageError(f"{name} cannot be retired yet; nothing was removed", lines)
    if not as_json:
        lists: list[Sequence[object]] = [retirement.signed, retirement.left, retirement.files]
        for what, texts in zip(("signed off", "stays", "to remove"), lists, strict=True):
            for text in texts:
                print(f"  {what:<10}  {text}")
    if dry_run:
        return 0
    if not confirmed(f"Remove {len(retirement.files)} files?", site, yes=yes, as_json=as_json):
        return 0
    if not yes and look() != retirement:
        raise UsageError(f"files of {name} were changed meanwhile; nothing was removed", "Start again.")
    gone = carry_out(retirement)
    if not as_json:
        print(f"Removed {len(gone)} files. The installed environment is still there: `conda env remove --name {name}`.")
    return 0
