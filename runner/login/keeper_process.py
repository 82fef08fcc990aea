"""The process of a keeper, which stays in the background when `run-pipeline login` has ended.

It gets what to do as a line of JSON on its standard input, tells of the login on its standard output, a line each, and
gives up where that input ends before the login is made.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import threading
from collections.abc import Mapping
from typing import Any

from runner.errors import Busy, RunnerError
from runner.host import this_host
from runner.login.keeper import Keeper, tell
from runner.login.ssh import ssh_argv
from runner.login.store import Endpoint, Last, Store
from runner.process.background import Background, leave_terminal, start_background
from runner.site_file import ClusterSettings
from runner.state.locks import LockFile


def _give_up_alone(ssh: Background, made: threading.Event) -> None:
    """Whoever asks for the login is gone: Ctrl-C, or a closed window."""
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    if not made.is_set():
        ssh.kill()


def main() -> None:
    """`python -c "from runner.login.keeper_process import main; main()"`, started by `run-pipeline login`."""
    asked = json.loads(sys.stdin.buffer.readline())
    cluster, host = _cluster(asked["cluster"]), this_host(interactive=asked["interactive"])
    store = Store(host, cluster.name)
    try:
        store.make()
        with LockFile(store.lock, f"the login to {cluster.name}").acquire(wait=0):
            _keep(cluster, store, ssh_argv(cluster, host), float(asked["idle"]))
    except Busy as error:
        tell({"failed": error.message, "cure": error.cure, "busy": True})
    except RunnerError as error:
        tell({"failed": error.message, "cure": error.cure})
    except OSError as error:
        tell({"failed": f"ssh could not be started: {error}", "cure": "Check `ssh` in the site file."})


def _cluster(told: Mapping[str, Any]) -> ClusterSettings:
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in told.items()}
    return ClusterSettings(**values)


def _keep(cluster: ClusterSettings, store: Store, argv: list[str], idle: float) -> None:
    ssh = start_background(argv)
    made = threading.Event()
    threading.Thread(target=_give_up_alone, args=(ssh, made), daemon=True).start()
    keeper = Keeper(cluster, store, ssh, idle)
    if not keeper.log_in():
        return
    with socket.socket() as listener:
        if sys.platform == "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen(32)
        store.write_endpoint(Endpoint(listener.getsockname()[1], keeper.token, os.getpid()))
        store.write_last(Last(keeper.heard, 0.0, ""))
        made.set()
        tell({"ready": keeper.hello})
        leave_terminal()
        _let_go()
        keeper.serve(listener)


def _let_go() -> None:
    """Of the streams of who started us, and of the folder."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (1, 2):
        os.dup2(nothing, stream)
    os.chdir(os.path.expanduser("~"))  # noqa: PTH111
