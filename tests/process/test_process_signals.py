"""A real runner-like program gets real signals, with a terminal and without."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from runner.process.stop import StopRequest, install_signal_handlers
from tests.support.bench import Bench

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and terminals of POSIX")

PARENT = """\
import os, sys
from pathlib import Path
from runner.model import Command
from runner.process import stop as stops
from runner.process.stop import StopRequest, install_signal_handlers
from runner.process.supervise import run

stops.SHORT_GRACE = float(sys.argv[3])
stop = StopRequest()
with install_signal_handlers(stop):
    outcome = run(
        Command((sys.executable, sys.argv[1]), os.getcwd()), environ=os.environ, timeout=None, stop=stop,
        screen=lambda chunk: os.write(1, chunk), log=Path("log.txt").absolute(), grace=float(sys.argv[2]),
    )
Path("outcome").write_text(f"{stop.reason}|{outcome.stopped}|{outcome.signal}|{outcome.exit_code}")
"""
KIND = """\
import os, signal, sys, time
def end(number, frame):
    os.write(1, b"told %d;" % number)
    sys.exit(5)
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP): signal.signal(number, end)
if os.fork() == 0:
    signal.signal(signal.SIGINT, signal.SIG_IGN); signal.signal(signal.SIGTERM, signal.SIG_IGN)
    open("grandchild", "w").close()
    time.sleep(60)
while not os.path.exists("grandchild"): time.sleep(0.01)
os.write(1, b"ready;")
time.sleep(60)
"""
STUBBORN = """\
import os, signal, time
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP): signal.signal(number, signal.SIG_IGN)
os.write(1, b"ready;")
while True: time.sleep(1)
"""
IN_A_TERMINAL = """\
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""
AS_NOHUP_DOES = ("sh", "-c", "trap '' HUP; exec \"$@\"", "sh")


@dataclass
class Parent:
    """A running runner, and the end of the pipe or terminal that its output comes from."""

    process: subprocess.Popen[bytes]
    output: int
    folder: Path
    seen: bytes = b""

    def read_until(self, word: bytes) -> None:
        while word not in self.seen:
            chunk = os.read(self.output, 1000)
            assert chunk, self.seen
            self.seen += chunk

    def end(self) -> str:
        self.process.wait(30)
        return (self.folder / "outcome").read_text()


@contextlib.contextmanager
def parent(
    bench: Bench,
    code: str,
    *,
    grace: float = 20,
    short: float = 4.0,
    terminal: bool = False,
    prefix: tuple[str, ...] = (),
) -> Iterator[Parent]:
    argv = [*prefix, sys.executable, str(bench.program(PARENT)), str(bench.program(code)), str(grace), str(short)]
    ours, theirs = os.openpty() if terminal else os.pipe()
    if terminal:
        argv = [sys.executable, "-c", IN_A_TERMINAL, *argv]
    process = subprocess.Popen(
        argv, stdin=theirs if terminal else subprocess.DEVNULL, stdout=theirs, stderr=theirs,
        start_new_session=True, env=bench.environ, cwd=bench.folder,
    )  # fmt: skip
    os.close(theirs)
    it = Parent(process, ours, bench.folder)
    try:
        it.read_until(b"ready;")
        yield it
    finally:
        if it.process.poll() is None:
            it.process.kill()
            it.process.wait()
        with contextlib.suppress(OSError):
            os.close(ours)


@pytest.mark.parametrize(
    ("number", "child_gets"), [("SIGINT", "SIGINT"), ("SIGTERM", "SIGTERM"), ("SIGHUP", "SIGTERM")]
)
def test_a_signal_stops_the_segment_kindly_and_all_it_started(bench: Bench, number: str, child_gets: str) -> None:
    with parent(bench, KIND) as runner:
        runner.process.send_signal(getattr(signal, number))
        reason = "Ctrl-C" if number == "SIGINT" else number
        assert runner.end() == f"{reason}|True|None|5"
        runner.read_until(b"told %d;" % getattr(signal, child_gets))
    assert bench.alive() == []


def test_ctrl_c_at_the_terminal_reaches_the_segment_once(bench: Bench) -> None:
    with parent(bench, KIND, terminal=True) as runner:
        os.write(runner.output, b"\x03")
        assert runner.end() == "Ctrl-C|True|None|5"
        runner.read_until(b"told 2;")
        assert runner.seen.count(b"told") == 1
    assert bench.alive() == []


def test_a_second_ctrl_c_kills_at_once(bench: Bench) -> None:
    with parent(bench, STUBBORN, grace=60, terminal=True) as runner:
        os.write(runner.output, b"\x03")
        time.sleep(0.5)
        assert runner.process.poll() is None
        start = time.monotonic()
        os.write(runner.output, b"\x03")
        assert runner.end() == "Ctrl-C|True|9|137"
        assert time.monotonic() - start < 5
    assert bench.alive() == []


def test_one_press_that_arrives_twice_is_one_press(bench: Bench) -> None:
    with parent(bench, KIND.replace("sys.exit(5)", "time.sleep(0.5); os._exit(5)")) as runner:
        runner.process.send_signal(signal.SIGINT)
        runner.process.send_signal(signal.SIGINT)
        assert runner.end() == "Ctrl-C|True|None|5"


def test_a_terminal_that_is_closed_stops_everything(bench: Bench) -> None:
    # on a machine that is busy with other tests a program may need longer for its end than the real grace
    with parent(bench, KIND, grace=60, short=30, terminal=True) as runner:
        os.close(runner.output)
        assert runner.end() == "SIGHUP|True|None|5"
    assert bench.alive() == []
    assert (bench.folder / "log.txt").read_bytes() == b"ready;told 15;"


def test_a_closing_terminal_shortens_the_grace(bench: Bench) -> None:
    with parent(bench, STUBBORN, grace=600) as runner:
        runner.process.send_signal(signal.SIGHUP)
        assert runner.end() == "SIGHUP|True|9|137"
    assert bench.alive() == []


def test_under_nohup_a_closed_terminal_does_not_matter(bench: Bench) -> None:
    code = "import os, time; os.write(1, b'ready;'); time.sleep(0.6)"
    with parent(bench, code, terminal=True, prefix=AS_NOHUP_DOES) as runner:
        os.close(runner.output)
        assert runner.end() == "|False|None|0"


def test_the_old_handlers_come_back() -> None:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(n) for n in numbers]
    stop = StopRequest()
    with install_signal_handlers(stop):
        assert [signal.getsignal(n) for n in numbers] != before
        os.kill(os.getpid(), signal.SIGTERM)
        while not stop.requested:
            time.sleep(0.001)
    assert [signal.getsignal(n) for n in numbers] == before
    assert stop.reason == "SIGTERM" and not stop.immediate
