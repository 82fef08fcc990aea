"""`run-pipeline login` against a real sshd."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from runner.login import door
from runner.login.store import Store
from tests.login.conftest import Place, until
from tests.support import sshd
from tests.support.going import words_of


def test_one_login_serves_the_commands_after_it_and_close_leaves_no_process(place: Place) -> None:
    said = place.run("login", "hpc").stdout
    assert "hpc: logged in" in said
    assert str(place.folder) in said
    assert place.folder.is_dir()
    assert "it answers in" in place.run("login", "hpc", "--status").stdout
    assert len(place.processes()) == 2  # the keeper and its ssh
    assert "closed" in place.run("login", "hpc", "--close").stdout
    assert place.processes() == []
    assert "no login was open" in place.run("login", "hpc", "--close").stdout


def test_a_second_login_while_one_is_open_asks_nobody_and_starts_no_second_ssh(logged_in: Place) -> None:
    before = {one.pid for one in logged_in.processes()}
    assert "a login is open already" in logged_in.run("login", "hpc").stdout
    assert {one.pid for one in logged_in.processes()} == before


def test_two_logins_at_the_same_moment_end_in_one(place: Place) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor() as threads:
        ends = list(threads.map(lambda _: place.run("login", "hpc", check=None), range(3)))
    assert any(end.returncode == 0 for end in ends)
    assert all(end.returncode == 0 or "the login to hpc" in end.stderr for end in ends), ends
    until(lambda: len(place.processes()) == 2)


def test_a_code_of_a_second_factor_is_asked_for_once_at_the_terminal(coded: Place) -> None:
    typed = coded.at_terminal("login", "hpc", answers={"Verification code": lambda: sshd.code_now() + "\n"})
    assert typed.code == 0, typed.screen
    assert typed.screen.count("Verification code") == 1
    assert "logged in" in typed.screen
    for _ in range(2):
        coded.run("login", "hpc", "--status")
    with coded.remote() as remote:
        assert remote.run(["true"]) == 0


def test_without_a_terminal_a_code_is_not_waited_for(coded: Place) -> None:
    failed = coded.run("login", "hpc", check=3)
    assert "cluster refused the login" in failed.stderr
    assert "log in at a terminal: run-pipeline login hpc" in failed.stderr
    assert coded.processes() == []


def test_a_wrong_code_is_asked_for_again_and_ctrl_c_ends_all(coded: Place) -> None:
    again = r"(?s)Verification.*Verification"
    typed = {"Verification code": lambda: "000000\n", again: lambda: "\x03"}
    wrong = coded.at_terminal("login", "hpc", answers=typed)
    assert wrong.code == 130, wrong.screen
    until(lambda: coded.processes() == [])


def test_a_host_key_that_nobody_knows_is_not_accepted(own_place: Place) -> None:
    (own_place.sshd.root / "known_hosts").write_text("")
    failed = own_place.run("login", "hpc", check=3)
    assert "does not know the key of cluster" in failed.stderr
    assert (own_place.sshd.root / "known_hosts").read_text() == ""


def test_a_host_key_that_changed_is_refused_with_what_ssh_says(own_place: Place) -> None:
    other = (own_place.sshd.root / "key.pub").read_text().split()[:2]
    (own_place.sshd.root / "known_hosts").write_text(f"[127.0.0.1]:{own_place.sshd.port} {' '.join(other)}\n")
    failed = own_place.run("login", "hpc", check=3)
    assert "shows another key than the one this computer knows" in failed.stderr
    assert "IDENTIFICATION HAS CHANGED" in failed.stderr


def test_a_host_key_that_the_user_confirms_is_noted_by_ssh_itself(own_place: Place) -> None:
    (own_place.sshd.root / "known_hosts").write_text("")
    typed = own_place.at_terminal("login", "hpc", answers={r"yes/no": lambda: "yes\n"})
    assert typed.code == 0, typed.screen
    assert (own_place.sshd.root / "known_hosts").read_text()


@pytest.mark.skipif(sys.platform == "win32", reason="modes of POSIX")
def test_only_the_user_can_read_what_opens_the_keeper(logged_in: Place) -> None:
    store = Store(logged_in.host(), "hpc")
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(store.endpoint.stat().st_mode) == 0o600


def test_who_does_not_know_the_token_gets_nothing(logged_in: Place) -> None:
    endpoint = Store(logged_in.host(), "hpc").read_endpoint()
    assert endpoint
    with pytest.raises(OSError):  # hung up, or reset
        door.enter(endpoint.port, os.urandom(32))
    with socket.create_connection(("127.0.0.1", endpoint.port), timeout=10) as stranger:
        stranger.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://evil\r\n\r\n" + b"\0" * 64)
        assert len(stranger.recv(32)) == 32  # the question
        with contextlib.suppress(ConnectionResetError):
            assert stranger.recv(100) == b""
    logged_in.run("login", "hpc", "--status")


def test_a_program_that_took_the_port_of_a_dead_keeper_is_not_believed(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        import threading

        heard: list[bytes] = []

        def answer() -> None:
            connection, _ = stranger.accept()
            with connection:
                connection.sendall(b"\0" * 32)
                heard.append(connection.recv(4096))
                connection.sendall(b"\0" * 32)
                heard.append(connection.recv(4096))

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(door.Refused):
            door.enter(stranger.getsockname()[1], b"t" * 32)
        thread.join()
    assert len(heard[0]) == 64  # a number used once and a proof; the token is in neither
    assert b"t" * 32 not in heard[0]
    assert heard[1] == b""


def test_an_unknown_cluster_says_what_to_write_where(place: Place) -> None:
    assert "run-pipeline.toml knows: hpc" in place.run("login", "hcp", check=2).stderr
    (place.repo / "run-pipeline.toml").unlink()
    said = place.run("login", "hpc", check=2).stderr
    assert "[clusters.hpc]" in said
    assert 'host = "me@login.hpc.org"' in said


@pytest.mark.parametrize("host", ["-oProxyCommand=touch x", "", "two words"])
def test_a_host_that_ssh_would_take_for_an_option_is_refused(place: Place, host: str) -> None:
    place.site(host=host)
    assert "[clusters.hpc]: host is" in place.run("login", "hpc", check=2).stderr
    assert place.processes() == []


def test_a_login_that_nobody_uses_ends_by_itself_and_says_so(place: Place) -> None:
    place.run("login", "hpc", "--idle", "0.001")
    until(lambda: place.processes() == [])
    said = place.run("login", "hpc", "--status", check=2).stderr
    assert "nothing is known of hpc since" in said
    assert "nobody had used it for a while" in said
    assert "run-pipeline login hpc" in said


def test_what_a_login_shell_prints_is_passed_over(own_place: Place, tmp_path: Path) -> None:
    (own_place.sshd.home / ".bashrc").write_text(
        "echo Welcome to the cluster; printf 'no end of line'; echo loud >&2\n"
    )
    assert "hpc: logged in" in own_place.run("login", "hpc").stdout
    with own_place.remote() as remote:
        out: list[bytes] = []
        assert remote.run(["printf", "x"], output=lambda which, data: out.append(data)) == 0
        assert b"".join(out) == b"x"


def test_a_missing_python_is_told_with_its_cure(place: Place) -> None:
    place.site(python="python3.99")
    failed = place.run("login", "hpc", check=3)
    assert "cluster has no program python3.99" in failed.stderr
    assert "write its path as `python` in [clusters.hpc]" in failed.stderr
    assert place.processes() == []


def test_an_unreachable_port_and_an_unknown_name_are_told_apart(own_place: Place) -> None:
    own_place.sshd.stop()
    assert "could not be reached" in own_place.run("login", "hpc", check=3).stderr
    own_place.site(host="no-such-host.invalid")
    assert "there is no computer no-such-host.invalid" in own_place.run("login", "hpc", check=3).stderr


def test_a_missing_ssh_says_how_to_get_it(place: Place) -> None:
    place.site(ssh="no-such-ssh")
    assert "there is no program no-such-ssh" in place.run("login", "hpc", check=3).stderr


def test_a_login_through_a_jump_host_leaves_no_process_either(own_place: Place) -> None:
    settings = own_place.sshd.root / "config"
    inner = settings.read_text().replace("Host cluster\n", "Host inner\n    ProxyJump cluster\n")
    settings.write_text(settings.read_text() + inner)
    own_place.site(host="inner")
    own_place.run("login", "hpc")
    assert len(own_place.processes()) == 3  # the keeper, its ssh, and the ssh to the jump host
    with own_place.remote() as remote:
        assert remote.run(["true"]) == 0
    own_place.run("login", "hpc", "--close")
    until(lambda: own_place.processes() == [])


def test_settings_of_the_user_for_other_sessions_are_not_in_the_way(own_place: Place) -> None:
    settings = own_place.sshd.root / "config"
    more = ["RemoteCommand tmux", "RequestTTY force", f"LocalForward 127.0.0.1:{own_place.sshd.port} 127.0.0.1:1"]
    settings.write_text(settings.read_text() + "".join(f"    {line}\n" for line in [*more, "ExitOnForwardFailure yes"]))
    own_place.run("login", "hpc")
    with own_place.remote() as remote:
        assert remote.run(["true"]) == 0


def test_a_key_with_a_passphrase_is_asked_for_once_at_the_terminal(own_place: Place) -> None:
    key = own_place.sshd.root / "key"
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "open sesame", "-f", str(key)], check=True, capture_output=True)
    typed = own_place.at_terminal("login", "hpc", answers={"passphrase": lambda: "open sesame\n"})
    assert typed.code == 0, typed.screen
    assert typed.screen.count("Enter passphrase") == 1
    assert "open sesame" not in typed.screen
    own_place.run("login", "hpc", "--status")
    notes = b"".join(path.read_bytes() for path in own_place.state.rglob("*") if path.is_file())
    assert b"sesame" not in notes


@pytest.mark.skipif(sys.platform == "win32", reason="OpenSSH on Windows shares no connection")
def test_a_connection_that_the_user_shares_by_his_own_settings_is_used_and_left_to_him(own_place: Place) -> None:
    settings = own_place.sshd.root / "config"
    path = own_place.sshd.root / "m"
    more = ["ControlMaster auto", f"ControlPath {path}", "ControlPersist 60"]
    settings.write_text(settings.read_text() + "".join(f"    {line}\n" for line in more))
    try:
        own_place.run("login", "hpc")
        with own_place.remote() as remote:
            assert remote.run(["true"]) == 0
        own_place.run("login", "hpc", "--close")
        until(lambda: not [one for one in own_place.processes() if "keeper" in " ".join(words_of(one))])
        assert path.exists()
        own_place.run("login", "hpc")
        own_place.run("login", "hpc", "--close")
    finally:
        subprocess.run([str(own_place.sshd.ssh), "-O", "exit", "cluster"], check=False, capture_output=True)
    until(lambda: own_place.processes() == [])
