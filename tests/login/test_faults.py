"""What breaks: the line, the keeper, the login node, its disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path, PureWindowsPath

import pytest

from runner.login.keeper import NOTED_EVERY
from runner.login.line import Lost, NotLoggedIn, Refusal
from runner.login.sent import Known
from runner.login.ssh import ssh_argv, why_ended
from runner.login.store import Store, state_folder
from runner.login.upload import upload
from runner.site_file import ClusterSettings
from tests.login.conftest import Place, until
from tests.login.test_files import tree
from tests.support import sshd
from tests.support.going import name_of, words_of

QUICK = "'-o', 'ServerAliveInterval=1', '-o', 'ServerAliveCountMax=2'"


def test_a_keeper_that_is_killed_takes_its_ssh_along_and_the_next_login_works(logged_in: Place) -> None:
    keeper = next(one for one in logged_in.processes() if "keeper" in " ".join(words_of(one)))
    keeper.send_signal(signal.SIGKILL)
    until(lambda: logged_in.processes() == [])
    said = logged_in.run("login", "hpc", "--status", check=2).stderr
    assert "no login to hpc is open: nothing is known of hpc since" in said
    assert "logged in" in logged_in.run("login", "hpc").stdout
    assert len(logged_in.processes()) == 2


def test_an_ssh_that_ends_is_noticed_at_once_and_the_keeper_ends_too(logged_in: Place) -> None:
    with logged_in.remote() as remote:
        remote.ping()
        ssh = next(one for one in logged_in.processes() if name_of(one) == "ssh")
        ssh.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        with pytest.raises(Lost, match="the line to hpc is gone"):
            remote.run(["sleep", "60"])
        assert time.monotonic() - begun < 10
    until(lambda: logged_in.processes() == [])
    assert not Store(logged_in.host(), "hpc").endpoint.exists()
    with pytest.raises(NotLoggedIn, match="nothing is known of hpc since"):
        logged_in.remote()


def test_a_line_that_stalls_ends_the_call_in_time_and_goes_on_when_it_is_back(own_place: Place) -> None:
    own_place.run("login", "hpc")
    stopped = own_place.sshd.connections()
    with own_place.remote(patience=2.0) as remote:
        remote.ping()
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        begun = time.monotonic()
        with pytest.raises(Lost, match=r"hpc has not answered for 2 s: nothing is known of it since \d\d:\d\d"):
            remote.ping()
        assert 1.5 < time.monotonic() - begun < 6
        assert remote.keeper()["host"] == "cluster"  # which knows that much without the line
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        until(lambda: _answers(own_place))
    assert "closed" in own_place.run("login", "hpc", "--close").stdout


def _answers(place: Place) -> bool:
    try:
        with place.remote(patience=1.0) as remote:
            remote.ping()
    except Lost:
        return False
    return True


def test_a_line_that_stays_dead_ends_the_login_and_close_works_meanwhile(own_place: Place) -> None:
    own_place.site(options=QUICK)
    own_place.run("login", "hpc")
    for pid in own_place.sshd.connections():
        os.kill(pid, signal.SIGSTOP)
    until(lambda: own_place.processes() == [], 30)
    said = own_place.run("login", "hpc", "--status", check=2).stderr
    assert "not responding" in said
    own_place.sshd.stop()
    own_place.sshd.start()
    own_place.run("login", "hpc")
    for pid in own_place.sshd.connections():
        os.kill(pid, signal.SIGSTOP)
    own_place.run("login", "hpc", "--close")
    assert own_place.processes() == []


def test_a_command_that_prints_nothing_for_long_is_not_taken_for_a_dead_line(logged_in: Place) -> None:
    with logged_in.remote(patience=7.0) as remote:
        assert remote.run(["sleep", "8"]) == 0


def test_a_full_disk_there_is_told_and_what_arrived_stays(tmp_path: Path) -> None:
    if why := sshd.missing():
        pytest.skip(why)
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    small = tmp_path / "scrätch" / "lab folder"
    with sshd.running(tmp_path / "s", small=small) as made:
        place = Place(tmp_path, made).make()
        try:
            place.run("login", "hpc")
            files = tree(tmp_path / "source", {f"{n:02d}.bin": os.urandom(200_000) for n in range(10)})
            with place.remote() as remote:
                for _ in range(2):
                    with pytest.raises(Refusal, match=r"hpc: the disk \(or your quota on it\) is full") as failed:
                        upload(remote, str(small), files, Known(tmp_path / "known.json"))
                    assert "Free some space" in failed.value.cure
                listing: list[bytes] = []
                remote.run(["ls", "-A", str(small)], output=lambda which, data: listing.append(data))
                there = b"".join(listing).split()
                assert len(there) >= 3
                assert not [name for name in there if b"part" in name]
                remote.run(["sh", "-c", f"rm '{small}'/*"])
                remote.run(["head", "-c", "1100000", "/dev/zero"], output=lambda which, data: None)
                remote.run(["sh", "-c", f"head -c 2000000 /dev/zero > '{small}/filler'"])
            said = place.run("login", "hpc", check=4).stderr
            assert "the disk (or your quota on it) is full" in said
            assert str(small) in said
        finally:
            place.end()


def test_a_folder_that_may_not_be_written_is_told_at_the_login(place: Place) -> None:
    if os.geteuid() == 0:
        folder = "/sys/kernel/run-pipeline"
    else:
        (place.root / "shut").mkdir(mode=0o500)
        folder = str(place.root / "shut" / "lab")
    place.site(folder=folder)
    said = place.run("login", "hpc", check=4).stderr
    assert "hpc: no permission" in said
    assert folder in said
    assert "Name a folder that you may write to as `folder`" in said


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("read line", "a start-up file of the login shell there"),
        ("yes", "prints without end"),
        ("exit 3", "ended with exit code 3"),
    ],
)
def test_a_login_shell_that_is_in_the_way_is_told(own_place: Place, line: str, said: str) -> None:
    (own_place.sshd.home / ".bashrc").write_text(line + "\n")
    assert said in own_place.run("login", "hpc", check=3).stderr
    assert own_place.processes() == []


def test_a_login_outlives_ctrl_c_of_the_script_that_made_it(place: Place) -> None:
    script = f"'{sys.executable}' -m runner login hpc; echo made; sleep 60"
    shell = subprocess.Popen(
        ["sh", "-c", script], env=place.environ(), cwd=place.root, stdout=subprocess.PIPE, start_new_session=True
    )
    assert shell.stdout
    with shell.stdout:
        until(lambda: b"made" in shell.stdout.readline())  # type: ignore[union-attr]
        os.killpg(shell.pid, signal.SIGINT)
        os.killpg(shell.pid, signal.SIGHUP)
    shell.wait()
    assert "it answers" in place.run("login", "hpc", "--status").stdout


def test_a_login_whose_caller_is_killed_while_ssh_waits_leaves_nothing(own_place: Place) -> None:
    for pid in [own_place.sshd._process.pid]:  # type: ignore[union-attr]
        os.kill(pid, signal.SIGSTOP)  # it accepts nobody: ssh waits
    caller = subprocess.Popen(
        own_place.argv("login", "hpc"), env=own_place.environ(), stdin=subprocess.DEVNULL, start_new_session=True
    )
    until(lambda: len(own_place.processes()) == 3)
    caller.kill()
    caller.wait()
    until(lambda: own_place.processes() == [])


def test_a_keeper_that_nobody_can_find_any_more_ends(logged_in: Place) -> None:
    Store(logged_in.host(), "hpc").endpoint.unlink()
    until(lambda: logged_in.processes() == [], NOTED_EVERY + 15)


def test_windows_own_ssh_is_told_to_share_no_connection_and_asks_only_where_somebody_can_answer(place: Place) -> None:
    here = place.host()
    windows = replace(
        here, platform="win32", interactive=True, which=lambda name: r"C:\Windows\System32\OpenSSH\ssh.exe"
    )
    argv = ssh_argv(place.cluster(), windows)
    assert argv[0].endswith("ssh.exe")
    assert argv[argv.index("ControlMaster=no") - 1] == "-o"
    assert "ControlPath=none" in argv
    assert "BatchMode=yes" not in argv
    assert argv[-3:-1] == ["--", "cluster"]
    assert "BatchMode=yes" in ssh_argv(place.cluster(), replace(windows, interactive=False))
    assert "ControlMaster=no" not in ssh_argv(place.cluster(), here)


def test_each_system_keeps_such_notes_where_it_is_usual(place: Place) -> None:
    here = replace(place.host(), environ={})
    assert str(state_folder(replace(here, home=Path("/home/ana")))) == "/home/ana/.local/state/run-pipeline"
    assert str(state_folder(replace(here, environ={"XDG_STATE_HOME": "/x"}))) == "/x/run-pipeline"
    mac = state_folder(replace(here, platform="darwin", home=Path("/Users/ana")))
    assert str(mac) == "/Users/ana/Library/Application Support/run-pipeline"
    windows = replace(here, platform="win32", home=PureWindowsPath(r"C:\Users\ana"))
    assert "AppData" in str(state_folder(windows))


@pytest.mark.parametrize(
    ("code", "said", "told"),
    [
        (255, "WARNING: UNPROTECTED PRIVATE KEY FILE!\nme@x: Permission denied (publickey).", "others can"),
        (255, "Bad owner or permissions on C:\\Users\\ana/.ssh/config", "is not yours"),
        (255, "Received disconnect from 10.0.0.1 port 22:2: Too many authentication failures", "too many keys"),
        (255, "kex_exchange_identification: read: Connection reset by peer", "closed the connection before a login"),
        (255, "Unable to negotiate with 10.0.0.1: no matching host key type found. Their offer: ssh-rsa", "in common"),
        (255, "/home/a/.ssh/config: line 3: Bad configuration option: foo", "does not understand its settings"),
        (255, "ssh: connect to host x port 22: Connection timed out", "could not be reached"),
        (255, "ssh: Could not resolve hostname x: No such host is known.", "there is no computer"),
        (1, "WARNING: Your password has expired.\nPassword change required but no TTY available.", "has expired"),
        (1, "python3: Command not found.", "has no program python3"),  # csh
        (127, "bash: module: Permission denied\nbash: line 1: python3: command not found", "has no program python3"),
        (3, "bash: module: command not found", "ended with exit code 3"),
    ],
)
def test_what_ssh_says_is_told_in_plain_words_with_a_cure(code: int, said: str, told: str) -> None:
    what, cure = why_ended(code, said, ClusterSettings("hpc", host="login.hpc.org", folder="/x"))
    assert told in what
    assert cure


def test_a_folder_that_may_not_be_read_keeps_nothing_else_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from runner.login import agent

    for name in ("a", "b", "shut/c"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    listing = os.scandir

    def scandir(folder: bytes) -> object:  # root may read everything
        if folder.endswith(b"shut"):
            raise PermissionError(13, "Permission denied", folder)
        return listing(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    shut: list[str] = []
    found = agent.files_below(os.fsencode(tmp_path), "", (), ["**"], shut)
    assert sorted(path for path, _ in found) == ["a", "b"]
    assert shut == ["shut"]


def test_a_login_node_that_allows_no_more_threads_answers_so(monkeypatch: pytest.MonkeyPatch) -> None:
    import io
    import threading

    from runner.login import agent

    sink = io.BytesIO()
    there = agent.Agent(io.BytesIO(), sink)

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    there.take((agent.LAST, 7, {"op": "ping"}, b""))
    sink.seek(0)
    assert agent.read_frame(sink) == (agent.LAST, 7, {"error": "can't start new thread"}, b"")
