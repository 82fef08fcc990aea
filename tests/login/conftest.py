"""A real sshd for the tests of this folder, and a laboratory that knows it as its cluster."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from runner.host import Host, this_host
from runner.login.cluster import find_cluster
from runner.login.line import Remote, connect
from runner.site_file import ClusterSettings
from tests.support import sshd
from tests.support.going import runs
from tests.support.lab import clean_environ

REPO = Path(__file__).resolve().parents[2]


@dataclass
class Place:
    """The user's computer: a repository whose site file knows the cluster, and the cluster's folder."""

    root: Path
    sshd: sshd.Sshd
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def repo(self) -> Path:
        return self.root / "répo sitory"

    @property
    def folder(self) -> Path:
        """The lab's folder on the cluster."""
        return self.root / "scrätch" / "lab folder"

    @property
    def state(self) -> Path:
        return self.root / "state"

    def make(self) -> Place:
        (self.root / "home").mkdir()
        self.repo.mkdir()
        (self.repo / "pyproject.toml").write_text('[project]\nname = "lab"\nversion = "1"\n')
        self.site()
        return self

    def site(self, **keys: str) -> None:
        told = {
            "host": "cluster",
            "folder": str(self.folder),
            "ssh": str(self.sshd.ssh),
            "python": sys.executable,
            **keys,
        }
        options = keys.pop("options", "")
        told.pop("options", None)
        lines = "".join(f"{key} = '{value}'\n" for key, value in told.items())
        program = f"program = ['{sys.executable}', '-m', 'runner']\noptions = [{options}]\n"
        (self.repo / "run-pipeline.toml").write_text(f"[clusters.hpc]\n{lines}{program}", encoding="utf-8")

    def environ(self) -> dict[str, str]:
        return {
            **clean_environ(self.root / "home"),
            "RUN_PIPELINE_REPO": str(self.repo),
            "RUN_PIPELINE_STATE": str(self.state),
            "PYTHONPATH": str(REPO),
            **self.extra,
        }

    def host(self) -> Host:
        mine = this_host(interactive=False)
        return Host(mine.platform, self.environ(), self.root / "home", mine.which, mine.capture)

    def cluster(self) -> ClusterSettings:
        return find_cluster("hpc", self.repo, self.host())

    def argv(self, *words: str | Path) -> list[str]:
        return [sys.executable, "-m", "runner", *map(str, words)]

    def run(self, *words: str | Path, check: int | None = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.argv(*words),
            cwd=self.root,
            env=self.environ(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            check=False,
            start_new_session=True,  # no terminal to ask at
        )
        assert "Traceback" not in done.stderr + done.stdout, done.stderr
        if check is not None:
            assert done.returncode == check, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def remote(self, patience: float = 30.0) -> Remote:
        return connect(self.cluster(), self.host(), patience=patience)

    def processes(self) -> list[psutil.Process]:
        """The keeper of this place and its ssh, by the variable that they carry; zombies are none."""
        return [one for one in psutil.process_iter() if self._is_mine(one)]

    def _is_mine(self, process: psutil.Process) -> bool:
        try:
            return (
                runs(process)
                and process.environ().get("RUN_PIPELINE_STATE") == str(self.state)
                and process.pid != os.getpid()
            )
        except (psutil.Error, OSError):
            return False

    def end(self) -> None:
        for one in self.processes():
            try:
                one.kill()
            except psutil.Error:
                continue

    def at_terminal(self, *words: str | Path, answers: Mapping[str, Callable[[], str]], seconds: float = 60) -> Typed:
        """The command at a terminal, where each question gets its answer, once."""
        import pty

        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.root)
            os.execve(sys.executable, self.argv(*words), self.environ())
        screen, waiting = "", dict(answers)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if select.select([terminal], [], [], 0.2)[0]:
                try:
                    data = os.read(terminal, 65536)
                except OSError:
                    break
                if not data:
                    break
                screen += data.decode("utf-8", "replace")
            for question in [one for one in waiting if re.search(one, screen)]:
                os.write(terminal, waiting.pop(question)().encode())
        else:
            os.kill(pid, signal.SIGKILL)
        os.close(terminal)
        return Typed(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), screen)


@dataclass
class Typed:
    code: int
    screen: str


def until(what: Callable[[], object], seconds: float = 20.0) -> object:
    """What it gives, as soon as that is something."""
    deadline = time.monotonic() + seconds
    while True:
        if found := what():
            return found
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)


@pytest.fixture(scope="session")
def _sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sshd.Sshd]:
    if why := sshd.missing():
        pytest.skip(why)
    with sshd.running(tmp_path_factory.mktemp("sshd") / "s") as made:
        yield made


@pytest.fixture
def place(tmp_path: Path, _sshd: sshd.Sshd) -> Iterator[Place]:
    """Nothing is left of it: no keeper and no ssh."""
    made = Place(tmp_path, _sshd).make()
    yield made
    made.end()


@pytest.fixture
def own_place(tmp_path: Path) -> Iterator[Place]:
    """With an sshd that this test may stop, kill and set as it likes."""
    if why := sshd.missing():
        pytest.skip(why)
    with sshd.running(tmp_path / "s") as made:
        place = Place(tmp_path, made).make()
        yield place
        place.end()


@pytest.fixture
def coded(tmp_path: Path) -> Iterator[Place]:
    """An sshd that asks for a key and a code."""
    if why := sshd.missing(second_factor=True):
        pytest.skip(why)
    with sshd.running(tmp_path / "s", second_factor=True) as made:
        place = Place(tmp_path, made).make()
        yield place
        place.end()


@pytest.fixture
def logged_in(place: Place) -> Place:
    place.run("login", "hpc")
    return place
