"""What a command pays for at its start: no garbage collector while it is imported, and nothing that it does not use."""

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


def test_a_run_with_nothing_to_do_loads_nothing_that_starts_programs_or_reads_other_files(lab: Lab) -> None:
    pipeline = lab.pipeline([{"name": "x", "environment": "cmd", "commands": ["echo 1"]}])
    lab.run(pipeline, "--accept")
    code = (
        "import atexit, sys\nfrom runner.__main__ import main\nheavy = {'subprocess', 'psutil', 'tomllib', 'difflib'}\n"
        "atexit.register(lambda: print('heavy:', *sorted(heavy & sys.modules.keys()), file=sys.stderr))\nmain()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(pipeline)],
        cwd=lab.root, env=lab.environ(), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr.splitlines()[-1] == "heavy:", done.stderr
