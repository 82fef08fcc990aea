"""Opening a login: the keeper is started at the user's terminal, where ssh asks, and stays behind."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from runner.errors import Busy, ExitCode, RunnerError
from runner.host import Host
from runner.login.line import NotLoggedIn, Remote, connect
from runner.login.ssh import ssh_program
from runner.login.store import Store
from runner.site_file import ClusterSettings

IDLE = 12 * 3600.0
_KEEPER = "import sys; sys.path.insert(0, sys.argv[1]); from runner.login.keeper_process import main; main()"


class LoginFailed(RunnerError):
    """ssh came to no agent."""

    exit_code = ExitCode.ENVIRONMENT


def log_in(
    cluster: ClusterSettings, host: Host, *, idle: float = IDLE, say: Callable[[str], None]
) -> tuple[Remote, bool]:
    """A connection to the keeper, and whether the login was made just now. `say` gets what ssh says.

    Raises LoginFailed, Busy, StateError.
    """
    with contextlib.suppress(NotLoggedIn):
        return connect(cluster, host), False
    Store(host, cluster.name).make()
    ssh_program(cluster, host)
    with _terminal_as_it_was():
        _start_keeper(cluster, host, idle, say)
    return connect(cluster, host), True


def _start_keeper(cluster: ClusterSettings, host: Host, idle: float, say: Callable[[str], None]) -> None:
    from runner.process.background import start_background

    root = str(Path(__file__).resolve().parents[2])
    keeper = start_background([sys.executable, "-I", "-c", _KEEPER, root], env=host.environ, errors_apart=False)
    assert keeper.stdin and keeper.stdout
    asked = {"cluster": asdict(cluster), "interactive": host.interactive, "idle": idle}
    odd: list[str] = []
    try:
        keeper.stdin.write(json.dumps(asked).encode() + b"\n")
        for line in iter(keeper.stdout.readline, b""):
            event = _event(line)
            if event is None:
                odd.append(line.decode("utf-8", "replace").rstrip())
            elif "say" in event:
                say(event["say"])
            elif "failed" in event:
                raise (Busy if event.get("busy") else LoginFailed)(event["failed"], event["cure"])
            elif "ready" in event:
                keeper.returncode = 0  # it is nobody's child from now on
                return
        raise LoginFailed(f"the keeper of the login ended: {odd[-1] if odd else 'it said nothing'}", "Try once more.")
    finally:
        keeper.stdin.close()  # a login that is not made by now is given up at this
        keeper.stdout.close()
        if keeper.returncode is None:
            keeper.wait()


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


@contextlib.contextmanager
def _terminal_as_it_was() -> Any:
    """A question of ssh that is broken off must not leave a terminal that shows nothing of what is typed."""
    if sys.platform == "win32" or not sys.stdin or not sys.stdin.isatty():
        yield
        return
    import termios

    before = termios.tcgetattr(0)
    try:
        yield
    finally:
        with contextlib.suppress(termios.error):
            termios.tcsetattr(0, termios.TCSADRAIN, before)


def log_out(cluster: ClusterSettings, host: Host) -> bool:
    """End a login; False where none was open. Returns once its keeper is gone."""
    from runner.process.identity import is_alive, process_started

    try:
        remote = connect(cluster, host)
    except NotLoggedIn:
        return False
    with remote:
        pid = remote.keeper()["pid"]
        started = process_started(pid)
        remote.keeper("close")
    deadline = time.monotonic() + 10
    while is_alive(pid, started) and time.monotonic() < deadline:
        time.sleep(0.02)
    return True
