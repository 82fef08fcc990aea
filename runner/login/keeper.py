"""The keeper of a login: it holds the ssh process and lets this user's commands use it, many at once.

It ends with ssh, by --close, or after a time without use.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import socket
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any, BinaryIO, cast

from runner.errors import RunnerError
from runner.login import agent, door
from runner.login.ssh import NOISE, agent_source, why_ended
from runner.login.store import Last, Store
from runner.process.background import Background, TooLong
from runner.site_file import ClusterSettings

_MOST_NOISE = 1 << 20  # bytes of what a login shell prints before the agent speaks
_GRACE = 2.0  # seconds for ssh to end by itself
NOTED_EVERY = 10.0  # seconds between two notes of when the other end was last heard


class _Client:
    """One command of this user; what goes to it waits in a queue, so that a slow one holds up no other."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.outgoing: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.numbers: dict[int, int] = {}  # its own number of a request -> the agent's

    def write(self) -> None:
        with contextlib.suppress(OSError):
            while (data := self.outgoing.get()) is not None:
                self.connection.sendall(data)
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


class Keeper:
    def __init__(self, cluster: ClusterSettings, store: Store, ssh: Background, idle: float) -> None:
        self.cluster, self.store, self.ssh, self.idle = cluster, store, ssh, idle
        assert ssh.stdin and ssh.stdout and ssh.stderr
        self.sink, self.source = ssh.stdin, cast(BinaryIO, _buffered(ssh.stdout))
        self.token = os.urandom(32)
        self.since = self.heard = self.used = time.time()
        self.hello: dict[str, Any] = {}
        self.said = ""  # the end of what ssh wrote on standard error
        self.why = ""
        self._errors = threading.Thread(target=self._hear_errors, daemon=True)
        self._over = threading.Event()
        self._next = 0
        self._owners: dict[int, tuple[_Client, int]] = {}
        self._lock = threading.Lock()  # of numbers and owners
        self._writing = threading.Lock()

    # --- login

    def log_in(self) -> bool:
        """Send the agent, and wait for its word; False where ssh ends before it."""
        self._errors.start()
        threading.Thread(target=self._to_agent, args=(agent_source(),), daemon=True).start()
        noise: list[bytes] = []
        size = 0
        for line in iter(self.source.readline, b""):
            if line.rstrip(b"\r\n") == agent.MAGIC:
                frame = agent.read_frame(self.source)
                if frame is None:
                    break
                self.hello = frame[2]
                return True
            noise.append(line)
            size += len(line)
            if size > _MOST_NOISE:
                self.said = NOISE
                self.ssh.kill()
                break
        code = self._ended()
        what, cure = why_ended(code, self.said, self.cluster, noise)
        tell({"failed": what, "cure": cure})
        return False

    def _hear_errors(self) -> None:
        assert self.ssh.stderr
        while data := os.read(self.ssh.stderr.fileno(), 4096):
            text = data.decode("utf-8", "replace")
            self.said = (self.said + text)[-4000:]
            tell({"say": text})

    def _ended(self) -> int | None:
        """ssh's exit code; it is ended where it does not end. By then all that it said is known."""
        try:
            code = self.ssh.wait(_GRACE)
        except TooLong:
            self.ssh.kill()
            code = self.ssh.wait()
        self._errors.join(1.0)  # what it left running may hold the pipe open
        return code

    # --- while it is open

    def serve(self, listener: socket.socket) -> None:
        threading.Thread(target=self._welcome, args=(listener,), daemon=True).start()
        for work in (self._watch, self._read, self._wait_for_ssh):
            threading.Thread(target=work, daemon=True).start()
        self._over.wait()
        self._finish()

    def _read(self) -> None:
        try:
            while (raw := agent.read_raw(self.source)) is not None:
                self.heard = time.time()
                self._hand_on(*raw)
        except (OSError, ValueError) as error:
            self.why = self.why or f"what came over the line was no answer ({error})"
        self._over.set()

    def _wait_for_ssh(self) -> None:
        """What ssh started (a ProxyCommand) may hold its pipe open when it has ended."""
        self.ssh.wait()
        self._over.wait(1.0)
        self._over.set()

    def _hand_on(self, flags: int, number: int, head: bytes, body: bytes) -> None:
        with self._lock:
            client, own = self._owners.get(number, (None, 0))
            if client and flags & agent.LAST:
                self._owners.pop(number, None)
                client.numbers.pop(own, None)
        if client:
            client.outgoing.put(agent.pack_raw(flags, own, head, body))

    def _finish(self) -> None:
        with contextlib.suppress(OSError):
            self.sink.close()
        code = self._ended()
        lines = self.said.strip().splitlines()
        why = self.why or (lines[-1] if lines else f"ssh ended with exit code {code}")
        with contextlib.suppress(RunnerError, OSError):
            self.store.write_last(Last(self.heard, time.time(), why))
            self.store.forget_endpoint(self.token)
        with self._lock:
            clients = {client for client, _ in self._owners.values()}
        for client in clients:
            client.outgoing.put(None)
        time.sleep(0.05)  # for what is still on its way to them

    def _welcome(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._client, args=(connection,), daemon=True).start()

    def _client(self, connection: socket.socket) -> None:
        try:
            door.admit(connection, self.token)
        except OSError:
            connection.close()
            return
        client = _Client(connection)
        threading.Thread(target=client.write, daemon=True).start()
        stream = connection.makefile("rb")
        with contextlib.suppress(OSError, ValueError):
            while (raw := agent.read_raw(cast(BinaryIO, stream))) is not None:
                self.used = time.time()
                self._pass_on(client, *raw)
        client.outgoing.put(None)
        with self._lock:
            left = list(client.numbers.values())
            for number in left:
                self._owners.pop(number, None)
        for number in left:
            self._to_agent(agent.pack(agent.LAST, number, {"gone": 1}))
        stream.close()
        connection.close()

    def _pass_on(self, client: _Client, flags: int, own: int, head: bytes, body: bytes) -> None:
        if flags & agent.KEEPER:
            client.outgoing.put(agent.pack(agent.LAST, own, self._asked(json.loads(head))))
            return
        with self._lock:
            number = client.numbers.get(own)
            if number is None:
                self._next += 1
                number = client.numbers[own] = self._next
                self._owners[number] = (client, own)
        self._to_agent(agent.pack_raw(flags, number, head, body))

    def _asked(self, header: Mapping[str, Any]) -> dict[str, Any]:
        """A question to the keeper itself; it is answered also where the line is stuck."""
        if header.get("op") == "close":
            self.why = "closed"
            threading.Thread(target=self._close, daemon=True).start()
        return {
            "since": self.since, "heard": self.heard, "pid": os.getpid(), "ssh": self.ssh.pid, "hello": self.hello,
            "host": self.cluster.host, "folder": self.cluster.folder,
        }  # fmt: skip

    def _close(self) -> None:
        time.sleep(0.05)  # the answer goes first
        with contextlib.suppress(OSError):
            self.sink.close()  # the agent ends at that, and ssh with it
        for end in (self.ssh.terminate, self.ssh.kill):  # where the line is stuck
            if self._over.wait(_GRACE):
                return
            end()

    def _to_agent(self, data: bytes) -> None:
        with self._writing, contextlib.suppress(OSError, ValueError):
            view = memoryview(data)
            while view:
                view = view[self.sink.write(view) or 0 :]

    def _watch(self) -> None:
        noted = time.time()
        while not self._over.wait(min(1.0, self.idle / 4)):
            if time.time() - noted > NOTED_EVERY:
                noted = time.time()
                with contextlib.suppress(RunnerError, OSError):
                    self.store.write_last(Last(self.heard, 0.0, ""))
                    if not self.store.endpoint.exists():
                        self.why = "its notes were removed, so that nobody could use it any more"
            with self._lock:
                if self._owners:
                    self.used = time.time()
            if time.time() - self.used > self.idle:
                self.why = "nobody had used it for a while"
            if self.why:
                self._close()
                return


def _buffered(stream: Any) -> Any:
    import io

    return io.BufferedReader(stream, agent.CHUNK)


def tell(event: Mapping[str, Any]) -> None:
    """To who started us; nobody listens after the login."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.write(json.dumps(event) + "\n")
        sys.stdout.flush()
