"""Calls over an open login: commands and files of the cluster, each with a limit on how long it may stay silent."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, cast

from runner.errors import ExitCode, RunnerError, UsageError
from runner.host import Host
from runner.login import agent, door
from runner.login.store import Store
from runner.site_file import ClusterSettings

PATIENCE = 30.0  # seconds without a sign of life from the other end; it gives one every 5
_SLICE = 0.5  # seconds; Windows hears no Ctrl-C while it waits for a queue
Header = dict[str, Any]


class NotLoggedIn(UsageError):
    """No login is open, so nothing is known of the cluster but what was known before."""


class Lost(RunnerError):
    """The line is gone, or nobody answers at the other end. Jobs there go on."""

    exit_code = ExitCode.INTERNAL


class Refusal(RunnerError):
    """The other end could not do what it was asked to: `errno` as there, where the system said no."""

    exit_code = ExitCode.INTERNAL

    def __init__(self, message: str, cure: str, errno: int = 0) -> None:
        super().__init__(message, cure)
        self.errno = errno


def clock(seconds: float) -> str:
    """`14:02`, with the date where that is another one than today's."""
    told, now = time.localtime(seconds), time.localtime()
    return time.strftime("%H:%M" if told[:3] == now[:3] else "%Y-%m-%d %H:%M", told)


def unknown_since(cluster: ClusterSettings, store: Store) -> str:
    """Since when nothing is known, and why; "" where there never was a login."""
    last = store.read_last()
    if last is None:
        return ""
    why = f" ({last.why})" if last.why else ""
    return f"nothing is known of {cluster.name} since {clock(last.heard)}{why}; jobs there go on"


def connect(cluster: ClusterSettings, host: Host, *, patience: float = PATIENCE) -> Remote:
    """Raises NotLoggedIn."""
    store = Store(host, cluster.name)
    endpoint = store.read_endpoint()
    known = unknown_since(cluster, store)
    try:
        if endpoint is None:
            raise ConnectionRefusedError
        connection = door.enter(endpoint.port, endpoint.token)
    except OSError as error:
        raise NotLoggedIn(
            f"no login to {cluster.name} is open" + (f": {known}" if known else ""),
            f"Open one: run-pipeline login {cluster.name}",
        ) from error
    return Remote(cluster, connection, patience)


