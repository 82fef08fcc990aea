"""The content hash of a segment: the same text under SHA-256 as the Go runner, so that finished stays finished."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from runner.go.text import go_text
from runner.model import Value


def content_hash(
    *,
    name: str,
    type: str,
    message: str = "",
    environment: str = "",
    distro: str = "",
    env: Sequence[tuple[str, Value]] = (),
    commands: Iterable[str | Iterable[tuple[Value, Value]]] = (),
    cwd: str = "",
) -> str:
    """SHA-256 in hexadecimal over what decides the result. Everything as written: tokens stay tokens.

    `type` is the file's text ("" where there is none). `timeout`, `retries`, `keep-going` and `outputs` say how a
    segment is looked after and not what it does, so they are no part of it.
    """
    parts = [f"name:{name}|type:{type}|msg:{message}|env:{environment}"]
    if distro.strip():
        parts.append(f"|linux:{distro.strip()}")
    parts.append("|cmds:")
    if env:
        parts.append("|envvars:" + _pairs(env))
    parts += (entry + "|" if isinstance(entry, str) else _pairs(entry) + "|" for entry in commands)
    if cwd:
        parts.append(f"|cwd:{cwd}")
    return hashlib.sha256("".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _pairs(items: Iterable[tuple[Value, Value]]) -> str:
    texts = [(go_text(key), go_text(value)) for key, value in items]
    if len(texts) > 1:
        texts.sort(key=lambda pair: pair[0].encode("utf-8", "surrogatepass"))
    return "".join(f"{key}={value};" for key, value in texts)
