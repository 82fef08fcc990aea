"""pyproject.toml with the new group: edited in place, comments and order kept."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Whitespace

from runner.environments.spec import normalised_group
from runner.errors import UsageError
from runner.migrate.plan import IndexSource, Plan, recipe_in

# a table's header right below a line that is neither empty nor a comment
_TIGHT = re.compile(r"(^(?!\s*#)[^\n]*\S[^\n]*\n)(\[{1,2}[^\[\]{}\n]+\]{1,2}[ \t]*$)", re.MULTILINE)
MADE_BY = "by run-pipeline migrate"


def with_group(text: str, plan: Plan, repo: Path) -> str:
    """`text` of pyproject.toml with the plan's group, Python, indexes, sources and conflicts. Raises UsageError."""
    # one kind of line end inside; what the file had is put back
    ends = "\r\n" if "\r\n" in text else "\n"
    try:
        document: Any = tomlkit.parse(text.replace("\r\n", "\n"))
        _add_group(document, plan, repo)
        _add_python(document, plan)
        _add_indexes(document, plan)
        for source in plan.sources:
            _add_source(document, plan.group, source)
        for other in plan.conflicts:
            _add_conflict(document, plan.group, other)
    except (TOMLKitError, TypeError, AttributeError) as error:
        raise UsageError(
            f"pyproject.toml is written in a way that cannot be added to: {error}",
            "Write [dependency-groups] and [tool.uv] as tables of their own.",
        ) from error
    return _blank_before_tables(str(tomlkit.dumps(document)), text).replace("\n", ends)


def _blank_before_tables(text: str, before: str) -> str:
    """An empty line before each table that is new, or that lost its own to what was added above it."""
    tight = {found[2] for found in _TIGHT.finditer(before.replace("\r\n", "\n"))}
    return _TIGHT.sub(lambda found: found[0] if found[2] in tight else f"{found[1]}\n{found[2]}", text)


def _add_group(document: Any, plan: Plan, repo: Path) -> None:
    groups = _table(document, "dependency-groups")
    lines = tomlkit.array()
    for text in map(str, plan.requirements):
        # a literal string only where a basic one would need escapes
        lines.append(tomlkit.string(text, literal='"' in text and "'" not in text))
    lines.multiline(bool(plan.requirements))
    comment = f"from {recipe_in(repo, plan.recipe.path)}, {MADE_BY}"
    name = _name_there(groups, plan.group)
    _put(groups, name, lines, comment)


def _put(table: Any, name: str, value: Any, comment: str = "") -> None:
    """In place of the entry of that name, or behind the last one, before the blank lines that part the next table."""
    if name in table:
        table[name] = value
        return
    blank = _take_trailing_blank(table)
    if comment:
        table.add(tomlkit.comment(comment))
    table.add(name, value)
    if blank:
        table.add(tomlkit.nl())


def _take_trailing_blank(table: Any) -> bool:
    """Whether an empty line ended the table; it is taken away, to be put back behind the new entry."""
    body = getattr(getattr(table, "value", table), "body", [])
    found = False
    while body and body[-1][0] is None and isinstance(body[-1][1], Whitespace):
        body.pop()
        found = True
    return found


def _add_python(document: Any, plan: Plan) -> None:
    if not plan.requires_python:
        return
    settings = _table(_uv(document), "dependency-groups")
    _put(settings, _name_there(settings, plan.group), _inline({"requires-python": plan.requires_python}))


def _add_indexes(document: Any, plan: Plan) -> None:
    if not plan.indexes:
        return
    uv = _uv(document)
    if "index" not in uv:
        uv["index"] = tomlkit.aot()
    for index in plan.indexes:
        if any(str(one.get("name", "")) == index.name for one in uv["index"]):
            continue
        table = tomlkit.table()
        table["name"] = index.name
        table["url"] = index.url
        if index.flat:
            table["format"] = "flat"
        table["explicit"] = True
        uv["index"].append(table)


