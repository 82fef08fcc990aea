"""A conda environment file -> its lines, each with its place; nothing is judged here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from runner.errors import UsageError
from runner.go.scalars import BadTagError
from runner.ground.words import joined
from runner.migrate import selectors
from runner.migrate.recipe_lines import Line, Recipe, Source, expand, read_text
from runner.pipeline.nodes import ListNode, MapNode, compose, scalar_value

_NO_ENTRY = "no kind of entry that conda knows"


def read_recipe(path: Path) -> Recipe:
    """The recipe at `path`, with the requirements files that its pip list names. Raises UsageError."""
    text = read_text(path)
    root = _root(text, path)
    texts = re.split(r"\r\n|[\r\n]", text)
    lines: list[Line] = []
    name = path.stem
    _none_twice(root, path)
    for key, value in _pairs(root):
        word = str(getattr(key, "value", ""))
        number = key.start_mark.line + 1
        if word == "name" and _is_scalar(value) and _name(value):
            name = _name(value)
        elif word == "dependencies":
            lines += _dependencies(value, path, number, texts)
        elif word == "channels":
            lines += [Line(_scalar(one), Source.CHANNEL, path, one.start_mark.line + 1) for one in _items(value)]
        elif word != "name":
            lines += _setting(word, value, path, number)
    if not any(line.source in (Source.CONDA, Source.PIP) for line in lines):
        raise UsageError(f"{path} asks for no packages", "List them below `dependencies:`.")
    return Recipe(path, name, tuple(lines))


def _root(text: str, path: Path) -> Any:
    _no_list_of_packages(text, path)
    try:
        root = compose(text)
    except yaml.YAMLError as error:
        mark: Any = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or error
        raise UsageError(
            f"{path.name} is no valid YAML{place}: {problem}", "Correct that line; conda cannot read it either."
        ) from None
    if not isinstance(root, MapNode) or not any(getattr(key, "value", "") == "dependencies" for key, _ in root.pairs()):
        raise UsageError(
            f"{path} is no conda environment file: it has no list `dependencies:`",
            "Give the file that `conda env create --file` takes, such as conda_envs/NAME.yml.",
        )
    return root


def _no_list_of_packages(text: str, path: Path) -> None:
    """Raises UsageError for what `conda create --file` takes: addresses or builds, each for one system."""
    explicit = re.search(r"^\s*@EXPLICIT\s*$", text, re.MULTILINE)
    if not explicit and not re.match(r"# (?:This file may be used to create an env|packages in environment at)", text):
        return
    kind = "an @EXPLICIT list of packages" if explicit else "a list as `conda list` writes it"
    raise UsageError(
        f"{path} is {kind}, no environment file: it names the builds of one system, libraries included",
        f"Make the environment from it (`conda create --name {path.stem} --file {path.name}`) and its recipe "
        f"(`conda env export --no-builds --name {path.stem} > {path.stem}.yml`; leave in what the scripts import), "
        f"then start again with that recipe and `--prefix {path.stem} --pin`.",
    )


def _none_twice(root: Any, path: Path) -> None:
    """conda refuses a key that is given twice, and other readers take one or the other. Raises UsageError."""
    first: dict[str, int] = {}
    for key, _ in _pairs(root):
        word, number = _scalar(key), key.start_mark.line + 1
        if word in first:
            raise UsageError(
                f"{path.name}: `{word}:` is given twice, in lines {first[word]} and {number}; conda refuses that",
                f"Put all of it below one `{word}:`.",
            )
        first[word] = number


def _name(node: Any) -> str:
    """A name as it is written; "" for none: `null` and `~` are no names."""
    try:
        return "" if scalar_value(node) is None else str(node.value).strip()
    except BadTagError:
        return str(node.value).strip()


def _dependencies(node: Any, path: Path, number: int, texts: Sequence[str]) -> Iterator[Line]:
    if _pairs(node) or (_is_scalar(node) and node.value):
        raise UsageError(
            f"{path.name}, line {number}: `dependencies:` is no list",
            "Write each package in a line that begins with `-`.",
        )
    lost_pip = False
    for item in _items(node):
        at = item.start_mark.line + 1
        if _is_scalar(item) and not (lost_pip or _name(item)):
            yield Line("(nothing)", Source.SETTING, path, at, remark=_NO_ENTRY)
            continue
        if _is_scalar(item):
            source = Source.PIP if lost_pip else Source.CONDA
            remark = "stands below an empty `pip:`: read as one of its entries" if lost_pip else ""
            yield _with_selector(Line(_scalar(item), source, path, at, remark=remark), texts)
            continue
        if not _pairs(item):
            yield Line(_scalar(item), Source.SETTING, path, at, remark=_NO_ENTRY)
        for key, value in _pairs(item):
            word = str(getattr(key, "value", ""))
            if word == "pip":
                lost_pip = _is_scalar(value) and not value.value
                yield from _pip(value, path, texts)
            elif found := selectors.KEY.fullmatch(word.strip()):
                marker, remark = selectors.marker_of(found["words"])
                for text, line in _texts(value):
                    yield Line(text, Source.CONDA, path, line, marker, remark)
            else:
                yield Line(word, Source.SETTING, path, key.start_mark.line + 1, remark=_NO_ENTRY)


def _pip(node: Any, path: Path, texts: Sequence[str]) -> Iterator[Line]:
    if _pairs(node):
        yield Line("pip:", Source.SETTING, path, node.start_mark.line + 1, remark="`pip:` holds no list")
    for text, number in _texts(node):
        yield from expand(_with_selector(Line(text, Source.PIP, path, number), texts))


def _setting(word: str, node: Any, path: Path, number: int) -> Iterator[Line]:
    """A key beside name, channels and dependencies; one line for each of its values."""
    if _is_scalar(node):
        yield Line(f"{word}: {_scalar(node)}", Source.SETTING, path, number)
        return
    values = [(f"{_scalar(key)}={_scalar(value)}", key) for key, value in _pairs(node)]
    values += [(_scalar(one), one) for one in _items(node)]
    for text, at in values:
        yield Line(f"{word}: {text}", Source.SETTING, path, at.start_mark.line + 1)


def _with_selector(line: Line, texts: Sequence[str]) -> Line:
    """As a comment such as `# [win]` behind the entry narrows it."""
    found = selectors.COMMENT.search(texts[line.number - 1]) if 0 < line.number <= len(texts) else None
    if not found:
        return line
    marker, remark = selectors.marker_of(found["words"])
    return replace(line, marker=marker, remark=joined(line.remark, remark))


def _texts(node: Any) -> list[tuple[str, int]]:
    if _is_scalar(node):
        return [(_scalar(node), node.start_mark.line + 1)] if node.value else []
    return [(_scalar(one), one.start_mark.line + 1) for one in _items(node)]


def _items(node: Any) -> list[Any]:
    return list(node.items) if isinstance(node, ListNode) else []


def _pairs(node: Any) -> list[tuple[Any, Any]]:
    return node.pairs() if isinstance(node, MapNode) else []


def _is_scalar(node: Any) -> bool:
    return hasattr(node, "value")


def _scalar(node: Any) -> str:
    return str(getattr(node, "value", "(a nested list or map)")).strip()
