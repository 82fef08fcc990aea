"""A lab whose repository says which Slurm it submits to, and its command line."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runner.cli.common import make_site
from runner.cli.options import request_for
from runner.cli.submitted import executor_settings
from runner.cluster.follow import How
from runner.cluster.session import start
from runner.pipeline.reader import read_pipeline
from runner.runs.look import look_at
from tests.support.lab import PRIVATE, Lab
from tests.support.slurm import Slurm, until

SITE = """\
executor = "test"

[executors.test]
kind = "slurm"
target-time = "{target}"
time = "{time}"
poll = "0.3s"
retries = {retries}
{more}
"""

# Copies an item, and says so: a line for each start, by which one that ran twice is seen
COPY = """\
import os, sys, time
from pathlib import Path

source, target, wait = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
with open(target.parent.parent / "starts.txt", "a") as file:
    file.write(f"{source.name} {os.environ.get('SLURMD_NODENAME', '-')}\\n")
print("copies", source.name, flush=True)
if "bad" in source.name:
    sys.exit("this one is bad")
if wait.startswith("once:"):
    wait = wait[5:] if not Path("once").exists() else "0"
    Path("once").touch()
time.sleep(float(wait))
target.parent.mkdir(exist_ok=True)
target.write_bytes(source.read_bytes())
"""


@dataclass(frozen=True)
class ClusterLab(Lab):
    slurm: Slurm | None = None

    def environ(self, **extra: str) -> dict[str, str]:
        assert self.slurm is not None
        return {**super().environ(**extra), **{k: v for k, v in self.slurm.environ.items() if k.startswith("SLURM")}}

    def site(self, *, target: str = "10s", time: str = "2m", retries: int = 2, more: str = "") -> None:
        if "options" not in more:  # no login shell for each of so many short jobs
            more += '\noptions = ["--export=ALL"]'
        text = SITE.format(target=target, time=time, retries=retries, more=more)
        (self.repo / "run-pipeline.toml").write_text(text, encoding="utf-8")

    def files(self, count: int, name: str = "in", *, bad: int = 0) -> None:
        folder = self.data / name
        folder.mkdir(exist_ok=True)
        for number in range(count):
            word = "bad" if number < bad else "item"
            (folder / f"{word}{number:03d}.tif").write_text(f"picture {number}", encoding="utf-8")

    def copy(self, source: str = "in", target: str = "out", wait: float | str = 0, **more: Any) -> dict[str, Any]:
        """A segment that copies each file of a folder."""
        script = self.script("copy.py", COPY)
        folder = f"%YAML%/{target}"
        commands = ["python", str(script), "%ITEM%", f"{folder}/%STEM%.tif", str(wait)]
        given = {"foreach": f"%YAML%/{source}/*.tif", "outputs": [f"{folder}/%STEM%.tif"]} | more
        return {"name": f"Make {target}", "environment": "uv:default", "commands": commands} | given

    def start(self, *args: str | Path, **extra: str) -> subprocess.Popen[str]:
        """The command line in the background."""
        return subprocess.Popen(
            self.argv(*args),
            cwd=self.root,
            env=self.environ(**extra),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="backslashreplace",
        )

    def starts(self) -> list[str]:
        """Of items, as they were started: name and node."""
        path = self.data / "starts.txt"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def made(self, target: str = "out") -> set[str]:
        return {path.name for path in (self.data / target).glob("*.tif")}

    def record(self, pipeline: Path) -> Path:
        return sorted((pipeline.parent / ".run-pipeline" / pipeline.name).glob("0*"))[-1]

    def run_json(self, pipeline: Path) -> Mapping[str, Any]:
        told: Mapping[str, Any] = json.loads((self.record(pipeline) / "run.json").read_text(encoding="utf-8"))
        return told

    def events(self, pipeline: Path, kind: str) -> list[dict[str, Any]]:
        paths = (pipeline.parent / ".run-pipeline" / pipeline.name).glob("*/events.jsonl")
        lines = [line for path in sorted(paths) for line in path.read_text(encoding="utf-8").splitlines()]
        return [event for line in lines if (event := json.loads(line))["event"] == kind]

    def here(self, pipeline: Path, how: How, monkeypatch: pytest.MonkeyPatch) -> int:
        """A run in this process, with what no command line can ask for."""
        for name in [name for name in os.environ if name.startswith(PRIVATE)]:
            monkeypatch.delenv(name)
        for name, value in self.environ().items():
            monkeypatch.setenv(name, value)
        site = make_site(str(self.repo), interactive=False)
        settings = executor_settings(site, None)
        assert settings is not None
        request = request_for(read_pipeline(pipeline), site, prepare_ahead=False, executor=settings.name)
        return int(start(request, settings, look_at(request), how))

    def wait_for(self, holds: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
        until(holds, seconds, lambda: what)