def _add_source(document: Any, group: str, source: IndexSource) -> None:
    """A source for this group; what the package has for others stays."""
    sources = _table(_uv(document), "sources")
    place = {"index": source.index} if source.index else {"path": source.path}
    marker = {"marker": source.marker} if source.marker else {}
    editable = {"editable": True} if source.editable else {}
    entry = _inline({**place, "group": group, **marker, **editable})
    name = _name_there(sources, source.package)
    there = sources.get(name, [])
    others = [one for one in (there if isinstance(there, list) else [there]) if one.get("group") != group]
    for one in others:
        apart = one.get("marker") and one.get("marker") != source.marker
        if not (one.get("group") or one.get("extra") or apart):
            raise UsageError(
                f"[tool.uv.sources] has {name} for the whole repository, so this group cannot have another",
                "Give that entry a `group`, then start again.",
            )
    if not others:
        _put(sources, name, entry)
        return
    array = tomlkit.array()
    for one in [*others, entry]:
        array.append(_inline(dict(one.items())))
    sources[name] = array.multiline(True)


def _add_conflict(document: Any, group: str, other: str) -> None:
    uv = _uv(document)
    if "conflicts" not in uv:
        uv["conflicts"] = tomlkit.array()
    wanted = {normalised_group(group), normalised_group(other)}
    if any(wanted <= _groups_of(pair) for pair in uv["conflicts"]):
        return
    pair = tomlkit.array()
    for name in (group, other):
        pair.append(_inline({"group": name}))
    uv["conflicts"].insert(_behind(uv["conflicts"], other), pair)
    uv["conflicts"].multiline(True)


def _behind(conflicts: Any, group: str) -> int:
    """The place right behind the last entry that names `group`, or the end.

    uv splits its work at every entry, and can forget a group once no entry names it any more. With two groups that both
    contradict nine others, those nine pair by pair took it 12 s; first the nine of one, then those of the other 330 s.
    """
    named = [number for number, pair in enumerate(conflicts) if normalised_group(group) in _groups_of(pair)]
    return named[-1] + 1 if named else len(conflicts)


def _groups_of(pair: Any) -> set[str]:
    return {normalised_group(str(one["group"])) for one in pair if "group" in one}


def without_group(text: str, group: str, *, whole: bool = False) -> str:
    """`text` less the group's sources and conflicts, for writing it anew; `whole`: less the group itself too."""
    document: Any = tomlkit.parse(text.replace("\r\n", "\n"))
    key = normalised_group(group)
    uv = document.get("tool", {}).get("uv", {})
    for table in (document.get("dependency-groups", {}), uv.get("dependency-groups", {})) if whole else ():
        for name in [one for one in table if normalised_group(str(one)) == key]:
            del table[name]
    sources = uv.get("sources", {})
    for name in list(sources):
        entries = sources[name] if isinstance(sources[name], list) else [sources[name]]
        left = [one for one in entries if normalised_group(str(one.get("group", ""))) != key]
        if not left:
            del sources[name]
        elif len(left) < len(entries):
            sources[name] = left[0] if len(left) == 1 else left
    if "conflicts" in uv:
        for number in reversed(range(len(uv["conflicts"]))):
            if key in _groups_of(uv["conflicts"][number]):
                del uv["conflicts"][number]
    return str(tomlkit.dumps(document)).replace("\n", "\r\n" if "\r\n" in text else "\n")


def _name_there(table: Any, name: str) -> str:
    """As the table writes a name that is the same to uv."""
    return next((str(key) for key in table if normalised_group(str(key)) == normalised_group(name)), name)


def _uv(document: Any) -> Any:
    return _table(_table(document, "tool", is_super_table=True), "uv")


def _table(parent: Any, name: str, *, is_super_table: bool | None = None) -> Any:
    if name not in parent:
        parent.add(name, tomlkit.table(is_super_table))
    return parent[name]


def _inline(values: dict[str, object]) -> Any:
    """`{ group = "x" }`, with blanks inside the braces."""
    inside = ", ".join(f"{key} = {tomlkit.item(value).as_string()}" for key, value in values.items())
    return tomlkit.parse(f"it = {{ {inside} }}")["it"]
