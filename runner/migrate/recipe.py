"""A conda environment file -> its lines, each with its place; nothing is judged here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

from runner.errors import UsageError

_SELECTOR = re.compile(r"#\s*\[(?P<words>[\w\s]+)\]")
_SELECTOR_KEY = re.compile(r"sel\((?P<words>[\w\s]+)\)")
# word of a selector -> marker of PEP 508
_PLATFORMS = {
    "win": "sys_platform == 'win32'",
    "win32": "sys_platform == 'win32'",
    "win64": "sys_platform == 'win32'",
    "linux": "sys_platform == 'linux'",
    "linux64": "sys_platform == 'linux'",
    "osx": "sys_platform == 'darwin'",
    "osx64": "sys_platform == 'darwin' and platform_machine == 'x86_64'",
    "arm64": "sys_platform == 'darwin' and platform_machine == 'arm64'",
    "unix": "sys_platform != 'win32'",
}
_NEGATED = {"win": "sys_platform != 'win32'", "linux": "sys_platform != 'linux'", "osx": "sys_platform != 'darwin'"}


class Source(Enum):
    """Where in the recipe a line stands."""

    CONDA = "conda"
    PIP = "pip"
    CHANNEL = "channel"
    SETTING = "setting"
    INSTALLED = "installed"


@dataclass(frozen=True)
class Line:
    """One thing that a recipe asks for. Lines count from 1."""

    text: str
    source: Source
    file: Path
    number: int
    marker: str = ""  # of a platform selector
    remark: str = ""  # what was odd about reading it


@dataclass(frozen=True)
class Recipe:
    """An environment file as it was read."""

    path: Path
    name: str  # of the environment; the file's stem where it has none
    lines: tuple[Line, ...]


def read_recipe(path: Path) -> Recipe:
    """The recipe at `path`, with the requirements files that its pip list names. Raises UsageError."""
    text = read_text(path)
    root = _root(text, path)
    texts = text.splitlines()
    lines: list[Line] = []
    name = path.stem
    for key, value in _pairs(root):
        word = str(getattr(key, "value", ""))
        number = key.start_mark.line + 1
        if word == "name" and _is_scalar(value) and value.value.strip():
            name = value.value.strip()
        elif word == "dependencies":
            lines += _dependencies(value, path, number)
        elif word == "channels":
            lines += [Line(_scalar(one), Source.CHANNEL, path, one.start_mark.line + 1) for one in _items(value)]
        elif word != "name":
            lines += _setting(word, value, path, number)
    selected = [_with_selector(line, texts) for line in lines]
    return Recipe(path, name, tuple(selected))


def read_text(path: Path) -> str:
    """A text file in UTF-8 or UTF-16 with a mark. Raises UsageError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}", "Check the name and the drive.") from None
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path} is not {encoding[:6].upper()} text (byte {error.start})", "Save it as UTF-8."
        ) from None


def _root(text: str, path: Path) -> Any:
    import yaml

    from runner.pipeline.nodes import MapNode, compose

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


def _dependencies(node: Any, path: Path, number: int) -> Iterator[Line]:
    if _is_scalar(node) and node.value:
        yield Line(_scalar(node), Source.CONDA, path, number, remark="`dependencies:` is no list")
        return
    lost_pip = False
    for item in _items(node):
        at = item.start_mark.line + 1
        if _is_scalar(item):
            if lost_pip:
                remark = "stands below an empty `pip:`: read as one of its entries"
                yield Line(_scalar(item), Source.PIP, path, at, remark=remark)
            else:
                yield Line(_scalar(item), Source.CONDA, path, at)
            continue
        for key, value in _pairs(item):
            word = str(getattr(key, "value", ""))
            if word == "pip":
                lost_pip = not _items(value)
                yield from _pip(value, path)
            elif found := _SELECTOR_KEY.fullmatch(word.strip()):
                marker, remark = _marker(found["words"])
                for text, line in _texts(value):
                    yield Line(text, Source.CONDA, path, line, marker, remark)
            else:
                yield Line(
                    word, Source.SETTING, path, key.start_mark.line + 1, remark="no kind of entry that conda knows"
                )


def _pip(node: Any, path: Path) -> Iterator[Line]:
    from runner.migrate.requirements_file import expand

    for text, number in _texts(node):
        yield from expand(Line(text, Source.PIP, path, number))


def _setting(word: str, node: Any, path: Path, number: int) -> Iterator[Line]:
    """A key beside name, channels and dependencies; one line for each of its values."""
    if _is_scalar(node):
        yield Line(f"{word}: {_scalar(node)}", Source.SETTING, path, number)
        return
    values = [(f"{_scalar(key)}={_scalar(value)}", key) for key, value in _pairs(node)]
    values += [(_scalar(one), one) for one in _items(node)]
    for text, at in values:
        yield Line(f"{word}: {text}", Source.SETTING, path, at.start_mark.line + 1)


def _with_selector(line: Line, texts: list[str]) -> Line:
    """A comment such as `# [win]` behind an entry; conda-build, conda-lock and others read it, conda does not."""
    if line.source not in (Source.CONDA, Source.PIP) or line.marker or not 0 < line.number <= len(texts):
        return line
    found = _SELECTOR.search(texts[line.number - 1])
    if not found:
        return line
    marker, remark = _marker(found["words"])
    return replace(line, marker=marker, remark="; ".join(filter(None, (line.remark, remark))))


def _marker(words: str) -> tuple[str, str]:
    """`win`, `not osx`, `linux or win` as a marker, or a remark that it could not be read."""
    markers = []
    for part in re.split(r"\s+or\s+", words.strip()):
        negated = part.startswith("not ")
        known = (_NEGATED if negated else _PLATFORMS).get(part.removeprefix("not ").strip())
        if known is None:
            return "", f"the selector [{words}] is not understood: taken for every platform"
        markers.append(known)
    return " or ".join(markers), f"only for [{words}]"


def _texts(node: Any) -> list[tuple[str, int]]:
    if _is_scalar(node):
        return [(_scalar(node), node.start_mark.line + 1)] if node.value else []
    return [(_scalar(one), one.start_mark.line + 1) for one in _items(node)]


def _items(node: Any) -> list[Any]:
    from runner.pipeline.nodes import ListNode

    return list(node.items) if isinstance(node, ListNode) else []


def _pairs(node: Any) -> list[tuple[Any, Any]]:
    from runner.pipeline.nodes import MapNode

    return node.pairs() if isinstance(node, MapNode) else []


def _is_scalar(node: Any) -> bool:
    return hasattr(node, "value")


def _scalar(node: Any) -> str:
    return str(getattr(node, "value", "(a nested list or map)")).strip()
