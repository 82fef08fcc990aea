"""The garbage collector rests while the command line is imported, and works in every command."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.lab import Lab

TELL = """\
import atexit, gc, sys
from runner.__main__ import main
atexit.register(lambda: print("collector:", gc.isenabled(), file=sys.stderr))
main()
"""


@pytest.mark.parametrize(
    ("words", "works"),
    [
        (["--version"], False),
        (["p.yaml"], True),
        (["run", "p.yaml"], True),
        (["check", "p.yaml"], True),
        (["status", "p.yaml"], True),
        (["compare", "a", "b"], True),
        (["migrate", "none.yml"], True),
        (["env"], True),
        (["doctor", "none.yaml"], True),
    ],
)
def test_a_command_that_may_take_long_collects_its_garbage(lab: Lab, words: list[str], works: bool) -> None:
    pipeline = lab.pipeline([{"name": "x", "environment": "cmd", "commands": ["echo 1"]}])
    pipeline.rename(lab.root / "p.yaml")
    for folder in ("a", "b"):
        (lab.root / folder).mkdir()
    done = subprocess.run(
        [sys.executable, "-c", TELL, *words],
        cwd=lab.root, env=lab.environ(), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        timeout=120,
    )  # fmt: skip
    assert done.stderr.splitlines()[-1] == f"collector: {works}", done.stderr
