"""A place to run real children in, with the runner's `run` and a look at what lives on."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.model import Command, Outcome
from runner.process.launch import MARKER, carries
from runner.process.snapshot import marker_of, snapshot
from runner.process.stop import StopRequest
from runner.process.supervise import run

REPO = Path(__file__).resolve().parents[2]


@dataclass
class Bench:
    """A folder to work in, and the runner's `run` with everything it asks for."""

    folder: Path
    marker: str
    screen: bytearray = field(default_factory=bytearray)
    stop: StopRequest = field(default_factory=StopRequest)
    on_output: Callable[[], None] = lambda: None

    @property
    def log(self) -> Path:
        return self.folder / "log.txt"

    @property
    def environ(self) -> dict[str, str]:
        return {**os.environ, MARKER: self.marker, "PYTHONPATH": str(REPO)}

    def run(self, *argv: str | Path, **options: Any) -> Outcome:
        keys = {"stop_leader_only", "env", "activation", "unset", "cwd"}
        command = Command(
            tuple(map(str, argv)), options.pop("cwd", str(self.folder)),
            **{key: options.pop(key) for key in keys & options.keys()},
        )  # fmt: skip
        options = {"screen": self.show, "log": self.log, "timeout": None, "stop": self.stop} | options
        return run(command, environ=self.environ, **options)

    def python(self, code: str, *words: str | Path, **options: Any) -> Outcome:
        """Run a program of Python that is written to a file of its own."""
        return self.run(sys.executable, self.program(code), *words, **options)

    def program(self, code: str) -> Path:
        path = self.folder / f"program {len(list(self.folder.glob('program *.py')))}.py"
        path.write_text(code, encoding="utf-8")
        return path

    def stop_when_ready(self, **kind: Any) -> StopRequest:
        """Ask to stop, with the words "the test", as soon as the next child prints something."""
        self.on_output = lambda: None if self.stop.requested else self.stop.kind("the test", **kind)
        return self.stop

    def show(self, chunk: bytes) -> None:
        self.screen.extend(chunk)
        self.on_output()

    def alive(self) -> list[str]:
        """What still runs of all that this test started."""
        entries = snapshot()
        return [str(e) for e in entries.values() if not e.dead and carries(marker_of(e.pid), self.marker)]
