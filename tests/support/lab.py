"""A lab: a small repository of pipelines with real uv groups, and the command line as its users type it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import uv as uv_package
import yaml

PYPROJECT = """\
[project]
name = "lab"
version = "1"
requires-python = ">=3.11"

[dependency-groups]
default = []
other = []

[tool.uv]
package = false

[tool.uv.dependency-groups]
default = { requires-python = ">=3.11" }
other = { requires-python = ">=3.11" }
"""
# of the caller's own environment: what would reach into a test
PRIVATE = ("UV_", "RUN_PIPELINE_", "CONDA", "MAMBA", "VIRTUAL_ENV", "PYTHONPATH", "NO_COLOR", "FORCE_COLOR", "PYENV_")


def clean_environ(home: Path) -> dict[str, str]:
    """The caller's environment with an empty home folder and without what reaches into a run."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith(PRIVATE)}
    environ |= {
        "HOME": str(home),
        "USERPROFILE": str(home),
        "UV_PYTHON_DOWNLOADS": "never",
        "PYTHONIOENCODING": "utf-8",
    }
    environ["UV_CACHE_DIR"] = str(home / "uv cache")
    return environ


@cache
def _lock() -> bytes:
    """uv's own of PYPROJECT, made once for all labs of this process."""
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(Path(folder))
        lab.repo.mkdir()
        (lab.repo / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
        lab.uv("lock", "--quiet")
        return (lab.repo / "uv.lock").read_bytes()


@dataclass(frozen=True)
class Lab:
    """`repo` holds pyproject.toml and scripts; `data` is another folder, with the pipeline files."""

    root: Path

    @property
    def repo(self) -> Path:
        return self.root / "répo sitory"

    @property
    def data(self) -> Path:
        return self.root / "dåta set"

    @property
    def home(self) -> Path:
        return self.root / "home"

    def make(self) -> Lab:
        for folder in (self.repo / "scripts", self.data, self.home):
            folder.mkdir(parents=True)
        (self.repo / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
        (self.repo / "uv.lock").write_bytes(_lock())
        return self

    def contents(self) -> list[Path]:
        """All that is there, but for uv's cache: whoever asks uv a question makes one."""
        return sorted(path for path in self.root.rglob("*") if self.home not in path.parents)

    def uv(self, *args: str) -> str:
        done = subprocess.run(
            [uv_package.find_uv_bin(), *args],
            cwd=self.repo,
            env=clean_environ(self.home),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def script(self, name: str, text: str) -> Path:
        path = self.repo / "scripts" / name
        path.write_text(text, encoding="utf-8")
        return path

    def pipeline(self, run: Sequence[Mapping[str, Any]], name: str = "pipeline.yaml", **top: Any) -> Path:
        path = self.data / name
        path.write_text(
            yaml.safe_dump({"run": list(run), **top}, allow_unicode=True, sort_keys=False, width=1000), encoding="utf-8"
        )
        return path

    def environ(self, **extra: str) -> dict[str, str]:
        return {**clean_environ(self.home), "RUN_PIPELINE_REPO": str(self.repo), **extra}

    def argv(self, *args: str | Path) -> list[str]:
        return [sys.executable, "-m", "runner", *map(str, args)]

    def run(self, *args: str | Path, check: int | None = 0, **extra: str) -> subprocess.CompletedProcess[str]:
        """Run the command line without a terminal; `check` is the exit status that is asked for."""
        done = subprocess.run(
            self.argv(*args),
            cwd=self.root,
            env=self.environ(**extra),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="backslashreplace",
            check=False,
            timeout=120,
        )
        assert "Traceback" not in done.stderr, done.stderr
        if check is not None:
            assert done.returncode == check, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def popen(self, *args: str | Path, **options: Any) -> subprocess.Popen[bytes]:
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.STDOUT)
        return subprocess.Popen(self.argv(*args), cwd=self.root, env=self.environ(), **options)

    def status(self, pipeline: Path) -> list[dict[str, str]]:
        path = pipeline.with_name(pipeline.stem + "_status.yaml")
        return list(yaml.safe_load(path.read_text(encoding="utf-8"))["segments"] or [])

    def runs(self, pipeline: Path) -> list[Path]:
        """Folders of its run records, oldest first."""
        return sorted((pipeline.parent / ".run-pipeline" / pipeline.name).glob("0*"))

    def receipts(self, pipeline: Path) -> list[dict[str, Any]]:
        found = sorted(self.runs(pipeline)[-1].glob("*/receipt.json"))
        return [json.loads(path.read_text(encoding="utf-8")) for path in found]


def segment(name: str, *commands: Any, environment: str = "uv:default", **keys: Any) -> dict[str, Any]:
    """A segment of a pipeline file; `commands` default to its own script."""
    return {"name": name, "environment": environment, "commands": list(commands), **keys}


def shell(name: str, line: str, **keys: Any) -> dict[str, Any]:
    """A segment that is one line of the system's shell."""
    return {"name": name, "environment": "cmd", "commands": [line], **keys}
