"""At a real terminal: pause, Ctrl-C once and twice, a closed window, live elapsed time."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.acceptance.test_command_line import note, ran
from tests.support.lab import Lab, segment

if sys.platform == "win32":
    pytest.skip("pseudo-terminals of POSIX", allow_module_level=True)

import fcntl
import pty
import termios


def take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Terminal:
    """A command line in a pseudo-terminal, as its session's leader."""

    def __init__(self, lab: Lab, *args: str | Path) -> None:
        master, slave = pty.openpty()
        self._master: int | None = master
        self.process = subprocess.Popen(
            lab.argv(*args),
            cwd=lab.root,
            env=lab.environ(TERM="xterm-256color"),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=take_terminal,
        )
        os.close(slave)
        self.screen = b""

    def read(self, seconds: float) -> bool:
        """Take what is there within `seconds`; False at the end."""
        if self._master is None:
            return False
        ready, _, _ = select.select([self._master], [], [], seconds)
        if not ready:
            return True
        try:
            chunk = os.read(self._master, 65536)
        except OSError:
            return False
        self.screen += chunk
        return bool(chunk)

    def until(self, text: str, seconds: float = 40) -> None:
        deadline = time.monotonic() + seconds
        while text.encode() not in self.screen:
            assert time.monotonic() < deadline and (self.read(0.1) or text.encode() in self.screen), (
                self.screen.decode()
            )

    def type(self, data: bytes) -> None:
        assert self._master is not None
        os.write(self._master, data)

    def wait(self, seconds: float = 40) -> int:
        deadline = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < deadline:
            self.read(0.05)
        while self.read(0.1) and time.monotonic() < deadline:
            if self.process.poll() is not None and not select.select([self._master], [], [], 0.1)[0]:
                break
        return self.process.wait(1)

    def close(self) -> None:
        if self._master is not None:
            os.close(self._master)
            self._master = None


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.close()
        if terminal.process.poll() is None:
            terminal.process.kill()
        terminal.process.wait()


