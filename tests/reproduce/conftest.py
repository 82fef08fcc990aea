"""A lab with a package of its own in a group, and a pipeline that tells which version it was run with."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.lab import Lab, segment
from tests.support.wheels import make_wheel

PROJECT = """\
[project]
name = "lab"
version = "1"
requires-python = ">=3.11"

[dependency-groups]
count = ["alpha"]

[tool.uv]
package = false

[tool.uv.sources]
alpha = {{ path = "wheels/{wheel}" }}
"""
# says what it was made of: package, input, and a module beside it
COUNT = """\
import pathlib, sys
import alpha, helping
source, out = map(pathlib.Path, (sys.argv[2], sys.argv[4]))
out.mkdir(parents=True, exist_ok=True)
for path in sorted(source.iterdir()):
    text = f"{path.read_text()} by {alpha.VERSION} {helping.WORD}\\n"
    (out / path.name).with_suffix(".txt").write_text(text)
"""


LOCKS: dict[str, bytes] = {}


@dataclass(frozen=True)
class Again(Lab):
    """`lab.run("reproduce", …)` with what is needed around it."""

    cache: Path

    def environ(self, **extra: str) -> dict[str, str]:
        return {**super().environ(**extra), "UV_CACHE_DIR": str(self.cache), "UV_OFFLINE": "1", **extra}

    def alpha(self, version: str) -> None:
        """The lock of the lab names this version from now on."""
        wheel = make_wheel(self.repo / "wheels", "alpha", version)
        (self.repo / "pyproject.toml").write_text(PROJECT.format(wheel=wheel.name), encoding="utf-8")
        lock = self.repo / "uv.lock"
        if version not in LOCKS:
            self.lock()
            LOCKS[version] = lock.read_bytes()
        lock.write_bytes(LOCKS[version])  # the same in each lab

    def lock(self, *args: str) -> None:
        import uv

        done = subprocess.run(
            [uv.find_uv_bin(), "lock", "-q", *args], cwd=self.repo, env=self.environ(), capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr

    def raw(self, name: str = "a", text: str = "cells") -> Path:
        path = self.data / "raw" / f"{name}.raw"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    def results(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in (self.data / "out").iterdir()}

    def again(self, *args: str | Path, check: int = 0, **extra: str) -> tuple[dict[str, list[str]], dict[str, Any]]:
        """What `reproduce --json` tells: differences by their weight, and the comparison."""
        done = self.run("reproduce", *args, "--json", check=check, **extra)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        told: dict[str, list[str]] = {}
        for one in lines:
            if one["event"] == "difference":
                told.setdefault(one["weight"], []).append(one["text"])
        return told, next((one for one in lines if one["event"] == "comparison"), {})


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("uv cache")


@pytest.fixture
def lab(tmp_path: Path, cache: Path) -> Again:
    made = Again(tmp_path, cache)
    for folder in (made.repo / "scripts", made.data, made.home):
        folder.mkdir(parents=True)
    made.alpha("1.0")
    made.script("count.py", COUNT)
    made.script("helping.py", "WORD = 'then'\n")
    made.raw()
    return made


@pytest.fixture
def counted(lab: Again) -> Path:
    """A pipeline that was run."""
    flags = {"--input-folder": "%YAML%/raw", "--output-folder": "%YAML%/out"}
    path = lab.pipeline([segment("Count", "%REPO%/scripts/count.py", flags, environment="uv:count")])
    lab.run(path)
    return path
