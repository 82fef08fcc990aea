"""What is written down about a login, in a folder that only the user can read: where its keeper listens, what is known.

No password, code or key is among it; the token opens the keeper of this computer and ends with it.
"""

from __future__ import annotations

import hashlib
import os
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from runner.errors import StateError
from runner.ground.files import state_error, write_atomic
from runner.ground.told import number, read_json, text, whole
from runner.host import Host

VARIABLE = "RUN_PIPELINE_STATE"


def state_folder(host: Host) -> Path:
    """Where this computer's user keeps what programs note for themselves."""
    if told := host.environ.get(VARIABLE):
        return Path(told)
    if host.windows:
        return Path(host.environ.get("LOCALAPPDATA") or str(host.home / "AppData" / "Local")) / "run-pipeline"
    if host.platform == "darwin":
        return Path(host.home) / "Library" / "Application Support" / "run-pipeline"
    return Path(host.environ.get("XDG_STATE_HOME") or str(host.home / ".local" / "state")) / "run-pipeline"


@dataclass(frozen=True)
class Endpoint:
    """Where a keeper listens."""

    port: int
    token: bytes
    pid: int


@dataclass(frozen=True)
class Last:
    """What is left of a login that ended."""

    heard: float  # when the other end last said anything
    ended: float  # 0: the keeper could not say
    why: str


def this_computer() -> str:
    return socket.gethostname()


class Store:
    """The files of one cluster's login; each computer that shares a home folder has its own, as it has its ports."""

    def __init__(self, host: Host, name: str) -> None:
        self.folder = state_folder(host) / "login"
        self._name = name
        own = f"{name}@{this_computer()}"
        self.endpoint = self.folder / f"{own}.json"
        self.lock = self.folder / f"{own}.lock"
        self.last = self.folder / f"{own}.last.json"

    def sent(self, base: str) -> Path:
        """Where it is noted what we put into the folder `base` there."""
        digest = hashlib.sha256(base.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        return self.folder / "sent" / f"{self._name}-{digest}.json"

    def make(self) -> None:
        """Raises StateError."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if sys.platform != "win32":  # there it lies in the user's own profile
                if self.folder.stat().st_uid != os.getuid():
                    raise StateError(f"{self.folder} belongs to somebody else", f"Set {VARIABLE} to a folder of yours.")
                self.folder.chmod(0o700)
        except OSError as error:
            raise state_error("write", self.folder, error) from error

    def write_endpoint(self, endpoint: Endpoint) -> None:
        self.make()
        data = f'{{"port": {endpoint.port}, "token": "{endpoint.token.hex()}", "pid": {endpoint.pid}}}\n'.encode()
        if not self.endpoint.exists():
            os.close(os.open(self.endpoint, os.O_CREAT | os.O_WRONLY, 0o600))  # its successors keep the mode
        else:
            self.endpoint.chmod(0o600)
        write_atomic(self.endpoint, data)

    def read_endpoint(self) -> Endpoint | None:
        told = read_json(self.endpoint) or {}
        port, token, pid = whole(told.get("port")), text(told.get("token")), whole(told.get("pid"))
        try:
            secret = bytes.fromhex(token or "")
        except ValueError:
            return None
        if not port or port > 65535 or len(secret) < 32 or pid is None:
            return None
        return Endpoint(port, secret, pid)

    def forget_endpoint(self, token: bytes) -> None:
        """Remove it, if it is that one."""
        found = self.read_endpoint()
        if found and found.token == token:
            self.endpoint.unlink(missing_ok=True)

    def write_last(self, last: Last) -> None:
        from runner.ground.told import write_json

        write_json(self.last, {"heard": last.heard, "ended": last.ended, "why": last.why})

    def read_last(self) -> Last | None:
        told = read_json(self.last) or {}
        heard = number(told.get("heard"))
        return None if heard is None else Last(heard, number(told.get("ended")) or 0.0, text(told.get("why")) or "")