def gone(pid: int, seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while psutil.pid_exists(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not psutil.pid_exists(pid)


STUBBORN = """\
import os, signal, subprocess, sys, time
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP): signal.signal(number, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
print("child", child.pid, flush=True)
time.sleep(300)
"""


def child_of(terminal: Terminal) -> int:
    terminal.until("child ")
    terminal.until("\n", 5)
    while b"\n" not in terminal.screen.split(b"child ")[1]:
        terminal.read(0.1)
    return int(terminal.screen.split(b"child ")[1].split()[0])


def test_a_pause_waits_for_enter(lab: Lab, terminals: list[Terminal]) -> None:
    pipeline = lab.pipeline([note(lab, "a"), {"type": "pause", "message": "Look."}, note(lab, "b")])
    terminal = Terminal(lab, pipeline)
    terminals.append(terminal)
    terminal.until("Press Enter")
    assert ran(lab) == ["a"]
    terminal.type(b"\n")
    assert terminal.wait() == 0
    assert ran(lab) == ["b"]


def test_an_enter_pressed_before_the_question_does_not_answer_it(lab: Lab, terminals: list[Terminal]) -> None:
    early = segment("early", "python", "-c", "import time; print('go', flush=True); time.sleep(1)")
    pipeline = lab.pipeline([early, {"type": "pause"}, note(lab, "b")])
    terminal = Terminal(lab, pipeline)
    terminals.append(terminal)
    terminal.until("go")
    terminal.type(b"\n")
    terminal.until("Press Enter")
    for _ in range(10):
        terminal.read(0.1)
    assert ran(lab) == []
    terminal.type(b"\n")
    assert terminal.wait() == 0
    assert ran(lab) == ["b"]


def test_a_pause_goes_on_at_the_end_of_input(lab: Lab, terminals: list[Terminal]) -> None:
    pipeline = lab.pipeline([{"type": "pause"}, note(lab, "b")])
    terminal = Terminal(lab, pipeline)
    terminals.append(terminal)
    terminal.until("Press Enter")
    terminal.type(b"\x04")
    assert terminal.wait() == 0
    assert ran(lab) == ["b"]


def test_ctrl_c_at_a_pause_ends_with_130(lab: Lab, terminals: list[Terminal]) -> None:
    pipeline = lab.pipeline([{"type": "pause"}, note(lab, "b")])
    terminal = Terminal(lab, pipeline)
    terminals.append(terminal)
    terminal.until("Press Enter")
    terminal.type(b"\x03")
    assert terminal.wait() == 130
    assert ran(lab) == []


def test_ctrl_c_lets_a_segment_finish_its_own_way(lab: Lab, terminals: list[Terminal]) -> None:
    script = lab.script(
        "kind.py",
        "import time\ntry:\n  print('child 0', flush=True)\n  time.sleep(300)\n"
        "except KeyboardInterrupt: print('tidied ' + 'up', flush=True)\n",
    )
    terminal = Terminal(lab, lab.pipeline([segment("kind", "python", str(script))]))
    terminals.append(terminal)
    child_of(terminal)
    terminal.type(b"\x03")
    assert terminal.wait() == 130
    assert b"tidied up" in terminal.screen, terminal.screen.decode()
    assert b"Traceback" not in terminal.screen


def test_a_second_ctrl_c_ends_a_stubborn_segment_at_once_with_its_children(lab: Lab, terminals: list[Terminal]) -> None:
    script = lab.script("stubborn.py", STUBBORN)
    terminal = Terminal(lab, lab.pipeline([segment("stubborn", "python", str(script))]))
    terminals.append(terminal)
    child = child_of(terminal)
    terminal.type(b"\x03")
    time.sleep(0.5)
    assert terminal.process.poll() is None
    before = time.monotonic()
    terminal.type(b"\x03")
    assert terminal.wait() == 130
    assert time.monotonic() - before < 8
    assert gone(child)


def test_a_closed_terminal_leaves_no_process_behind(lab: Lab, terminals: list[Terminal]) -> None:
    script = lab.script("stubborn.py", STUBBORN)
    terminal = Terminal(lab, lab.pipeline([segment("stubborn", "python", str(script))]))
    terminals.append(terminal)
    child = child_of(terminal)
    terminal.close()
    terminal.process.wait(30)
    assert gone(child)
    assert lab.receipts(lab.data / "pipeline.yaml")[0]["state"] == "stopped"


def test_the_time_that_passes_is_shown_while_a_segment_is_silent(lab: Lab, terminals: list[Terminal]) -> None:
    terminal = Terminal(lab, lab.pipeline([segment("silent", "python", "-c", "import time; time.sleep(2.2)")]))
    terminals.append(terminal)
    assert terminal.wait() == 0
    assert "… 1/1 silent: 1." in terminal.screen.decode()
    assert b"\x1b[" in terminal.screen


def test_a_progress_bar_stays_one_line(lab: Lab, terminals: list[Terminal]) -> None:
    code = "import time\nfor i in range(8):\n  print(f'\\r{i}/8', end='', flush=True); time.sleep(0.3)\nprint()"
    terminal = Terminal(lab, lab.pipeline([segment("bar", "python", "-c", code)]))
    terminals.append(terminal)
    assert terminal.wait() == 0
    bar = terminal.screen[terminal.screen.index(b"\r0/8") :]
    assert bar.startswith(b"".join(b"\r%d/8" % i for i in range(8)))


def states(process: psutil.Process) -> dict[int, str]:
    """What each process of the tree does."""
    found = {}
    with contextlib.suppress(psutil.Error, OSError):
        for one in [process, *process.children(recursive=True)]:
            with contextlib.suppress(psutil.Error, OSError):
                found[one.pid] = one.status()
    return {pid: state for pid, state in found.items() if state != psutil.STATUS_ZOMBIE}


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_z_suspends_the_segment_with_the_runner_and_its_time_limit_too(lab: Lab, times: int) -> None:
    script = lab.script(
        "sleeps.py",
        "import pathlib, subprocess, sys, time\n"
        "subprocess.Popen(['sleep', '2'], start_new_session=True)\n"
        "pathlib.Path(sys.argv[1]).touch()\n"
        "for _ in range(20): time.sleep(0.1)\n",
    )
    began = lab.data / "began"
    pipeline = lab.pipeline([segment("sleeps", "python", str(script), str(began), timeout="6s")])
    # a group of its own in this session, as a shell starts it: in a session of its own nothing can be suspended
    runner = lab.popen(pipeline, process_group=0, stdout=subprocess.DEVNULL)
    try:
        tree = psutil.Process(runner.pid)
        assert wait_until(began.exists)
        for _ in range(times):
            os.kill(runner.pid, signal.SIGTSTP)
            assert wait_until(lambda: set(states(tree).values()) == {psutil.STATUS_STOPPED}), states(tree)
            assert len(states(tree)) >= 3  # uv and Python among them
            time.sleep(7 / times)
            os.kill(runner.pid, signal.SIGCONT)
            assert wait_until(lambda: psutil.STATUS_STOPPED not in states(tree).values()), states(tree)
        assert runner.wait(30) == 0
    finally:
        runner.kill()
        runner.wait()
    (receipt,) = lab.receipts(pipeline)
    assert receipt["state"] == "succeeded" and receipt["seconds"] < 6


def test_a_suspended_run_can_be_ended(lab: Lab) -> None:
    pipeline = lab.pipeline([segment("sleeps", "python", "-c", "import time; print('up', flush=True); time.sleep(60)")])
    runner = lab.popen(pipeline, process_group=0)
    assert runner.stdout is not None
    while b"up" not in runner.stdout.readline():
        pass
    tree = psutil.Process(runner.pid)
    below = tree.children(recursive=True)
    os.kill(runner.pid, signal.SIGTSTP)
    assert wait_until(lambda: set(states(tree).values()) == {psutil.STATUS_STOPPED})
    os.kill(runner.pid, signal.SIGTERM)
    os.kill(runner.pid, signal.SIGCONT)
    assert runner.wait(30) == 130
    runner.stdout.close()
    assert all(gone(one.pid) for one in below)
