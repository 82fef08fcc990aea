"""What only a Windows can show, in the one that runs the tests: its signals, its job objects, its code pages.

`tests/process/test_under_wine.py` runs what Wine can of this file.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.support.lab import Lab, segment, shell

pytestmark = pytest.mark.skipif(sys.platform != "win32", reason="signals, jobs and code pages of Windows")
ARROW = "print('→ Größe 中')\n"
SAVES = """\
import pathlib, signal, sys, time
def end(number, frame):
    time.sleep(1.5)
    pathlib.Path(sys.argv[1]).write_text("saved")
    sys.exit(7)
signal.signal(signal.SIGBREAK, end)
print("ready", flush=True)
while True: time.sleep(0.1)
"""
FAMILY = """\
import os, subprocess, sys, time
if sys.argv[2:]:
    open(sys.argv[1], "w").write(str(os.getpid()))
    time.sleep(300)
child = subprocess.Popen([sys.executable, __file__, sys.argv[1], "grandchild"])
print("ready", flush=True)
child.wait()
"""


def soon(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 30
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.1)
    return holds()


def without_a_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The helpers of the tests ask for UTF-8 everywhere, a user does not."""
    monkeypatch.setattr("tests.support.lab.clean_environ", lambda home: {**_clean(home)})


def _clean(home: Path) -> dict[str, str]:
    environ = {k: v for k, v in os.environ.items() if not k.upper().startswith(("UV_", "RUN_PIPELINE_", "PYTHONIO"))}
    return {**environ, "USERPROFILE": str(home), "UV_CACHE_DIR": str(home / "uv cache"), "UV_PYTHON_DOWNLOADS": "never"}


def test_an_arrow_survives_in_a_uv_segment_and_in_cmd(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    without_a_choice(monkeypatch)
    script = lab.script("arrow.py", ARROW)
    pipeline = lab.pipeline([segment("uv", "python", str(script)), shell("cmd", f'"{sys.executable}" "{script}"')])
    done = subprocess.run(lab.argv(pipeline), cwd=lab.root, env=lab.environ(), capture_output=True, check=False)
    assert done.returncode == 0, done
    logs = sorted(lab.runs(pipeline)[-1].glob("*/log.txt"))
    assert [log.read_text(encoding="utf-8").strip() for log in logs] == ["→ Größe 中"] * 2


def test_a_handler_of_ctrl_break_under_a_uv_segment_has_its_grace(lab: Lab) -> None:
    script = lab.script("saves.py", SAVES)
    saved = lab.root / "saved"
    pipeline = lab.pipeline([segment("saves", "python", str(script), str(saved), timeout="4s")])
    # a console of its own: without one no Ctrl-Break can be sent
    runner = lab.popen(pipeline, creationflags=0x00000010)
    said, _ = runner.communicate(timeout=120)
    assert runner.returncode == 1 and b"timed out" in said, said
    assert saved.read_text() == "saved"
    assert lab.receipts(pipeline)[0]["exit_code"] == 7


def test_a_killed_runner_leaves_no_grandchild(lab: Lab) -> None:
    note = lab.root / "grandchild"
    script = lab.script("family.py", FAMILY)
    pipeline = lab.pipeline([segment("family", "python", str(script), str(note))])
    runner = lab.popen(pipeline, stdout=subprocess.DEVNULL)
    assert soon(lambda: note.exists() and note.read_text() != "")
    grandchild = int(note.read_text())
    assert psutil.pid_exists(grandchild)
    runner.kill()  # the launcher of the venv, and with it the runner
    runner.wait()
    assert soon(lambda: not psutil.pid_exists(grandchild))
    script.write_text("print('again')\n", encoding="utf-8")
    assert "took over the lock of" in lab.run(pipeline).stdout


def test_a_short_peak_of_memory_is_in_the_receipt(lab: Lab) -> None:
    pipeline = lab.pipeline([segment("peak", "python", "-c", "x = bytearray(150_000_000)")])
    lab.run(pipeline)
    assert lab.receipts(pipeline)[0]["peak_memory"] > 150_000_000


def test_an_exit_code_of_windows_is_told_in_hex(lab: Lab) -> None:
    pipeline = lab.pipeline([segment("ends", "python", "-c", "import os; os._exit(-1073741515)")])
    assert "0xC0000135: a DLL that it needs was not found" in lab.run(pipeline, check=1).stdout


def test_a_stand_in_is_a_real_program(tmp_path: Path) -> None:
    from tests.support.programs import program

    made = program(tmp_path / "a tool", "import sys; print(sys.argv[1:]); sys.exit(5)")
    assert made.suffix == ".exe"
    done = subprocess.run([made, "a b", 'c"d'], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (5, repr(["a b", 'c"d']))
