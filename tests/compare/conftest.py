"""Comparisons as users start them: the real command line, the real measuring program in its own environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.programs.conftest import REPO, UV_HOME, python_of, shared
from tests.support.lab import clean_environ

__all__ = ["shared"]  # a fixture: environments that all test processes share

INSIDE = Path(__file__).with_name("making.py")


@dataclass(frozen=True)
class Bench:
    """Two folders A and B with results, and the command that compares."""

    root: Path
    shared: Path

    @property
    def a(self) -> Path:
        return self.root / "A ålt & [1]"

    @property
    def b(self) -> Path:
        return self.root / "B neu"

    def make(self, *what: str) -> None:
        """Puts pairs into both folders, of those that making.py knows."""
        python = python_of("compare", self.shared / "groups")
        subprocess.run([python, INSIDE, self.a, self.b, *what], check=True)

    def environ(self, **extra: str) -> dict[str, str]:
        home = self.root / "home"
        home.mkdir(exist_ok=True)
        # the group's environment is made once; packages come from the cache of whoever runs the tests
        cache = UV_HOME.get("UV_CACHE_DIR") or str(Path(UV_HOME.get("HOME", "~")).expanduser() / ".cache" / "uv")
        uv = {"UV_CACHE_DIR": cache, "RUN_PIPELINE_ENVS": str(self.shared / "runner environments")}
        return clean_environ(home) | uv | {k: v for k, v in UV_HOME.items() if k == "UV_OFFLINE"} | extra

    def run(self, *arguments: object, code: int | None = None, **extra: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "runner", *map(str, arguments)],
            cwd=REPO,
            env=self.environ(**extra),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="backslashreplace",
            timeout=240,
        )
        assert "Traceback" not in done.stderr + done.stdout, done.stderr + done.stdout
        if code is not None:
            assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def compare(self, *options: object, code: int | None = None, **extra: str) -> dict[str, Any]:
        """What `compare A B --json` tells."""
        return self.told(self.a, self.b, *options, code=code, **extra)

    def told(self, a: Path, b: Path, *options: object, code: int | None = None, **extra: str) -> dict[str, Any]:
        done = self.run("compare", a, b, "--json", *options, code=code, **extra)
        assert done.returncode in (0, 1), done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def files(self, told: dict[str, Any]) -> dict[str, dict[str, Any]]:
        return {pair["name"]: pair for part in told["parts"] for pair in part["files"]}


@pytest.fixture
def bench(tmp_path: Path, shared: Path) -> Iterator[Bench]:
    made = Bench(tmp_path, shared)
    made.a.mkdir()
    made.b.mkdir()
    # before the runner's own first use, so that parallel tests do not all wait for one another
    os.makedirs(shared / "groups", exist_ok=True)  # noqa: PTH103
    yield made
