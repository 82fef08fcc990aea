"""What a process prints reaches the screen and the log as it is, at once, whatever happens to either."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.errors import StateError
from tests.support.bench import Bench

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX")


def test_bytes_reach_log_and_screen_unchanged(bench: Bench) -> None:
    text = bytes(range(256)) + b"\xff\xfe \xc3( 10%\r 20%\r100%\r\n no newline at the end \x00"
    bench.python(f"import sys; sys.stdout.buffer.write({text!r})")
    assert bench.log.read_bytes() == text
    assert bytes(bench.screen) == text


def test_both_streams_come_in_the_order_of_writing(bench: Bench) -> None:
    bench.python("import os\nfor i in range(50): os.write(1 + i % 2, b'%d ' % i)")
    assert bench.screen.split() == [b"%d" % i for i in range(50)]


def test_output_appears_while_the_process_runs(bench: Bench) -> None:
    seen: list[bytes] = []
    code = "import os, time\nos.write(1, b'begin')\nwhile not os.path.exists('go on'): time.sleep(0.01)\n"

    def screen(chunk: bytes) -> None:
        seen.append(chunk)
        assert bench.log.read_bytes() == b"begin"
        (bench.folder / "go on").touch()

    assert bench.python(code, screen=screen, timeout=30).succeeded
    assert seen == [b"begin"]


def test_a_second_try_is_added_to_the_log(bench: Bench) -> None:
    bench.python("print('one', end=' ')")
    bench.python("print('two', end='')")
    assert bench.log.read_bytes() == b"one two"


def test_a_screen_that_is_gone_does_not_end_the_segment(bench: Bench) -> None:
    calls = []

    def screen(chunk: bytes) -> None:
        calls.append(chunk)
        raise BrokenPipeError

    outcome = bench.python("import os, time\nos.write(1, b'a'); time.sleep(.2); os.write(1, b'b')", screen=screen)
    assert outcome.succeeded
    assert bench.log.read_bytes() == b"ab" and calls == [b"a"]


def test_a_fault_of_the_screen_itself_is_not_hidden(bench: Bench) -> None:
    def screen(chunk: bytes) -> None:
        raise KeyError("a mistake")

    with pytest.raises(KeyError):
        bench.python("print('x')", screen=screen)
    assert bench.log.read_bytes().strip() == b"x"


def test_a_process_that_closes_its_output_is_waited_for(bench: Bench) -> None:
    code = (
        "import os, time\nprint('bye', flush=True); os.close(1); os.close(2); time.sleep(.3); open('done', 'w').close()"
    )
    assert bench.python(code).succeeded
    assert (bench.folder / "done").exists() and bench.log.read_bytes().strip() == b"bye"


def test_a_slow_screen_loses_nothing(bench: Bench) -> None:
    got = bytearray()

    def screen(chunk: bytes) -> None:
        time.sleep(0.1)
        got.extend(chunk)

    bench.python("import os\nos.write(1, b'x' * 600_000)", screen=screen)
    assert len(got) == bench.log.stat().st_size == 600_000


def test_a_screen_that_takes_nothing_does_not_hold_a_stop(bench: Bench) -> None:
    held = threading.Event()

    def screen(chunk: bytes) -> None:
        bench.stop.kind("the test")
        held.wait(60)  # a terminal that was paused with Ctrl-S

    start = time.monotonic()
    assert bench.python("import os, time; os.write(1, b'x'); time.sleep(60)", screen=screen).stopped
    assert time.monotonic() - start < 8
    held.set()


def test_what_is_piped_into_the_runner_is_not_the_segments_to_read(bench: Bench) -> None:
    inner = bench.program("import sys; print('got', repr(sys.stdin.read()))")
    outer = runner_like(bench, f"(sys.executable, {str(inner)!r})")
    done = subprocess.run(
        [sys.executable, outer], input=b"for the runner", capture_output=True, env=bench.environ, cwd=bench.folder
    )
    assert done.stdout.splitlines()[0] == b"got ''", done


def runner_like(bench: Bench, argv: str) -> Path:
    return bench.program(
        "import os, sys; from pathlib import Path\n"
        "from runner.model import Command; from runner.process.stop import StopRequest\n"
        "from runner.process.supervise import run\n"
        f"c = Command({argv}, {str(bench.folder)!r})\n"
        "o = run(c, environ=os.environ, screen=lambda b: os.write(1, b), log=Path('log of the inner.txt').absolute(),\n"
        "        timeout=None, stop=StopRequest())\n"
        # getrusage would tell the peak of whoever forked it
        "print([line for line in open('/proc/self/status') if 'VmHWM' in line][0].split()[1])"
    )


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_much_output_goes_through_fast_and_takes_no_memory(bench: Bench) -> None:
    size = 60_000_000
    outer = runner_like(bench, f"('head', '-c', '{size}', '/dev/zero')")
    start = time.monotonic()
    with subprocess.Popen(
        [sys.executable, outer], stdout=subprocess.PIPE, env=bench.environ, cwd=bench.folder
    ) as process:
        assert process.stdout is not None
        got, tail = 0, b""
        while chunk := os.read(process.stdout.fileno(), 1 << 20):
            got, tail = got + len(chunk), (tail + chunk)[-100:]
    seconds = time.monotonic() - start
    assert got > size == (bench.folder / "log of the inner.txt").stat().st_size
    assert int(tail.split(b"\0")[-1]) * 1024 < 60_000_000
    assert size / seconds > 20e6  # a smoke test: other tests run beside it


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "small disk"
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a tmpfs")
def test_a_disk_that_is_full_ends_the_segment_kindly(bench: Bench, small_disk: Path) -> None:
    code = (
        "import signal, sys, time\n"
        "def end(*_): open('ended kindly', 'w').close(); sys.exit(1)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "while True: print('x' * 1000, flush=True); time.sleep(0.001)"
    )
    log = small_disk / "log.txt"
    with pytest.raises(StateError) as error:
        bench.python(code, log=log, timeout=60)
    assert str(log) in error.value.message and "full" in error.value.message and error.value.cure
    assert (bench.folder / "ended kindly").exists()
    assert log.stat().st_size == 64 << 10


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has /dev/full")
def test_a_log_that_takes_nothing_ends_the_segment(bench: Bench) -> None:
    with pytest.raises(StateError, match="full"):
        bench.python("import time; print('x', flush=True); time.sleep(60)", log=Path("/dev/full"))


def test_a_log_that_cannot_be_made_is_told_before_the_start(bench: Bench) -> None:
    blocker = bench.folder / "a file"
    blocker.touch()
    with pytest.raises(StateError) as error:
        bench.python("open('started', 'w')", log=blocker / "log.txt")
    assert "a file" in error.value.message
    assert not (bench.folder / "started").exists()


def test_no_thread_and_no_open_file_stays(bench: Bench) -> None:
    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir())) if sys.platform == "linux" else 0

    bench.run(sys.executable, "-c", "pass")
    threads, files = threading.active_count(), open_files()
    for _ in range(5):
        bench.run(sys.executable, "-c", "print('x')")
        bench.run("no such program")
    assert (threading.active_count(), open_files()) == (threads, files)
