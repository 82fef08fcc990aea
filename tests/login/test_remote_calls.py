"""Commands on the cluster through the keeper: output, exit codes, stopping, many at once, an old Python there."""

from __future__ import annotations

import os
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from runner.login.line import Refusal
from runner.login.ssh import ssh_argv
from tests.login.conftest import Place, until


def old_python() -> str:
    """A Python 3.6 of this computer, or ""."""
    import pwd

    home = Path(os.environ.get("PYENV_ROOT") or Path(pwd.getpwuid(os.getuid()).pw_dir) / ".pyenv")
    for found in (
        os.environ.get("TEST_OLD_PYTHON"),
        shutil.which("python3.6"),
        *home.glob("versions/3.6.*/bin/python3.6"),
    ):
        if found and subprocess.run([found, "--version"], capture_output=True, check=False).returncode == 0:
            return str(found)
    return ""


class Heard:
    def __init__(self) -> None:
        self.out: dict[int, bytes] = {1: b"", 2: b""}

    def __call__(self, which: int, data: bytes) -> None:
        self.out[which] += data


def test_output_errors_exit_code_folder_variables_and_input_arrive_as_they_are(logged_in: Place) -> None:
    code = "import os,sys; print(os.getcwd(), os.environ['A b']); sys.stderr.write(sys.stdin.read()); sys.exit(7)"
    folder = logged_in.root / "földer with blanks"
    folder.mkdir()
    with logged_in.remote() as remote:
        heard = Heard()
        argv = [sys.executable, "-c", code]
        environ = {"A b": "ä'$x", "PYTHONIOENCODING": "utf-8"}
        assert remote.run(argv, cwd=str(folder), env=environ, stdin=b"in\0put", output=heard) == 7
    assert heard.out[1].decode() == f"{folder} ä'$x\n"
    assert heard.out[2] == b"in\0put"


def test_output_comes_while_the_command_runs(logged_in: Place) -> None:
    times: list[float] = []
    with logged_in.remote() as remote:
        remote.run(["sh", "-c", "echo a; sleep 0.5; echo b"], output=lambda *_: times.append(time.monotonic()))
    assert times[1] - times[0] > 0.3


def test_much_output_is_whole_and_in_order(logged_in: Place) -> None:
    with logged_in.remote() as remote:
        heard = Heard()
        assert remote.run(["seq", "1", "500000"], output=heard) == 0
    assert heard.out[1] == b"".join(b"%d\n" % n for n in range(1, 500001))


def test_a_command_that_is_not_there_is_a_refusal_with_its_name(logged_in: Place) -> None:
    with logged_in.remote() as remote, pytest.raises(Refusal, match="no-such-program"):
        remote.run(["no-such-program"])


def test_many_commands_at_once_each_get_their_own_output(logged_in: Place) -> None:
    with logged_in.remote() as remote, logged_in.remote() as second:

        def one(number: int) -> bool:
            heard = Heard()
            (remote if number % 2 else second).run(["sh", "-c", f"sleep 0.05; echo {number}"], output=heard)
            return heard.out[1] == b"%d\n" % number

        with ThreadPoolExecutor(16) as threads:
            assert all(threads.map(one, range(64)))


def test_a_slow_listener_holds_up_nobody_else(logged_in: Place) -> None:
    with logged_in.remote() as slow, logged_in.remote() as quick:
        entered = threading.Event()

        def wait(which: int, data: bytes) -> None:
            entered.set()
            time.sleep(0.02)

        thread = threading.Thread(target=lambda: slow.run(["seq", "1", "2000000"], output=wait))
        thread.start()
        entered.wait(10)
        took = []
        for _ in range(20):
            begun = time.monotonic()
            quick.ping()
            took.append(time.monotonic() - begun)
        thread.join()
    assert statistics.median(took) < 0.5


def test_ctrl_c_ends_the_command_there_with_all_its_children(logged_in: Place) -> None:
    mark = f"{time.time_ns()}"
    script = (
        "import sys; from tests.login.conftest import *; import subprocess\n"
        "from runner.login.line import connect\n"
        "from runner.host import this_host\n"
        f"found = find_cluster('hpc', Path({str(logged_in.repo)!r}), this_host())\n"
        "with connect(found, this_host()) as remote:\n"
        f"    print('begun', flush=True); sys.exit(remote.run(['sh', '-c', 'sleep 300.{mark} & wait']) & 255)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], env=logged_in.environ(), stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout
    with process.stdout:
        assert process.stdout.readline() == b"begun\n"

        def running() -> bool:
            return any(f"300.{mark}" in " ".join(one.info["cmdline"] or ()) for one in psutil.process_iter(["cmdline"]))

        until(running)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) != 0
        until(lambda: not running())


