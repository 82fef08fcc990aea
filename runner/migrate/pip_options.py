"""The options in a recipe's pip list (`--extra-index-url`, `-e`, `-c`, …), and paths in place of a name."""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from runner.migrate.facts import Facts, Index
from runner.migrate.names import Status
from runner.migrate.plan import IndexSource, Item
from runner.migrate.recipe_lines import Line, Recipe, expand
from runner.migrate.requirement import Requirement, extras_in, parse_pip
from runner.migrate.versions import all_of

_OPTION = re.compile(r"(?P<name>--?[a-z][a-z-]*)(?:[\s=]+(?P<value>.+))?", re.IGNORECASE)
_PATH = re.compile(r"(?:\.{1,2}(?:[/\\]|$)|[/\\~]|[A-Za-z]:[/\\]|file:).*")
_INDEXES = ("-i", "--index-url", "--extra-index-url", "-f", "--find-links")
_PROJECT_FILES = ("pyproject.toml", "setup.py")
_SAYS = {
    "--trusted-host": (Status.LOST, "uv asks for it in UV_INSECURE_HOST on each machine"),
    "--no-deps": (Status.LOST, "uv installs what a package needs"),
    "--pre": (Status.LOST, "a group takes pre-releases where its line names one: `>=1.0rc1`"),
    "--no-binary": (Status.LOST, "uv knows it for the whole repository only: [tool.uv] no-binary-package"),
    "--only-binary": (Status.LOST, "uv knows it for the whole repository only: [tool.uv] no-build-package"),
    "--no-build-isolation": (Status.LOST, "uv knows it by package: [tool.uv] no-build-isolation-package"),
    "--require-hashes": (Status.REPLACED, "uv.lock holds the hash of every file"),
    "--prefer-binary": (Status.REPLACED, "uv takes a wheel where there is one"),
    "--no-cache-dir": (Status.REPLACED, "of use to pip alone"),
    "--upgrade": (Status.REPLACED, "of use to pip alone"),
    "-u": (Status.REPLACED, "of use to pip alone"),
}


class PipOptions:
    """What the options ask for beside requirements."""

    def __init__(self, recipe: Recipe, facts: Facts) -> None:
        self.recipe, self.facts = recipe, facts
        self.indexes: list[Index] = []
        self.sources: list[IndexSource] = []
        self._constraints: dict[str, Requirement] = {}

    def item(self, line: Line) -> Item | None:
        """What becomes of an option or a path; None for a plain requirement."""
        if _PATH.match(line.text):
            return self._folder(line, line.text, editable=False)
        if not line.text.startswith("-"):
            return None
        found = _OPTION.fullmatch(line.text)
        if not found:
            return Item(line, Status.LOST, note="an option that is not understood")
        name, value = found["name"], (found["value"] or "").strip().strip("'\"")
        if name in _INDEXES and value:
            return self._index(line, name, value)
        if name in ("-e", "--editable") and value:
            return self._editable(line, value)
        if name in ("-c", "--constraint") and value:
            return self._constraint_file(line, value)
        status, note = _SAYS.get(name.lower(), (Status.LOST, line.remark or "an option that uv has no counterpart for"))
        return Item(line, status, note="" if note == line.remark else note)

    def constrained(self, items: list[Item]) -> list[Item]:
        """Constraints of `-c` files joined to the lines that they concern."""
        out = []
        for item in items:
            requirements = []
            for one in item.requirements:
                if (found := self._constraints.get(one.key)) and not one.url:
                    one = replace(one, specifier=all_of(one.specifier, found.specifier))
                requirements.append(one)
            out.append(replace(item, requirements=tuple(requirements)))
        return out

    def _index(self, line: Line, option: str, url: str) -> Item:
        if "://" not in url:
            url = self._relative((line.file.parent / url).resolve())
        known = next((one for one in self.facts.indexes if one.url.rstrip("/") == url.rstrip("/") and one.name), None)
        flat = option in ("-f", "--find-links")
        index = known or Index(self._index_name(url), url, flat)
        self.indexes.append(index)
        return Item(line, Status.KEPT, note=f"the explicit index {index.name}, for those packages that only it has")

    def _index_name(self, url: str) -> str:
        parts = urlsplit(url)
        words = re.findall(r"[a-z0-9]+", f"{parts.hostname or ''} {parts.path}".lower())
        dull = {"www", "com", "org", "https", "http", "simple", "index", "html", "pypi", "whl"}
        name = "-".join([word for word in words if word not in dull][:4]) or "extra"
        taken = {one.name for one in (*self.facts.indexes, *self.indexes)}
        return next(one for one in (name, *(f"{name}-{number}" for number in range(2, 99))) if one not in taken)

    def _editable(self, line: Line, value: str) -> Item:
        if re.match(r"(?:git|hg|svn|bzr)\+", value):
            requirement = parse_pip(value)
            if requirement is not None:
                return Item(line, Status.KEPT, (requirement,), "not editable any more")
        return self._folder(line, value, editable=True)

    def _folder(self, line: Line, text: str, *, editable: bool) -> Item:
        """A project or a wheel on this machine, by its path from the repository."""
        text, _, extras = text.partition("[")
        place = unquote(urlsplit(text).path) if text.startswith("file:") else text.strip()
        path = Path(os.path.normpath(line.file.parent / Path(place).expanduser()))
        if not path.exists():
            return Item(line, Status.LOST, note=f"there is no {path}")
        if path.is_dir() and not any((path / name).is_file() for name in _PROJECT_FILES):
            note = f"{path} is no Python project: it has no pyproject.toml and no setup.py"
            return Item(line, Status.LOST, note=note)
        name = _project_name(path)
        names = extras_in(extras.rstrip("] "))
        self.sources.append(IndexSource(name, path=self._relative(path), editable=editable))
        return Item(line, Status.KEPT, (Requirement(name, names),), f"from {self._relative(path)}")

    def _relative(self, path: Path) -> str:
        try:
            return Path(os.path.relpath(path, self.facts.repo)).as_posix()
        except ValueError:  # another drive
            return path.as_posix()

    def _constraint_file(self, line: Line, value: str) -> Item:
        asked = map(parse_pip, (one.text for one in expand(replace(line, text=f"-r {value}"))))
        self._constraints |= {one.key: one for one in asked if one is not None}
        return Item(line, Status.KEPT, note="joined to the lines that it concerns; packages not listed stay free")


def _project_name(path: Path) -> str:
    """As the project itself says, else the name of the folder or wheel."""
    if path.is_file():
        return path.name.partition("-")[0]
    try:
        data = tomllib.loads((path / "pyproject.toml").read_text(encoding="utf-8"))
        return str(data["project"]["name"])
    except (OSError, ValueError, KeyError, RecursionError):
        return path.name
