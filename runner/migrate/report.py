"""A migration as lines on the screen, as records for programs, and as a Markdown page to keep."""

from __future__ import annotations

import os
import textwrap
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from runner.migrate.names import Status
from runner.migrate.pipelines import Twin
from runner.migrate.plan import Item, Plan, recipe_in
from runner.migrate.recipe_lines import Source

COLOURS = {
    Status.KEPT: "green",
    Status.RENAMED: "green",
    Status.GUESSED: "yellow",
    Status.REPLACED: "dim",
    Status.SYSTEM: "yellow",
    Status.LOST: "red",
}


@dataclass
class Outcome:
    """How it went, for all three."""

    repo: Path
    locked: bool | None = None  # None: not tried
    written: bool = False
    reason: str = ""  # why not
    twins: list[Twin] = field(default_factory=list)


def table(plan: Plan, width: int = 100) -> Iterator[tuple[Status | None, str]]:
    """Lines for the screen, each with the status that colours it."""
    rows = [(_place(item, plan), item.line.text, item.status.value, item.result) for item in plan.items]
    head = ("line", "in the recipe", "", "in the group")
    widths = [min(max(len(row[column]) for row in [head, *rows]), 36) for column in range(3)]
    row_of = f"  {{:>{widths[0]}}}  {{:<{widths[1]}}}  {{:<{widths[2]}}}  {{}}".format
    yield None, row_of(*head).rstrip()
    for item, row in zip(plan.items, rows, strict=True):
        yield item.status, row_of(*row).rstrip()
        for line in textwrap.wrap(item.note, max(30, width - widths[0] - 8)):
            yield Status.REPLACED, " " * (widths[0] + 6) + line


def summary(plan: Plan) -> str:
    """3 kept, 2 renamed, 1 guessed."""
    counts = Counter(item.status for item in plan.items)
    return ", ".join(f"{counts[status]} {status.value}" for status in Status if counts[status])


def consequences(plan: Plan) -> Iterator[str]:
    """What is written beside the list of packages."""
    if plan.requires_python:
        yield f"Python of the group: {plan.requires_python}"
    for index in plan.indexes:
        yield f"new index {index.name}: {index.url} (used for this group only)"
    for source in plan.sources:
        where = f"the index {source.index}" if source.index else source.path
        yield f"{source.package} comes from {where}{f' ({source.marker})' if source.marker else ''}"
    for other, why in plan.conflicts.items():
        yield f"conflict with the group {other}, which {why.value}"
    yield from plan.remarks


def versions(plan: Plan) -> Iterator[tuple[str, str, str]]:
    """Name, installed version ("" where not known), locked version: of the group's own lines, then what differs."""
    own = dict.fromkeys(one.key for one in plan.requirements)
    others = [name for name in sorted(plan.locked) if name not in own and _differs(plan, name)]
    for name in (*own, *others):
        if name in plan.locked:
            yield name, plan.installed.get(name, ""), plan.locked[name]


def version_lines(plan: Plan) -> Iterator[str]:
    """For the screen: what the lock holds, and where that is not what is installed."""
    rows = list(versions(plan))
    if not rows:
        return
    same = [f"{name} {locked}" for name, _, locked in rows if not _differs(plan, name)]
    yield from textwrap.wrap("locked: " + ", ".join(same), 96, subsequent_indent="  ") if same else ()
    for name, old, new in rows:
        if _differs(plan, name):
            yield f"another version than installed: {name} {old} -> {new}"


def _differs(plan: Plan, name: str) -> bool:
    old = plan.installed.get(name)
    # 2.4.0 is installed, 2.4.0+cu124 is locked: the same release
    return old is not None and old.partition("+")[0] not in {
        one.partition("+")[0] for one in plan.locked[name].split(" or ")
    }


def records(plan: Plan, outcome: Outcome) -> Iterator[dict[str, object]]:
    """For --json: one for each line of the recipe, one for each pipeline, then the plan as a whole."""
    for item in plan.items:
        yield {
            "event": "line",
            "file": str(item.line.file),
            "line": item.line.number,
            "text": item.line.text,
            "source": item.line.source.value,
            "status": item.status.value,
            "requirements": [str(one) for one in item.requirements],
            "note": item.note,
        }
    for twin in outcome.twins:
        yield {
            "event": "pipeline",
            "file": str(twin.source),
            "twin": str(twin.target),
            "segments": list(twin.segments),
            "written": bool(twin.data) and outcome.written,
            "note": twin.note,
        }
    yield {
        "event": "migration",
        "recipe": str(plan.recipe.path),
        "group": plan.group,
        "requires_python": plan.requires_python,
        "dependencies": [str(one) for one in plan.requirements],
        "indexes": [{"name": one.name, "url": one.url} for one in plan.indexes],
        "sources": [{"package": one.package, "index": one.index, "path": one.path} for one in plan.sources],
        "conflicts": list(plan.conflicts),
        "versions": [{"name": name, "installed": old, "locked": new} for name, old, new in versions(plan)],
        "remarks": list(plan.remarks),
        "problems": [{"message": one.message, "cure": one.cure} for one in plan.problems],
        "locked": outcome.locked,
        "written": outcome.written,
        "reason": outcome.reason,
    }


_HEAD = "| line | in the recipe | what became of it | in the group | note |"


def is_replaceable(target: Path) -> bool:
    """Whether a page may be written here: where nothing is, or an earlier page."""
    if not os.path.lexists(target):
        return True
    try:
        return target.is_file() and not target.is_symlink() and _HEAD in target.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return False


def markdown(plan: Plan, outcome: Outcome) -> str:
    """The page to keep."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    templates = FileSystemLoader(Path(__file__).with_name("templates"))
    # Markdown, which nobody opens in a browser as it is
    environment = Environment(loader=templates, undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True)
    environment.filters["cell"] = lambda text: text.replace("|", "\\|").replace("\n", " ")
    return environment.get_template("page.md").render(
        recipe=recipe_in(outcome.repo, plan.recipe.path),
        plan=plan,
        outcome=outcome,
        summary=summary(plan),
        head=_HEAD,
        place=lambda item: _place(item, plan),
        beside=list(consequences(plan)),
        versions=list(versions(plan)),
        differs=lambda name: _differs(plan, name),
        look_at=[item for item in plan.items if item.status in (Status.GUESSED, Status.SYSTEM, Status.LOST)],
    )


def _place(item: Item, plan: Plan) -> str:
    if item.line.source is Source.INSTALLED:
        return "-"
    return str(item.line.number) if item.line.file == plan.recipe.path else f"{item.line.file.name}:{item.line.number}"