@pytest.mark.parametrize("keep", [False, True])
def test_a_command_whose_caller_is_gone_ends_unless_it_was_to_go_on(logged_in: Place, keep: bool) -> None:
    done = logged_in.root / "done"
    with logged_in.remote() as remote:
        argv = ["sh", "-c", f"sleep 1; echo x; echo x > '{done}'"]
        thread = threading.Thread(target=lambda: _lost(lambda: remote.run(argv, keep=keep)))
        thread.start()
        time.sleep(0.3)
    thread.join()
    if keep:
        until(done.exists)
    else:
        time.sleep(1.5)
        assert not done.exists()


def _lost(action: object) -> None:
    from runner.login.line import Lost

    with pytest.raises(Lost):
        action()  # type: ignore[operator]


def test_the_agent_works_on_python_3_6_and_in_a_locale_without_utf_8(own_place: Place) -> None:
    if not (python := old_python()):
        pytest.skip("no Python 3.6 here (TEST_OLD_PYTHON=PROGRAM names one)")
    (own_place.sshd.home / ".bashrc").write_text("export LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0\n")
    own_place.site(python=python)
    assert "Python 3.6" in own_place.run("login", "hpc").stdout
    with own_place.remote() as remote:
        heard = Heard()
        assert remote.run(["printf", "%s", "ü→"], cwd=str(own_place.folder), output=heard) == 0
        assert heard.out[1].decode() == "ü→"
        for operation in ("look", "hash", "walk", "get"):
            header = {"op": operation, "base": str(own_place.folder), "paths": [], "globs": ["**"]}
            remote.call(header)


@pytest.mark.parametrize("shell", ["sh", "bash", "dash", "csh", "tcsh", "zsh", "fish", "ksh"])
def test_every_login_shell_reads_the_command_alike(place: Place, shell: str) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"no {shell} here")
    line = ssh_argv(place.cluster(), place.host())[-1]
    source = b"import sys; print('agent', sys.argv)"
    told = b"%d\n%s" % (len(source), source)
    done = subprocess.run([program, "-c", line], input=told, capture_output=True, check=True)
    assert done.stdout == b"agent ['-c']\n"


def test_a_python_that_is_too_old_is_told(own_place: Place) -> None:
    old = own_place.root / "python2"
    old.write_text('#!/bin/sh\necho "run-pipeline: Python 2.7 is too old" >&2\nexit 1\n')
    old.chmod(0o755)
    own_place.site(python=str(old))
    assert "is older than Python 3.6" in own_place.run("login", "hpc", check=3).stderr


def test_commands_have_the_variables_of_a_login_shell(own_place: Place) -> None:
    tools = own_place.root / "slurm bin"
    tools.mkdir()
    (tools / "own-sbatch").write_text("#!/bin/sh\necho submitted\n")
    (tools / "own-sbatch").chmod(0o755)
    profile = f'echo noise; export PATH="$PATH:{tools}" ODD="two\nlines ü"\n'
    (own_place.sshd.home / ".profile").write_text(profile)
    own_place.run("login", "hpc")
    with own_place.remote() as remote:
        heard = Heard()
        assert remote.run(["own-sbatch"], output=heard) == 0
        assert remote.run(["printenv", "ODD"], output=heard) == 0
    assert heard.out[1].decode() == "submitted\ntwo\nlines ü\n"


def test_a_login_shell_that_never_starts_up_is_given_up(own_place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    from runner.login import agent

    (own_place.root / "home" / ".profile").write_text("sleep 600.5\n")
    monkeypatch.setattr(agent, "SHELL_TAKES", 0.5)
    monkeypatch.setenv("HOME", str(own_place.root / "home"))
    monkeypatch.setenv("SHELL", "/bin/sh")
    assert agent.login_environ()[b"HOME"] == os.fsencode(own_place.root / "home")
    assert not any("600.5" in one.info["cmdline"] for one in psutil.process_iter(["cmdline"]) if one.info["cmdline"])
