"""What a program prints, as text: UTF-8, and whatever is none as Windows' old code page 1252."""

from __future__ import annotations

import codecs

_ERRORS = "run-pipeline-cp1252"


def _as_cp1252(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error(_ERRORS, _as_cp1252)


def decoded(data: bytes | bytearray) -> str:
    """`data` as text."""
    return data.decode("utf-8", _ERRORS)


def decoder() -> codecs.IncrementalDecoder:
    """For output that comes in chunks: a character may be cut between two of them."""
    return codecs.getincrementaldecoder("utf-8")(_ERRORS)
