"""Many trees at once, from several threads: each keeps to its own processes, its own output and its own blame."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runner.process.ending import end_tree
from runner.process.identity import is_alive
from runner.process.memory_limits import Kills
from runner.process.tag import RunMark, below, new_run_mark, new_tree_tag, release, tag_of
from runner.process.tee import LogFile
from tests.support.bench import Bench

linux = pytest.mark.skipif(sys.platform != "linux", reason="a process without its marks is known by its tag on Linux")
posix = pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
# a grandchild with another session and no environment, whose parent is gone: the runner adopts it
HIDDEN = '( env -i setsid sh -c \'echo $$ > "$1"; exec sleep 300\' sh "{file}" > /dev/null 2>&1 < /dev/null & )'


def wait_for(holds: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def hidden(file: Path) -> str:
    """A line of shell that leaves a hidden process, and waits until its pid stands in `file`."""
    return HIDDEN.format(file=file) + f'; while [ ! -s "{file}" ]; do sleep 0.02; done'


@contextlib.contextmanager
def thread(target: Callable[[], object]) -> Iterator[None]:
    it = threading.Thread(target=target)
    it.start()
    yield
    it.join(60)
    assert not it.is_alive()


@linux
def test_an_adopted_orphan_without_marks_stays_with_its_own_tree(bench: Bench) -> None:
    file, outcomes = bench.folder / "pid", {}
    line = f"{hidden(file)}; echo up; while [ ! -e enough ]; do sleep 0.02; done"

    def long_one() -> None:
        outcomes["long"] = bench.run("sh", "-c", line, log=bench.folder / "long.txt", screen=None)

    with thread(long_one):
        wait_for(lambda: (bench.folder / "long.txt").exists() and b"up" in (bench.folder / "long.txt").read_bytes())
        pid = int(file.read_text())
        for code in (0, 3):
            other = bench.run("sh", "-c", f"sleep 0.2; exit {code}")
            assert other.exit_code == code and not other.leftovers
        assert is_alive(pid, None)
        (bench.folder / "enough").touch()
    assert outcomes["long"].leftovers == (f"sleep (pid {pid})",)
    assert not is_alive(pid, None)


@linux
def test_a_stop_of_one_tree_ends_nobody_elses_hidden_processes(bench: Bench) -> None:
    files = [bench.folder / f"pid {n}" for n in range(3)]
    outcomes = {}

    def run(n: int) -> None:
        line = f"{hidden(files[n])}; while [ ! -e 'end {n}' ]; do sleep 0.02; done"
        outcomes[n] = bench.run(
            "sh", "-c", line, log=bench.folder / f"{n}.txt", screen=None, timeout=1.5 if n == 0 else None
        )

    with thread(lambda: run(0)), thread(lambda: run(1)), thread(lambda: run(2)):
        wait_for(lambda: 0 in outcomes)
        pids = [int(file.read_text()) for file in files]
        assert [is_alive(pid, None) for pid in pids] == [False, True, True]
        (bench.folder / "end 1").touch()
        wait_for(lambda: 1 in outcomes)
        assert [is_alive(pid, None) for pid in pids] == [False, False, True]
        (bench.folder / "end 2").touch()
    assert [len(outcomes[n].leftovers) for n in range(3)] == [0, 1, 1]


RUNNER = """\
import os, sys, threading
from pathlib import Path
from runner.model import Command
from runner.process.stop import StopRequest
from runner.process.supervise import run
from runner.process.memory_limits import Kills
from runner.process.tag import new_run_mark

mark = new_run_mark(os.environ)
print(mark.marker, mark.tag, flush=True)
def one(n):
    run(
        Command(("sh", "-c", sys.argv[1 + n]), os.getcwd()), environ=os.environ, screen=None, timeout=None,
        log=Path(f"log {n}.txt").absolute(), stop=StopRequest(), mark=mark,
    )
