"""A plate of images whose pipeline is frozen to a record, for workers as real processes."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.frozen import Frozen
from tests.support.lab import Lab

# notes that it was called, and copies its first word to its last; `bad-NAME` beside the data makes it fail
PROGRAM = """\
import os, sys, time
name = os.path.basename(sys.argv[1])
with open("calls.txt", "a") as file:
    file.write(" ".join([*sys.argv[1:-1]]) + "\\n")
while os.path.exists("hold"):
    time.sleep(0.05)
if os.path.exists("bad-" + name):
    sys.exit(3)
with open(sys.argv[-1], "w") as out:
    out.write(os.environ.get("SHOWN", "nothing"))
"""


class Plate:
    def __init__(self, lab: Lab, images: int = 5) -> None:
        self.lab, self.data = lab, lab.data
        self.program = lab.script("work.py", PROGRAM)
        for folder in ("in", "out"):
            (lab.data / folder).mkdir()
        for number in range(images):
            (lab.data / "in" / f"{number}.tif").write_text("x")

    def segment(self, name: str, *words: str, **keys: Any) -> dict[str, Any]:
        commands = [sys.executable, "%REPO%/scripts/work.py", *words]
        return {"name": name, "environment": "cmd", "commands": commands, "cwd": "%YAML%", **keys}

    def each(self, name: str, **keys: Any) -> dict[str, Any]:
        words = ("%ITEM%", f"out/%STEM%.{name}")
        return self.segment(name, *words, **{"foreach": "in/*.tif", "outputs": [f"out/%STEM%.{name}"], **keys})

    def freeze(self, *segments: dict[str, Any], size: int = 2) -> Frozen:
        return Frozen(self.lab, self.lab.pipeline(segments), size)

    def calls(self) -> list[str]:
        path = self.data / "calls.txt"
        return [Path(line).name for line in path.read_text().splitlines()] if path.exists() else []

    def wait_for_calls(self, count: int) -> None:
        deadline = time.monotonic() + 60
        while len(self.calls()) < count:
            assert time.monotonic() < deadline, "it was not started"
            time.sleep(0.02)

    def outputs(self, ending: str) -> Sequence[str]:
        return sorted(path.name for path in (self.data / "out").glob(f"*.{ending}"))
