"""How many public conda recipes become a group that locks beside others: writes docs/conda-to-uv-recipes.md.

    python benchmarks/public_recipes.py [--only NAME] [--note TEXT]

Needs the network: package indexes, PyTorch's and, for some recipes, git repositories. Nothing but the page is written;
the locks are tried in a repository made for it. Minutes. `--repo DIR` tries them beside the groups of another one.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[1]
RECIPES = REPO / "tests" / "examples" / "conda_recipes"
PAGE = REPO / "docs" / "conda-to-uv-recipes.md"
OTHER_PYTHON = "3.11"  # for recipes whose own is older than this repository allows
PROJECT = """\
[project]
name = "lab"
version = "1"
requires-python = ">=3.11"
[dependency-groups]
measure = ["numpy>=2.1", "scipy"]
other = ["tqdm"]
[tool.uv]
package = false
environments = [
    "sys_platform == 'linux' and platform_machine == 'x86_64'",
    "sys_platform == 'win32' and platform_machine == 'AMD64'",
    "sys_platform == 'darwin' and platform_machine == 'arm64'",
]
"""
SHOWN = ("kept", "renamed", "guessed", "not needed", "needs a system package", "lost")
HEAD = """\
# Public recipes as dependency groups

`run-pipeline migrate` was tried on {count} conda environment files of image-analysis tools
(tests/examples/conda_recipes), each as a group of a small repository that has two others (`numpy>=2.1` with SciPy, and
tqdm), for Linux, Windows and macOS at once. "Locks" means that `uv lock` found versions of everything; that the results
are the same is what `run-pipeline compare` shows.

The repository allows Python 3.11 and newer; a group for an older one is refused.

**{own} of {count} lock with their own Python, {other} more with Python {python}, {none} do not.**

Made on {day} by `python benchmarks/public_recipes.py` with {uv}. {note}

Lines: kept / renamed / guessed / not needed / needs a system package / lost. Time in seconds.

| recipe | lines | its Python | locks | with Python {python} | conflicts declared | time |
|---|---|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Result:
    """One try."""

    whole: dict[str, Any]  # the last record
    lines: list[dict[str, Any]]
    seconds: float

    @property
    def locked(self) -> bool:
        return bool(self.whole["locked"])

    @property
    def reason(self) -> str:
        """Its first line, without what is said of every group."""
        first = str(self.whole["reason"]).partition("\n")[0]
        return first.replace(f"the group {self.whole['group']} ", "")

    @property
    def refused(self) -> bool:
        return bool(self.whole["problems"])


def migrate(recipe: Path, repo: Path, *options: str) -> Result:
    """A dry run in `repo`."""
    command = [sys.executable, "-m", "runner", "migrate", str(recipe), "--repo", str(repo), "--dry-run", "--json"]
    group = f"judged_{recipe.stem}"
    started = time.monotonic()
    done = subprocess.run(
        [*command, "--group", group, *options], cwd=REPO, capture_output=True, encoding="utf-8", check=False
    )
    records = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if not records:
        raise SystemExit(f"{recipe.name}: {done.stderr}")
    lines = [record for record in records if record["event"] == "line"]
    return Result(records[-1], lines, time.monotonic() - started)


def row(recipe: Path, own: Result, other: Result | None) -> str:
    counts = [sum(line["status"] == status for line in own.lines) for status in SHOWN]
    python = next((line["text"] for line in own.lines if str(line["text"]).startswith("python=")), "any")
    last = other or own
    cells = [
        f"`{recipe.name}`",
        " / ".join(map(str, counts)),
        python.removeprefix("python=").strip("'"),
        "yes" if own.locked else "no: too old" if own.refused else f"no: {own.reason}",
        "" if other is None else "yes" if other.locked else f"no: {other.reason}",
        ", ".join(last.whole["conflicts"]) or "none" if last.locked else "",
        f"{last.seconds:.0f}",
    ]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def details(recipes: dict[Path, tuple[Result, Result | None]]) -> str:
    """What a person has to look at, recipe by recipe; and uv's words where it does not lock."""
    text = "\n## To look at\n"
    for recipe, (own, other) in recipes.items():
        last = other or own
        odd = [line for line in own.lines if line["status"] in SHOWN[2:3] + SHOWN[4:]]
        if not odd and last.locked and not last.whole["remarks"]:
            continue
        text += f"\n### {recipe.name}\n\n"
        text += "".join(f"- `{line['text']}`: {line['status']}; {line['note']}\n" for line in odd)
        text += "".join(f"- {remark}\n" for remark in last.whole["remarks"])
        if not last.locked:
            reason = re.sub(r"\S*/uv/git-v\d+/\S+", "(uv's cache)", str(last.whole["reason"]))
            said = [line for line in reason.splitlines() if line.startswith("uv: ")]
            text += "\n```text\n" + "\n".join(said[:12]) + "\n```\n"
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="one recipe; shows its row and leaves the page alone")
    parser.add_argument("--note", default="", help="a sentence for the page: how the network was")
    parser.add_argument("--repo", type=Path, help="beside the groups of this repository; leaves the page alone")
    arguments = parser.parse_args()
    recipes = [path for path in sorted(RECIPES.glob("*.yml")) if arguments.only in (None, path.stem)]
    results: dict[Path, tuple[Result, Result | None]] = {}
    with tempfile.TemporaryDirectory() as name:
        if arguments.repo:
            for file in ("pyproject.toml", "uv.lock"):
                shutil.copyfile(arguments.repo / file, Path(name) / file)
        else:
            (Path(name) / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
            subprocess.run(["uv", "lock", "--quiet"], cwd=name, check=True)
        for recipe in recipes:
            own = migrate(recipe, Path(name))
            other = migrate(recipe, Path(name), "--python", OTHER_PYTHON) if own.refused else None
            results[recipe] = own, other
            print(row(recipe, own, other), end="", flush=True)
    if arguments.only or arguments.repo:
        return
    uv = subprocess.run(["uv", "--version"], capture_output=True, text=True, check=False).stdout.split("(")[0].strip()
    locked = sum(own.locked for own, _ in results.values())
    more = sum(other is not None and other.locked for _, other in results.values())
    head = HEAD.format(
        count=len(results), own=locked, other=more, none=len(results) - locked - more, python=OTHER_PYTHON,
        day=date.today().isoformat(), uv=uv or "uv", note=arguments.note,
    )  # fmt: skip
    rows = "".join(row(recipe, own, other) for recipe, (own, other) in results.items())
    PAGE.write_text(head + rows + details(results), encoding="utf-8")


if __name__ == "__main__":
    main()
