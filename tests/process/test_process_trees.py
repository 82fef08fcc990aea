"""Nothing that a segment started lives on, however it ended and however well its children hide."""

import os
import shlex
import signal
import subprocess
import sys
import threading
import time

import pytest

from runner.process.ending import end_tree
from runner.process.identity import is_alive, process_started
from runner.process.launch import MARKER
from runner.process.snapshot import snapshot
from runner.process.stop import StopRequest
from tests.support.bench import Bench

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sessions and signals of POSIX")

SLEEPER = "import time; time.sleep(60)"
STUBBORN = (
    "import os, signal, time\n"
    "for n in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP): signal.signal(n, signal.SIG_IGN)\n"
    "print('ready', flush=True)\n"
    "while True: time.sleep(1)"
)
DAEMON = (
    "import os, sys, time\n"
    "if os.fork() == 0:\n"
    "    os.setsid()\n"
    "    if os.fork() == 0:\n"
    "        {inside}\n"
    "        open('daemon', 'w').write(str(os.getpid()))\n"
    "        time.sleep(60)\n"
    "    os._exit(0)\n"
    "while not os.path.exists('daemon') or not open('daemon').read(): time.sleep(0.01)\n"
    "{end}"
)


def test_children_left_in_the_background_are_ended_and_named(bench: Bench) -> None:
    outcome = bench.run("sh", "-c", "sleep 61 & sleep 62 & exit 4")
    assert outcome.exit_code == 4
    assert len(outcome.leftovers) == 2 and all("pid" in name for name in outcome.leftovers)
    assert bench.alive() == []


def test_a_daemon_with_a_session_of_its_own_is_ended(bench: Bench) -> None:
    outcome = bench.python(DAEMON.format(inside="", end=""))
    pid = int((bench.folder / "daemon").read_text())
    assert outcome.exit_code == 0 and f"(pid {pid})" in outcome.leftovers[0]
    assert not is_alive(pid, None)


def test_a_daemon_that_dropped_its_environment_is_ended(bench: Bench) -> None:
    code = DAEMON.format(inside="os.path.exists('again') or (open('again', 'w'), os.execve(sys.executable, "
                         "[sys.executable, *sys.argv], {}))", end="")  # fmt: skip
    code = code.replace("if os.fork() == 0:\n    os.setsid()", "if os.path.exists('again') or os.fork() == 0:\n"
                        "    os.path.exists('again') or os.setsid()")  # fmt: skip
    outcome = bench.python(code)
    pid = int((bench.folder / "daemon").read_text())
    assert outcome.leftovers and not is_alive(pid, None)


def test_a_daemon_that_holds_the_output_does_not_hold_us(bench: Bench) -> None:
    start = time.monotonic()
    outcome = bench.python(DAEMON.format(inside="", end="print('end', flush=True)"))
    assert outcome.exit_code == 0 and bench.screen.strip() == b"end"
    assert time.monotonic() - start < 8


def test_a_stubborn_leftover_is_killed(bench: Bench) -> None:
    child = bench.program(STUBBORN)
    code = "import subprocess, sys; p = subprocess.Popen([sys.executable, sys.argv[1]], stdout=-1); p.stdout.readline()"
    outcome = bench.python(code, child)
    assert outcome.exit_code == 0 and len(outcome.leftovers) == 1


def test_somebody_elses_child_of_ours_is_left_alone(bench: Bench) -> None:
    with subprocess.Popen([sys.executable, "-c", SLEEPER]) as before:
        during: list[subprocess.Popen[bytes]] = []
        bench.python("print('x', flush=True); import time; time.sleep(0.2)",
                     on_start=lambda *_: during.append(subprocess.Popen([sys.executable, "-c", SLEEPER])))  # fmt: skip
        alive = [before.poll(), during[0].poll()]
        for process in (before, during[0]):
            process.kill()
            process.wait()
    assert alive == [None, None]


def test_two_segments_at_once_keep_to_their_own_trees(bench: Bench) -> None:
    outcomes = {}
    other = bench.program("import time; print('x', flush=True); time.sleep(1.0); open('done', 'w').close()")

    def long_one() -> None:
        line = f"setsid {shlex.quote(sys.executable)} {shlex.quote(str(other))} & wait"
        outcomes["long"] = bench.run("sh", "-c", line, log=bench.folder / "long.txt", screen=None)

    thread = threading.Thread(target=long_one)
    thread.start()
    while not (bench.folder / "long.txt").exists() or not (bench.folder / "long.txt").read_bytes():
        time.sleep(0.01)
    for _ in range(3):
        assert len(bench.run("sh", "-c", "sleep 63 & exit 0").leftovers) == 1
    thread.join()
    assert outcomes["long"].succeeded and not outcomes["long"].leftovers
    assert (bench.folder / "done").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="we adopt orphans on Linux only")