class Remote:
    """One connection to the keeper; several threads may call at once."""

    def __init__(self, cluster: ClusterSettings, connection: socket.socket, patience: float) -> None:
        self.cluster, self.patience = cluster, patience
        self._connection = connection
        self._stream = cast(BinaryIO, connection.makefile("rb"))
        self._lock = threading.Lock()
        self._next = 0
        self._answers: dict[int, queue.SimpleQueue[tuple[int, Header, bytes] | None]] = {}
        self._over = False
        self._heard = time.time()
        threading.Thread(target=self._listen, name=f"from {cluster.name}", daemon=True).start()

    def __enter__(self) -> Remote:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def _listen(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            while (frame := agent.read_frame(self._stream)) is not None:
                self._heard = time.time()
                if waiting := self._answers.get(frame[1]):
                    waiting.put((frame[0], frame[2], frame[3]))
        with self._lock:
            self._over = True
            for waiting in self._answers.values():
                waiting.put(None)
        self._stream.close()

    def call(self, header: Header, body: bytes = b"", **options: Any) -> Header:
        """A question with one answer."""
        return self.open(header, body, **options).end()

    def open(self, header: Header, body: bytes = b"", *, flags: int = agent.LAST, patience: float = 0) -> Call:
        answers: queue.SimpleQueue[tuple[int, Header, bytes] | None] = queue.SimpleQueue()
        with self._lock:
            self._next += 1
            number = self._next
            self._answers[number] = answers
            over = self._over
        call = Call(self, number, answers, patience or self.patience)
        if over:
            raise self.lost()
        call.write(header, body, flags)
        return call

    def keeper(self, op: str = "status") -> Header:
        """Asks the keeper itself, which answers also where the line is stuck."""
        return self.call({"op": op}, flags=agent.LAST | agent.KEEPER, patience=door.PATIENCE)

    def send(self, data: bytes) -> None:
        try:
            with self._lock:
                self._connection.sendall(data)
        except OSError as error:
            raise self.lost() from error

    def forget(self, number: int) -> None:
        with self._lock:
            self._answers.pop(number, None)

    def lost(self, silent: float = 0) -> Lost:
        name = self.cluster.name
        what = (
            f"{name} has not answered for {silent:.0f} s"
            if silent
            else f"the line to {name} is gone"
        )  # fmt: skip
        return Lost(
            f"{what}: nothing is known of it since {clock(self._heard)}; jobs there go on",
            f"Look whether the network is there: run-pipeline login {name} --status. Then go on where it was:"
            f" run-pipeline login {name}",
        )

    def refusal(self, answer: Mapping[str, Any]) -> Refusal:
        import errno

        code, path = answer.get("errno") or 0, answer.get("path") or ""
        at = f" {path}" if path else ""
        if code in (errno.ENOSPC, errno.EDQUOT):
            return Refusal(
                f"{self.cluster.name}: the disk (or your quota on it) is full:{at or ' ' + self.cluster.folder}",
                "Free some space there and start again: what arrived stays there.",
                code,
            )
        if code in (errno.EACCES, errno.EPERM, errno.EROFS):
            return Refusal(
                f"{self.cluster.name}: no permission:{at or ' ' + self.cluster.folder}",
                f"Name a folder that you may write to as `folder` in [clusters.{self.cluster.name}] of the site file.",
                code,
            )
        return Refusal(
            f"{self.cluster.name}: {answer['error']}{':' + at if at else ''}", "Look there by hand with ssh.", code
        )

    # --- what is asked

    def ping(self) -> None:
        self.call({"op": "ping"})

    def run(
        self,
        argv: Sequence[str],
        *,
        cwd: str = "",
        env: Mapping[str, str] | None = None,
        stdin: bytes = b"",
        output: Callable[[int, bytes], None] = lambda which, data: None,
        keep: bool = False,
        grace: float = 10.0,
    ) -> int:
        """A command's exit code; its output goes to `output` as it comes (1: standard output, 2: standard error).

        `keep`: it goes on where the line breaks. Ctrl-C ends it there, first kindly. Raises Lost, Refusal.
        """
        header = {"op": "run", "argv": list(argv), "cwd": cwd, "env": dict(env or {}), "keep": keep}
        call = self.open(header, stdin)
        while True:
            try:
                for told, data in call.parts():
                    output(told["out"], data)
                code = call.answer["code"]
                assert isinstance(code, int)
                return code
            except KeyboardInterrupt:
                call.write({"stop": grace}, b"", 0)
                grace = 0.0  # asked twice


class Call:
    """A question under way."""

    def __init__(
        self,
        remote: Remote,
        number: int,
        answers: queue.SimpleQueue[tuple[int, Header, bytes] | None],
        patience: float,
    ) -> None:
        self._remote, self._number, self._answers, self._patience = remote, number, answers, patience
        self.answer: Header = {}

    def write(self, header: Header, body: bytes, flags: int) -> None:
        self._remote.send(agent.pack(flags, self._number, header, body))

    def next(self) -> tuple[int, Header, bytes]:
        """Raises Lost, Refusal."""
        deadline = time.monotonic() + self._patience
        while True:
            try:
                found = self._answers.get(timeout=_SLICE)
                break
            except queue.Empty:
                if time.monotonic() > deadline:
                    self._remote.forget(self._number)
                    raise self._remote.lost(self._patience) from None
        if found is None:
            raise self._remote.lost()
        if found[0] & agent.LAST:
            self._remote.forget(self._number)
            self.answer = found[1]
            if "error" in found[1]:
                raise self._remote.refusal(found[1])
        return found

    def part(self) -> tuple[Header, bytes] | None:
        """The next part of the answer; None at its end, which is then in `answer`."""
        while True:
            flags, header, body = self.next()
            if flags & agent.LAST:
                return None
            if "alive" not in header:
                return header, body

    def parts(self) -> Iterator[tuple[Header, bytes]]:
        """All parts, each acknowledged once it was dealt with."""
        while (found := self.part()) is not None:
            yield found
            self.write({"ack": 1}, b"", 0)

    def end(self) -> Header:
        for _ in self.parts():
            pass
        return self.answer
