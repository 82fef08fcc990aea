"""How a process can end, and what is said about it."""

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.support.bench import Bench

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


@pytest.mark.parametrize("code", [0, 1, 3, 126, 127, 128, 255])
def test_an_exit_code_comes_through_unchanged(bench: Bench, code: int) -> None:
    outcome = bench.python(f"raise SystemExit({code})")
    assert outcome.exit_code == code
    assert outcome.succeeded == (code == 0)
    assert bool(outcome.explanation) == (code != 0)
    assert outcome.signal is None and not outcome.error and not outcome.leftovers


@posix
def test_an_exit_code_of_256_is_what_the_system_makes_of_it(bench: Bench) -> None:
    assert bench.python("import os; os._exit(256)").exit_code == 0
    assert bench.python("raise SystemExit(-1)").exit_code == 255


@posix
@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGSEGV", "SIGABRT", "SIGHUP"])
def test_a_signal_is_told_by_number_and_name(bench: Bench, name: str) -> None:
    number = signal.Signals[name]
    outcome = bench.python(f"import os; os.kill(os.getpid(), {int(number)})")
    assert (outcome.exit_code, outcome.signal) == (128 + number, number)
    assert name in outcome.explanation
    assert not outcome.succeeded and not outcome.stopped


@posix
def test_a_program_that_may_take_no_more_memory_fails_by_itself(bench: Bench) -> None:
    code = "import resource; resource.setrlimit(resource.RLIMIT_AS, (400 << 20,) * 2); x = bytearray(500 << 20)"
    outcome = bench.python(code)
    assert outcome.exit_code == 1 and b"MemoryError" in bench.log.read_bytes()


def test_a_program_that_does_not_exist_is_said_so(bench: Bench) -> None:
    outcome = bench.run("no such program")
    assert outcome.exit_code is None and not outcome.succeeded
    assert outcome.error == "The program no such program was not found in any folder of PATH."
    assert bench.run(bench.folder / "nothing").error.endswith("does not exist.")


@posix
def test_a_file_that_is_not_executable_is_said_so(bench: Bench) -> None:
    path = bench.folder / "plain"
    path.write_text("#!/bin/sh\n")
    assert "not executable" in bench.run(path).error


@posix
def test_a_file_of_the_wrong_format_is_said_so(bench: Bench) -> None:
    path = bench.folder / "odd"
    path.write_bytes(b"\x01\x02 no program")
    path.chmod(0o755)
    assert "wrong format" in bench.run(path).error


@posix
def test_a_script_whose_interpreter_is_gone_names_the_interpreter(bench: Bench) -> None:
    path = bench.folder / "moved"
    path.write_text("#!/old place/bin/python\n")
    path.chmod(0o755)
    assert "/old place/bin/python" in bench.run(path).error


def test_a_missing_working_directory_is_named(bench: Bench) -> None:
    outcome = bench.run(sys.executable, "--version", cwd=str(bench.folder / "gone"))
    assert "working directory" in outcome.error and "gone" in outcome.error


def test_a_command_line_that_is_too_long_is_said_so(bench: Bench) -> None:
    assert "too long" in bench.run(sys.executable, "-c", "pass", *["x" * 100_000] * 40).error or sys.platform == "win32"


def test_the_working_directory_and_the_variables_are_those_of_the_command(bench: Bench) -> None:
    inner = bench.folder / "ünder neath"
    inner.mkdir()
    outcome = bench.python(
        "import os, sys; sys.stdout.buffer.write('|'.join([os.getcwd(), os.environ['A'], os.environ['B'], "
        "os.environ.get('C', 'none')]).encode())",
        cwd=str(inner),
        activation={"A": "activated", "B": "activated", "C": "activated"},
        env={"B": "own"},
        unset=("HOME",),
    )
    assert outcome.succeeded
    assert bench.screen.decode() == f"{inner}|activated|own|activated"


def test_who_is_started_is_told_at_once(bench: Bench) -> None:
    seen: list[tuple[int, float]] = []
    code = "import os; print(os.getpid(), os.getppid())"
    bench.python(code, on_start=lambda pid, started: seen.append((pid, started)))
    own, parent = map(int, bench.screen.split())
    # on Windows the python.exe of a venv is a launcher, and the Python its child
    assert seen[0][0] == (parent if sys.platform == "win32" and sys.prefix != sys.base_prefix else own)
    assert seen[0][1] > 0


@pytest.mark.skipif(sys.platform != "linux", reason="a control group of Linux")
def test_a_process_that_the_kernel_killed_for_memory_is_explained(bench: Bench) -> None:
    group = Path(f"/sys/fs/cgroup/memory/run-pipeline-{os.getpid()}-{os.urandom(4).hex()}")
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(96 << 20))
    except OSError:
        pytest.skip("no control group can be made here")
    hog = bench.program("x = bytearray(1)\nwhile True: x.extend(b'x' * (1 << 20))")
    parent = bench.program(
        "import os, sys; from pathlib import Path\n"
        f"Path({str(group / 'cgroup.procs')!r}).write_text(str(os.getpid()))\n"
        "from runner.model import Command; from runner.process.stop import StopRequest\n"
        "from runner.process.supervise import run\n"
        f"c = Command((sys.executable, {str(hog)!r}), '/')\n"
        f"o = run(c, environ=os.environ, screen=None, log=Path({str(bench.log)!r}), timeout=60, stop=StopRequest())\n"
        "print(o.signal, o.explanation)"
    )
    try:
        bench.run(sys.executable, parent, log=bench.folder / "outer.txt")
        assert bench.screen.decode().strip() == (
            "9 It was killed (SIGKILL), most likely by the system, because memory ran out."
        )
    finally:
        group.rmdir()
