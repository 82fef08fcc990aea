"""A login where no sshd can be had, as on Windows: ssh is played by a program that runs the agent on this computer.

What is real: the keeper, the door, the agent's frames, files there and back, and the command line.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from runner.login.download import Download, listed
from runner.login.sent import Known
from runner.login.store import Store
from runner.login.upload import upload
from runner.process.identity import is_alive, process_started
from tests.login.conftest import Place, until
from tests.login.test_files import FILES, contents, local, tree
from tests.support.going import runs
from tests.support.programs import program

# the last word is for the shell at the other end: PYTHON -I -c 'CODE'
SSH = """\
import re, subprocess, sys
python, code = re.fullmatch(r"'?(.*?)'? -I -c '(.*)'", sys.argv[-1], re.S).groups()
print("Welcome to the cluster", flush=True)
print("Last login: never", file=sys.stderr, flush=True)
sys.exit(subprocess.call([python, "-I", "-c", code]))
"""


@pytest.fixture
def played(tmp_path: Path) -> Iterator[Place]:
    ssh = program(tmp_path / "bin" / "ssh", SSH)
    other: Any = SimpleNamespace(ssh=ssh, home=tmp_path / "home there")
    place = Place(tmp_path, other).make()
    place.site(python=sys.executable.replace("\\", "/"))
    yield place
    if Store(place.host(), "hpc").read_endpoint():
        place.run("login", "hpc", "--close")


def test_login_status_and_close_leave_no_process(played: Place) -> None:
    assert "hpc: logged in" in played.run("login", "hpc").stdout
    with played.remote() as remote:
        told = remote.keeper()
    pids = {pid: process_started(pid) for pid in (told["pid"], told["ssh"], told["hello"]["pid"])}
    assert all(is_alive(pid, started) for pid, started in pids.items())
    assert "it answers" in played.run("login", "hpc", "--status").stdout
    assert "a login is open already" in played.run("login", "hpc").stdout
    assert "closed" in played.run("login", "hpc", "--close").stdout
    until(lambda: not any(is_alive(pid, started) for pid, started in pids.items()))
    assert "no login to hpc is open" in played.run("login", "hpc", "--status", check=2).stderr


def test_files_go_there_and_come_back_as_they_were(played: Place) -> None:
    played.run("login", "hpc")
    data = {name: content for name, content in FILES.items() if '"' not in name} | {"ünï/bläh.tif": b"x" * 1000}
    files = tree(played.root / "source", data)
    here = played.root / "here"
    with played.remote() as remote:
        assert upload(remote, str(played.folder), files, Known(played.root / "sent.json")).files == len(files)
        assert contents(played.folder) == contents(played.root / "source")
        again = [local(Path(one.path), one.there) for one in files]
        assert upload(remote, str(played.folder), again, Known(played.root / "sent.json")).files == 0
        here.mkdir()
        work = Download(remote, str(played.folder), [here], here.joinpath, Known(played.root / "brought.json"))
        assert work.bring(listed(remote, str(played.folder), ["**"])).refused == []
        assert contents(here) == contents(played.root / "source")
        (here / "a.txt").write_bytes(b"changed here")
        (played.folder / "a.txt").write_bytes(b"changed there too")
        work = Download(remote, str(played.folder), [here], here.joinpath, Known(played.root / "brought.json"))
        work.bring(listed(remote, str(played.folder), ["*.txt"]))
        assert (here / "a.txt").read_bytes() == b"changed here"
        assert (here / "a (hpc).txt").read_bytes() == b"changed there too"


def test_a_killed_keeper_is_told_and_the_next_login_works(played: Place) -> None:
    played.run("login", "hpc")
    with played.remote() as remote:
        told = remote.keeper()
    psutil.Process(told["pid"]).kill()
    until(lambda: not runs(told["ssh"]))
    assert "nothing is known of hpc since" in played.run("login", "hpc", "--status", check=2).stderr
    assert "logged in" in played.run("login", "hpc").stdout