def test_the_dead_of_a_long_segment_do_not_pile_up(bench: Bench) -> None:
    code = (
        "import os, time\n"
        "for i in range(40):\n"
        "    if os.fork() == 0:\n"
        "        os.fork()\n"
        "        os._exit(0)\n"
        "    os.wait()\n"
        "open('forked', 'w').close()\n"
        "while not os.path.exists('enough'): time.sleep(0.01)\n"
    )
    counts: list[int] = []
    others = {e.pid for e in snapshot().values() if e.dead}  # of other tests

    def look() -> None:
        if (bench.folder / "enough").exists():
            return  # the leader itself may be dead by now
        counts.append(sum(e.dead and e.parent == os.getpid() and e.pid not in others for e in snapshot().values()))
        if (bench.folder / "forked").exists() and (counts[-1] == 0 or len(counts) > 80):
            (bench.folder / "enough").touch()

    assert bench.python(code, on_tick=look).succeeded
    assert counts[-1] == 0


def test_a_time_out_ends_all_of_it(bench: Bench) -> None:
    child = bench.program(SLEEPER)
    code = "import subprocess, sys; p = subprocess.Popen([sys.executable, sys.argv[1]]); p.wait()"
    outcome = bench.python(code, child, timeout=0.4, grace=5)
    assert outcome.timed_out and not outcome.stopped and not outcome.succeeded
    assert "time limit of 0.4 s" in outcome.explanation
    assert 0.4 <= outcome.duration < 5
    assert bench.alive() == []


SAVES = (
    "import os, signal, sys, time\n"
    "def end(*_): time.sleep(0.8); os.write(1, b'saved'); sys.exit(7)\n"
    "signal.signal(signal.SIGTERM, end); os.write(1, b'ready '); time.sleep(60)"
)


@pytest.mark.skipif(sys.platform != "linux", reason="what a process catches is told on Linux alone")
@pytest.mark.parametrize("timeout", [None, 2.0])
def test_what_a_shell_leaves_behind_at_a_stop_has_its_grace(bench: Bench, timeout: float | None) -> None:
    # bash ends at once when the group is told to; its Python has something to save
    if timeout is None:
        bench.stop_when_ready()
    line = f'true; "{sys.executable}" -S "{bench.program(SAVES)}"; true'  # which is there before its time is over
    outcome = bench.run("bash", "-c", line, timeout=timeout, grace=20)
    assert (outcome.stopped, outcome.timed_out) == (timeout is None, timeout is not None)
    assert bench.screen.endswith(b"saved")
    assert outcome.duration < 15
    assert bench.alive() == []


@pytest.mark.skipif(sys.platform != "linux", reason="what a process catches is told on Linux alone")
def test_the_grace_of_what_a_shell_leaves_behind_is_no_longer_than_any(bench: Bench) -> None:
    bench.stop_when_ready()
    line = f'true; "{sys.executable}" "{bench.program(SAVES.replace("0.8", "60"))}"; true'
    outcome = bench.run("bash", "-c", line, grace=0.5)
    assert outcome.stopped and outcome.duration < 10
    assert bench.alive() == []


def test_a_second_press_ends_that_grace(bench: Bench) -> None:
    bench.stop_when_ready()
    threading.Timer(1.0, lambda: bench.stop.now()).start()
    line = f'true; "{sys.executable}" "{bench.program(SAVES.replace("0.8", "60"))}"; true'
    assert bench.run("bash", "-c", line, grace=60).duration < 20
    assert bench.alive() == []


def test_a_segment_that_ignores_term_is_killed_after_the_grace(bench: Bench) -> None:
    outcome = bench.python(STUBBORN, timeout=0.4, grace=0.6)
    assert outcome.timed_out and outcome.signal == signal.SIGKILL
    assert 1.0 <= outcome.duration < 5


def test_a_segment_that_uses_the_grace_may_end_by_itself(bench: Bench) -> None:
    code = (
        "import os, signal, sys, time\n"
        "def end(*_): time.sleep(0.3); os.write(1, b'saved'); sys.exit(7)\n"
        "signal.signal(signal.SIGTERM, end); os.write(1, b'ready '); time.sleep(60)"
    )
    stop = bench.stop_when_ready()
    outcome = bench.python(code)
    assert stop.requested and outcome.stopped and outcome.exit_code == 7
    assert bench.screen.split() == [b"ready", b"saved"]
    assert outcome.explanation == "It was stopped (the test)."


def test_the_kind_signal_is_the_one_that_was_asked_for(bench: Bench) -> None:
    code = "import os, time\ntry: os.write(1, b'ready '); time.sleep(60)\nexcept KeyboardInterrupt: print('Ctrl-C')"
    bench.stop_when_ready(number=signal.SIGINT)
    bench.python(code)
    assert bench.screen.split() == [b"ready", b"Ctrl-C"]


