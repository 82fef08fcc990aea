"""A real sshd on the loopback, with a key of its own, a user's key and, where PAM can be had, a code as second factor.

The user is whoever runs the tests. Nothing of the system's settings is read or changed: as root, sshd lives in a mount
namespace of its own, where /run and /etc/pam.d are ours. `HOME` there is a folder of the test.
"""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
_PLACES = (*os.environ.get("PATH", "").split(os.pathsep), "/usr/sbin", "/usr/local/sbin")
_PAM = "/usr/lib/*/security/pam_google_authenticator.so"
_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {root}/host_key
PidFile {root}/sshd.pid
AuthorizedKeysFile {root}/authorized_keys
StrictModes no
PermitRootLogin yes
PasswordAuthentication no
PermitUserEnvironment no
PrintMotd no
SetEnv HOME={home}
LoginGraceTime 60
Subsystem sftp internal-sftp
UsePAM {pam}
KbdInteractiveAuthentication {pam}
AuthenticationMethods {methods}
"""
_CLIENT = """\
Host cluster
    HostName 127.0.0.1
    Port {port}
    User {user}
    IdentityFile {root}/key
    IdentitiesOnly yes
    UserKnownHostsFile {root}/known_hosts
    GlobalKnownHostsFile none
    LogLevel INFO
"""


def program(name: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join(_PLACES))


def missing(*, second_factor: bool = False) -> str:
    """Why there can be no such sshd here; "" where there can."""
    if sys.platform == "win32":
        return "no sshd of OpenSSH on Windows"
    for name in ("sshd", "ssh", "ssh-keygen"):
        if program(name) is None:
            return f"{name} is not there (Debian: openssh-server, openssh-client)"
    if os.geteuid() == 0 and not _namespaces():
        return "root may not make a mount namespace here"
    if not second_factor:
        return ""
    if program("oathtool") is None or not list(Path("/").glob(_PAM.lstrip("/"))):
        return "no oathtool or pam_google_authenticator (Debian: oathtool, libpam-google-authenticator)"
    return "" if os.geteuid() == 0 else "only root can tell PAM how to ask"


def _namespaces() -> bool:
    tool = program("unshare")
    return tool is not None and subprocess.run([tool, "-m", "true"], capture_output=True, check=False).returncode == 0


def code_now() -> str:
    """What the user's telephone shows."""
    found = subprocess.run(["oathtool", "--totp", "-b", SECRET], capture_output=True, text=True, check=True)
    return found.stdout.strip()


class Sshd:
    def __init__(self, root: Path, *, second_factor: bool = False, small: Path | None = None) -> None:
        self.root, self.second_factor = root, second_factor
        self.small = small  # root alone: a folder that is a disk of one MiB for those who log in
        self.home = root / "home there"
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def ssh(self) -> Path:
        """The user's ssh, which knows `cluster`."""
        return self.root / "ssh"

    def make(self) -> None:
        self.home.mkdir(parents=True)
        for name in ("host_key", "key"):
            self._keygen("-q", "-t", "ed25519", "-N", "", "-f", str(self.root / name))
        shutil.copy(self.root / "key.pub", self.root / "authorized_keys")
        for at in (self.root, self.home):  # sshd looks at them as the user
            at.chmod(0o755)
        self.ssh.write_text(f'#!/bin/sh\nexec "{program("ssh")}" -F "{self.root}/config" "$@"\n')
        self.ssh.chmod(0o755)

    def _keygen(self, *words: str) -> None:
        subprocess.run([program("ssh-keygen") or "ssh-keygen", *words], check=True, capture_output=True)

    def start(self) -> None:
        for _ in range(5):  # a port may be taken between the look and the start
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
            if self._started():
                return
        raise RuntimeError((self.root / "sshd.log").read_text())

    def _started(self) -> bool:
        user = getpass.getuser()
        methods = "publickey,keyboard-interactive" if self.second_factor else "publickey"
        pam = "yes" if self.second_factor else "no"
        text = _CONFIG.format(port=self.port, root=self.root, home=f'"{self.home}"', pam=pam, methods=methods)
        (self.root / "sshd_config").write_text(text)
        (self.root / "config").write_text(_CLIENT.format(port=self.port, root=self.root, user=user))
        key = (self.root / "host_key.pub").read_text().split()[:2]
        (self.root / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {' '.join(key)}\n")
        words = [str(program("sshd")), "-D", "-e", "-f", str(self.root / "sshd_config")]
        with (self.root / "sshd.log").open("wb") as log:
            self._process = subprocess.Popen(
                self._apart(words), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        return self._listens()

    def _apart(self, words: list[str]) -> list[str]:
        """As root: with a /run/sshd, and with a question for the code, that nobody else sees."""
        if os.geteuid() != 0:
            return words
        lines = ["mount -t tmpfs tmpfs /run", "mkdir -m 755 /run/sshd"]
        if self.second_factor:
            secret, pam = self.root / "code_secret", self.root / "pam.d"
            secret.write_text(f'{SECRET}\n" TOTP_AUTH\n')
            secret.chmod(0o400)
            pam.mkdir(exist_ok=True)
            (pam / "sshd").write_text(
                f"auth required pam_google_authenticator.so secret={secret}\n"
                "account required pam_permit.so\nsession required pam_permit.so\n"
            )
            lines.append(f'mount --bind "{pam}" /etc/pam.d')
        if self.small:
            self.small.mkdir(parents=True, exist_ok=True)
            lines.append(f'mount -t tmpfs -o size=1m tmpfs "{self.small}"')
        lines.append('exec "$@"')
        return [str(program("unshare")), "-m", "sh", "-ec", "\n".join(lines), "sh", *words]

    def _listens(self) -> bool:
        assert self._process
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self._process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return True
            time.sleep(0.02)
        self.stop()
        return False

    def stop(self) -> None:
        """It and all its connections."""
        if self._process is None:
            return
        for pid in [*self.connections(), self._process.pid]:
            for number in (signal.SIGCONT, signal.SIGKILL):
                with_no_error(lambda pid=pid, number=number: os.kill(pid, number))  # type: ignore[misc]
        self._process.wait()
        self._process = None

    def connections(self) -> list[int]:
        """The processes of sshd that serve somebody."""
        import psutil

        assert self._process
        from tests.support.going import name_of

        children = psutil.Process(self._process.pid).children(recursive=True)
        return [child.pid for child in children if name_of(child) == "sshd"]


def with_no_error(action: Callable[[], object]) -> None:
    with suppress(OSError):
        action()


@contextmanager
def running(root: Path, *, second_factor: bool = False, small: Path | None = None) -> Iterator[Sshd]:
    sshd = Sshd(root, second_factor=second_factor, small=small)
    sshd.make()
    try:
        sshd.start()
        yield sshd
    finally:
        sshd.stop()
