"""The door between this user's commands and the keeper: a port of 127.0.0.1 that opens to who knows the token.

Both sides prove it, by an HMAC over two numbers used once; the token itself is never sent. So neither another user of
the computer gets in, nor does a program that took the port after a keeper died get anything to hear.
"""

from __future__ import annotations

import hmac
import os
import socket
from collections.abc import Callable

_SIZE = 32
PATIENCE = 5.0  # seconds for the proof


class Refused(ConnectionError):
    """The other side does not know the token."""


def _proof(token: bytes, who: bytes, asked: bytes, answered: bytes) -> bytes:
    return hmac.digest(token, who + asked + answered, "sha256")


def admit(connection: socket.socket, token: bytes) -> None:
    """The keeper's side. Raises OSError, Refused."""
    connection.settimeout(PATIENCE)
    asked = os.urandom(_SIZE)
    connection.sendall(asked)
    answered, proof = _exactly(connection, _SIZE), _exactly(connection, _SIZE)
    if not hmac.compare_digest(proof, _proof(token, b"command", asked, answered)):
        raise Refused("wrong token")
    connection.sendall(_proof(token, b"keeper", asked, answered))
    _ready(connection)


def enter(port: int, token: bytes, connect: Callable[..., socket.socket] = socket.create_connection) -> socket.socket:
    """The command's side. Raises OSError, Refused."""
    connection = connect(("127.0.0.1", port), timeout=PATIENCE)
    try:
        asked, answered = _exactly(connection, _SIZE), os.urandom(_SIZE)
        connection.sendall(answered + _proof(token, b"command", asked, answered))
        if not hmac.compare_digest(_exactly(connection, _SIZE), _proof(token, b"keeper", asked, answered)):
            raise Refused("another program listens there")
        _ready(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _ready(connection: socket.socket) -> None:
    connection.settimeout(None)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise Refused("it hung up")
        data += part
    return data
