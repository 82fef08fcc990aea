"""`uv lock` tried on a copy of pyproject.toml and uv.lock, away from the repository."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit

from runner.environments import Site
from runner.environments.uv.binary import find_uv
from runner.environments.uv.settings import clean, settings, temporary_options
from runner.environments.uv.variables import flag_is_set
from runner.host import Captured

LOCK_SECONDS = 600.0  # over a slow line
_LINE = re.compile(r"^(?P<name>[A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?\s*(?P<version>(?:==|@)[^;]+)")


@dataclass(frozen=True)
class Attempt:
    """How `uv lock` ended, and what it said."""

    code: int  # -1: it did not end in time, or could not be started
    said: str
    offline: bool = False  # uv was told to use no network

    @property
    def locked(self) -> bool:
        return self.code == 0

    @property
    def ended(self) -> bool:
        return self.code != -1

    @property
    def warnings(self) -> tuple[str, ...]:
        """What uv did not like, though it locked: an extra that a package does not have, for one."""
        lines = [line.partition("warning:") for line in self.said.splitlines()]
        return tuple(dict.fromkeys(f"uv warns: {text.strip()}" for before, mark, text in lines if mark and not before))


@dataclass
class Workbench:
    """A folder with copies of the two files, and uv to run in it."""

    site: Site
    repo: Path
    folder: Path

    def lock(self, text: str, *, fresh: bool = False, seconds: float = LOCK_SECONDS) -> Attempt:
        """Lock `text` as pyproject.toml, within `seconds`. `fresh`: without the repository's uv.lock."""
        (self.folder / "pyproject.toml").write_bytes(anchored(text, self.repo).encode())
        lock = self.folder / "uv.lock"
        lock.unlink(missing_ok=True)
        if not fresh and (self.repo / "uv.lock").is_file():
            shutil.copyfile(self.repo / "uv.lock", lock)
        return attempt_of(run_uv(self.site, self.folder, ["lock", "--no-progress"], seconds), self.site)

    def versions(self, group: str) -> frozenset[str] | None:
        """`name==version` of all that a group installs, for every Python and platform; None when uv cannot say."""
        flags = ["--quiet", "--frozen", "--no-header", "--no-hashes", "--no-annotate"]
        got = run_uv(self.site, self.folder, ["export", *flags, "--only-group", group])
        if got.code != 0:
            return None
        lines = got.stdout.decode("utf-8", "replace").splitlines()
        return frozenset(f"{m['name']}{m['version'].strip()}" for line in lines if (m := _LINE.match(line)))


def run_uv(site: Site, folder: Path, arguments: Sequence[str], seconds: float = LOCK_SECONDS) -> Captured:
    """uv in `folder`, with the caller's variables but those that change what is resolved."""
    with temporary_options(settings(site, folder), folder) as stand_in:
        argv = [find_uv(site).path, *arguments, *stand_in]
        return site.host.capture(argv, env=clean(site.host.environ), cwd=str(folder), timeout=seconds)


def attempt_of(got: Captured, site: Site) -> Attempt:
    """What a captured `uv lock` came to."""
    code = -1 if got.code is None else got.code
    said = got.error or got.stderr.decode("utf-8", "replace")
    return Attempt(code, said, flag_is_set(site.host.environ, "UV_OFFLINE"))


@contextmanager
def workbench(site: Site, repo: Path) -> Iterator[Workbench]:
    """A Workbench in a folder of its own, which is removed."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="run-pipeline-migrate-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if (repo / "uv.toml").is_file():
            shutil.copyfile(repo / "uv.toml", folder / "uv.toml")
        yield Workbench(site, repo, folder)


def anchored(text: str, repo: Path) -> str:
    """`text` with the paths that are relative to the repository made absolute, so that it can lie elsewhere."""
    document: Any = tomlkit.parse(text.replace("\r\n", "\n"))
    uv = document.get("tool", {}).get("uv", {})
    changed = False

    def absolute(table: Any, key: Any) -> None:
        nonlocal changed
        value = table[key] if isinstance(key, int) else table.get(key)
        if isinstance(value, str) and "://" not in value and not os.path.isabs(value):  # noqa: PTH117
            table[key] = (repo / value).as_posix()
            changed = True

    for value in uv.get("sources", {}).values():
        for source in value if isinstance(value, list) else [value]:
            absolute(source, "path")
    for index in uv.get("index", []):
        absolute(index, "url")
    for number in range(len(uv.get("find-links", []))):
        absolute(uv["find-links"], number)
    return str(tomlkit.dumps(document)) if changed else text