@pytest.mark.parametrize("leader_only", [True, False])
def test_whom_the_kind_signal_reaches(bench: Bench, leader_only: bool) -> None:
    child = bench.program(
        "import signal, sys, time\n"
        "def end(*_): open('child was told', 'w').close(); sys.exit()\n"
        f"signal.signal(signal.SIGTERM, end); print('ready', flush=True); time.sleep({0.5 if leader_only else 60})"
    )
    code = (
        "import signal, subprocess, sys\n"
        "signal.signal(signal.SIGTERM, lambda *_: open('leader was told', 'w').close())\n"
        "subprocess.run([sys.executable, sys.argv[1]])"
    )
    bench.stop_when_ready()
    bench.python(code, child, stop_leader_only=leader_only)
    assert (bench.folder / "leader was told").exists()
    assert (bench.folder / "child was told").exists() != leader_only


def test_a_second_request_ends_it_at_once(bench: Bench) -> None:
    bench.stop_when_ready()
    threading.Timer(0.3, bench.stop.now).start()
    outcome = bench.python(STUBBORN, grace=60)
    assert outcome.stopped and outcome.signal == signal.SIGKILL and outcome.duration < 5


def test_a_suspended_segment_can_be_stopped(bench: Bench) -> None:
    bench.stop_when_ready()
    code = "import os, signal\nprint('ready', flush=True); os.kill(os.getpid(), signal.SIGSTOP)"
    outcome = bench.python(code, grace=30)
    assert outcome.stopped and outcome.duration < 20


def test_after_a_stop_nothing_is_started(bench: Bench) -> None:
    bench.stop.kind("Ctrl-C")
    outcome = bench.python("open('started', 'w')")
    assert outcome.stopped and outcome.exit_code is None and not (bench.folder / "started").exists()


def test_waiting_ends_as_soon_as_a_stop_is_asked_for() -> None:
    stop = StopRequest()
    threading.Timer(0.1, stop.kind).start()
    start = time.monotonic()
    assert stop.wait(60) and time.monotonic() - start < 10
    assert not StopRequest().wait(0.01)


def test_a_mistake_of_the_caller_leaves_no_process(bench: Bench) -> None:
    def on_start(pid: int, started: float) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        bench.python(SLEEPER, on_start=on_start)
    assert bench.alive() == []


def test_what_a_killed_runner_left_can_be_ended_later(bench: Bench) -> None:
    runner = bench.program(
        "import os, sys; from pathlib import Path\n"
        "from runner.model import Command; from runner.process.stop import StopRequest\n"
        "from runner.process.supervise import run; from runner.process.tag import RunMark\n"
        "def on_start(pid, started): print(pid, started, flush=True)\n"
        "c = Command(('sh', '-c', 'setsid sleep 64 & sleep 65 & sleep 66'), '/')\n"
        f"run(c, environ=os.environ, screen=None, log=Path({str(bench.log)!r}), timeout=None, stop=StopRequest(),\n"
        f"    on_start=on_start, mark=RunMark({bench.marker + '/left'!r}, 0))"
    )
    with subprocess.Popen([sys.executable, runner], env=bench.environ, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        pid, started = process.stdout.readline().split()
        while len(bench.alive()) < 5:
            time.sleep(0.01)
        process.kill()
    assert len(bench.alive()) == 4
    assert is_alive(int(pid), float(started))
    assert len(end_tree(int(pid), float(started), bench.marker + "/left", 2.0)) == 4
    assert bench.alive() == []
    assert end_tree(int(pid), float(started), bench.marker + "/left", 2.0) == []


def test_another_process_with_the_same_pid_is_not_ended(bench: Bench) -> None:
    with subprocess.Popen([sys.executable, "-c", SLEEPER], env={**os.environ, MARKER: "of somebody else"}) as process:
        started = process_started(process.pid)
        assert started is not None
        assert end_tree(process.pid, started - 100, "no such marker", 0.1) == []
        assert process.poll() is None
        process.kill()


def test_a_runner_inside_a_segment_belongs_to_the_segment(bench: Bench) -> None:
    inner = bench.program(
        "import os, sys; from pathlib import Path\n"
        "from runner.model import Command; from runner.process.stop import StopRequest\n"
        "from runner.process.supervise import run\n"
        "c = Command(('sh', '-c', 'setsid sleep 67 & sleep 68'), '/')\n"
        "run(c, environ=os.environ, screen=None, log=Path('inner.txt').absolute(), timeout=None, stop=StopRequest(),\n"
        "    on_start=lambda *_: print('ready', flush=True))"
    )
    bench.stop_when_ready()
    outcome = bench.run(sys.executable, inner, grace=0.5)
    assert outcome.stopped and bench.alive() == []