threads = [threading.Thread(target=one, args=(n,)) for n in range(len(sys.argv) - 1)]
[t.start() for t in threads]
"""


@contextlib.contextmanager
def killed_runner(bench: Bench, *lines: str, ready: Callable[[], bool]) -> Iterator[RunMark]:
    """The mark of a runner that was killed while it ran `lines` of shell side by side."""
    runner = bench.program(RUNNER)
    with subprocess.Popen(
        [sys.executable, runner, *lines], env=bench.environ, stdout=subprocess.PIPE, cwd=bench.folder
    ) as process:
        assert process.stdout is not None
        marker, tag = process.stdout.readline().decode().split()
        try:
            wait_for(ready)
        finally:
            process.kill()
            process.wait()
    yield RunMark(marker, int(tag))


@posix
def test_all_trees_of_a_killed_runner_are_ended_by_the_mark_of_its_run(bench: Bench) -> None:
    lines = [f"setsid sleep 30{n} & touch 'up {n}'; sleep 31{n}" for n in range(3)]
    with killed_runner(bench, *lines, ready=lambda: all((bench.folder / f"up {n}").exists() for n in range(3))) as mark:
        assert mark.marker.startswith(bench.marker + "/")
        wait_for(lambda: sum(name.startswith("sleep ") for name in bench.alive()) == 6)
        assert sum(name.startswith("sleep ") for name in end_tree(0, None, mark.marker, 2.0, tag=0)) == 6
    assert bench.alive() == []
    assert end_tree(0, None, mark.marker, 2.0, tag=mark.tag) == []


@linux
def test_what_hid_from_a_killed_runner_is_ended_by_its_tag_and_another_runs_is_not(bench: Bench) -> None:
    files = [bench.folder / f"pid {n}" for n in range(2)]
    theirs = bench.folder / "theirs"
    outcomes = []
    line = f"{hidden(theirs)}; while [ ! -e enough ]; do sleep 0.02; done"
    with thread(lambda: outcomes.append(bench.run("sh", "-c", line, mark=new_run_mark(bench.environ)))):
        with killed_runner(
            bench, *(f"{hidden(file)}; sleep 300" for file in files), ready=lambda: all(f.exists() for f in files)
        ) as mark:
            wait_for(lambda: all(file.read_text() for file in (*files, theirs)))
            pids = {int(file.read_text()) for file in files}
            ended = end_tree(0, None, mark.marker, 2.0, tag=mark.tag)
        assert {f"sleep (pid {pid})" for pid in pids} <= set(ended)
        assert not any(is_alive(pid, None) for pid in pids)
        assert is_alive(int(theirs.read_text()), None)
        (bench.folder / "enough").touch()
    assert outcomes[0].leftovers == (f"sleep (pid {theirs.read_text().strip()})",)


@posix
def test_a_shell_that_a_killed_run_left_is_not_ended_under_who_calls_us_from_it(bench: Bench) -> None:
    code = f"from runner.process.ending import end_tree; print(end_tree(0, None, {bench.marker!r}, 0.5))"
    done = subprocess.run(
        ["sh", "-c", '"$1" -c "$2"; echo alive', "sh", sys.executable, code], env=bench.environ, stdout=subprocess.PIPE
    )
    assert done.stdout.split() == [b"[]", b"alive"]


@linux
def test_what_hides_from_a_runner_inside_a_tree_belongs_to_the_tree(bench: Bench) -> None:
    file = bench.folder / "pid"
    bench.stop_when_ready()
    inner = bench.program(RUNNER)  # it prints its mark
    show = bench.show

    def screen(chunk: bytes) -> None:
        wait_for(lambda: file.exists() and bool(file.read_text()))
        show(chunk)

    outcome = bench.run(sys.executable, inner, f"{hidden(file)}; sleep 300", grace=0.2, screen=screen)
    assert outcome.stopped and not is_alive(int(file.read_text()), None)


@linux
def test_where_no_tag_can_be_set_a_hidden_process_is_still_found(bench: Bench) -> None:
    file = bench.folder / "pid"
    runner = bench.program(
        "import os, resource, sys; from pathlib import Path\n"
        "resource.setrlimit(10, (1000, 1000))\n"
        "from runner.model import Command; from runner.process.stop import StopRequest\n"
        "from runner.process.supervise import run; from runner.process.tag import new_run_mark\n"
        "mark = new_run_mark(os.environ)\n"
        "o = run(Command(('sh', '-c', sys.argv[1]), '/'), environ=os.environ, screen=None, timeout=None, mark=mark,\n"
        "    log=Path('inner.txt').absolute(), stop=StopRequest())\n"
        "print(mark.tag, *o.leftovers)"
    )
    assert bench.run(sys.executable, runner, hidden(file)).succeeded
    assert bench.screen.decode().strip() == f"0 sleep (pid {file.read_text().strip()})"


@linux
def test_tags_of_living_trees_differ_and_lie_below_their_run() -> None:
    run, other = new_run_mark({}).tag, new_run_mark({}).tag
    tags = [new_tree_tag(run) for _ in range(100)]
    assert len(set(tags)) == 100 and run != other
    assert all(below(tag, run) and not below(tag, other) for tag in tags)
    assert not any(below(a, b) for a in tags for b in tags if a != b)
    assert not below(0, run) and not below(run, 0) and not below(-1, run)
    for tag in tags:
        release(tag)


@linux
def test_our_own_limit_is_as_it_was_after_a_start(bench: Bench) -> None:
    before = tag_of(os.getpid())
    bench.run("true")
    bench.run("no such program")
    assert tag_of(os.getpid()) == before
    done = subprocess.run(["cat", "/proc/self/limits"], stdout=subprocess.PIPE, check=True)
    bench.run("cat", "/proc/self/limits")
    limits = [
        line.split()[3] for text in (done.stdout, bytes(bench.screen)) for line in text.splitlines() if b"locks" in line
    ]
    assert limits[0] != limits[1]


@posix
def test_many_commands_share_one_log_and_each_has_its_part(bench: Bench) -> None:
    log = LogFile(bench.log)
    parts = []
    for text in ("one", "", "two", "three"):
        begin = log.size
        bench.run("printf", "%s", text, log=log, screen=None)
        parts.append((begin, log.size))
    assert [bench.log.read_bytes()[a:b] for a, b in parts] == [b"one", b"", b"two", b"three"]
    log.close()
    again = LogFile(bench.log)
    assert again.size == len("onetwothree")
    again.close()


@linux
def test_who_still_holds_the_output_later_writes_into_nobodys_part(bench: Bench) -> None:
    log, held = LogFile(bench.log), []
    bench.run("sh", "-c", "printf one; sleep 0.3", log=log, screen=None,
              on_start=lambda pid, _: held.append(os.open(f"/proc/{pid}/fd/1", os.O_WRONLY)))  # fmt: skip
    assert bench.log.read_bytes() == b"one"
    os.write(held[0], b"late")
    bench.run("printf", "two", log=log, screen=None)
    with contextlib.suppress(BrokenPipeError):
        os.write(held[0], b"later")
    os.close(held[0])
    bench.run("printf", "three", log=log, screen=None)
    assert bench.log.read_bytes() == b"onetwothree" and log.size == 11
    log.close()


@linux
def test_a_full_disk_is_told_of_a_shared_log_too(bench: Bench) -> None:
    from runner.errors import StateError

    log = LogFile(Path("/dev/full"))
    for _ in range(2):
        with pytest.raises(StateError, match="full"):
            bench.run("echo", "x", log=log)
    log.close()


def test_two_at_once_get_the_terminal_one_at_a_time_and_who_is_not_to_have_it_never(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.process.supervise._at_terminal", lambda: True)
    given: dict[str, int | None] = {}
    from runner.process import supervise

    with supervise._standard_input(True) as first, supervise._standard_input(True) as second:
        given |= {"first": first, "second": second}
    with supervise._standard_input(False) as unwanted, supervise._standard_input(True) as later:
        given |= {"unwanted": unwanted, "later": later}
    nothing = subprocess.DEVNULL
    assert given == {"first": None, "second": nothing, "unwanted": nothing, "later": None}


class Counted(Kills):
    """Kills for memory as a file counts them, to which a killed program adds a byte."""

    def __init__(self, file: Path) -> None:
        file.touch()
        super().__init__(lambda: file.stat().st_size)


ADD = "printf x >> kills; "


@posix
def test_a_kill_for_memory_is_put_down_to_the_one_that_was_killed(bench: Bench) -> None:
    kills, outcomes = Counted(bench.folder / "kills"), {}
    go = "while [ ! -e go ]; do sleep 0.01; done; "
    lines = {
        "killed": f"{go}{ADD}kill -9 $$",
        "failed": f"{go}sleep 0.02; exit 1",
        "also killed": f"{go}sleep 0.5; kill -9 $$",
        "fine": f"{go}sleep 0.5",
    }

    def run(name: str) -> None:
        outcomes[name] = bench.run("sh", "-c", lines[name], kills=kills, log=bench.folder / f"{name}.txt", screen=None)

    with contextlib.ExitStack() as stack:
        for name in lines:
            stack.enter_context(thread(lambda name=name: run(name)))
        wait_for(lambda: all((bench.folder / f"{name}.txt").exists() for name in lines))
        time.sleep(0.3)
        (bench.folder / "go").touch()
    assert {name: o.out_of_memory for name, o in outcomes.items()} == {
        "killed": True, "failed": False, "also killed": False, "fine": False,
    }  # fmt: skip
    assert "memory ran out" in outcomes["killed"].explanation
    assert not any("memory" in outcomes[name].explanation for name in ("failed", "fine"))


@posix
@pytest.mark.parametrize("code", [1, 137])
def test_alone_any_failure_may_be_due_to_the_kill(bench: Bench, code: int) -> None:
    kills = Counted(bench.folder / "kills")
    assert bench.run("sh", "-c", f"{ADD}exit {code}", kills=kills).out_of_memory
    assert not bench.run("sh", "-c", f"exit {code}", kills=kills).out_of_memory
    assert not bench.run("sh", "-c", f"{ADD}exit 0", kills=kills).out_of_memory


@posix
def test_among_others_who_lost_a_process_when_the_count_rose_was_hit(bench: Bench) -> None:
    kills, outcomes = Counted(bench.folder / "kills"), {}
    lines = {
        "hit": f"sleep 50 & sleep 1; kill -9 $!; {ADD}wait; sleep 1; exit 1",
        "not hit": "sleep 2; exit 1",
        "goes on": "while [ ! -e enough ]; do sleep 0.02; done",
    }

    def run(name: str) -> None:
        outcomes[name] = bench.run("sh", "-c", lines[name], kills=kills, log=bench.folder / f"{name}.txt", screen=None)

    with thread(lambda: run("goes on")):
        with thread(lambda: run("hit")), thread(lambda: run("not hit")):
            pass
        (bench.folder / "enough").touch()
    assert {name: o.out_of_memory for name, o in outcomes.items()} == {"hit": True, "not hit": False, "goes on": False}


@linux
def test_an_adopted_process_that_was_killed_goes_before_a_plain_failure(bench: Bench) -> None:
    kills, outcomes = Counted(bench.folder / "kills"), {}
    lines = {
        "hit": f"( sh -c '{ADD}kill -9 $$' & ) ; sleep 0.5; exit 1",
        "goes on": "while [ ! -e enough ]; do sleep 0.02; done; exit 1",
    }

    def run(name: str) -> None:
        outcomes[name] = bench.run("sh", "-c", lines[name], kills=kills, log=bench.folder / f"{name}.txt", screen=None)

    with thread(lambda: run("goes on")):
        with thread(lambda: run("hit")):
            pass
        (bench.folder / "enough").touch()
    assert {name: o.out_of_memory for name, o in outcomes.items()} == {"hit": True, "goes on": False}


@linux
def test_one_look_at_the_machine_serves_all_trees(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from runner.process import snapshot

    looks, threads, real = [], set(), snapshot._from_proc

    def counted() -> object:
        if threading.current_thread().name == "sample":
            looks.append(time.monotonic())
            threads.add(threading.get_ident())
        return real()

    monkeypatch.setattr(snapshot, "_from_proc", counted)
    outcomes = {}
    code = "import time; x = b'x' * ({} << 20); time.sleep(2)"

    def run(n: int) -> None:
        outcomes[n] = bench.run(
            sys.executable, "-c", code.format(60 + 10 * n), log=bench.folder / f"{n}.txt", screen=None
        )

    begin = time.monotonic()
    with contextlib.ExitStack() as stack:
        for n in range(6):
            stack.enter_context(thread(lambda n=n: run(n)))
    seconds = time.monotonic() - begin
    for n, outcome in outcomes.items():
        assert outcome.peak_memory is not None and (60 + 10 * n) << 20 < outcome.peak_memory < (110 + 10 * n) << 20
    assert len(threads) == 1 and len(looks) < 20 * seconds
    wait_for(lambda: not any(t.name == "sample" for t in threading.enumerate()))
