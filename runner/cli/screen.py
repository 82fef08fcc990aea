"""Standard output and error: what is printed after their reader has gone is dropped, in every command alike."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import Any

# a closed pipe (Windows says EINVAL), a terminal that is gone
_GONE = {errno.EPIPE, errno.EIO, *([errno.EINVAL] if sys.platform == "win32" else [])}
# what a locale decides besides letters: numbers with a comma, say
_BUT_CTYPE = ("LC_NUMERIC", "LC_TIME", "LC_COLLATE", "LC_MONETARY", "LC_MESSAGES")


class _Descriptor(io.FileIO):
    """Never fails: a command goes on and ends with its own exit status, whoever still listens."""

    problem: OSError | None = None  # why something was lost that somebody waits for: a full disk

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in _GONE:
                self.problem = error
            return memoryview(data).nbytes


def speak_utf8() -> None:
    """Go on in UTF-8, with all segments, where the locale is another one: a pipeline's names are UTF-8 on disk."""
    if sys.platform == "win32" or sys.getfilesystemencoding() == "utf-8" or not sys.executable:
        return
    environ = dict(os.environ)
    if everything := environ.pop("LC_ALL", ""):
        environ |= dict.fromkeys(_BUT_CTYPE, everything)
    environ["LC_CTYPE"] = "UTF-8" if sys.platform == "darwin" else "C.UTF-8"
    # our own lines suit the terminal as it says it is
    own = ["-X", "utf8", *([f"-Xscreen={sys.stdout.encoding}"] if sys.stdout else [])]
    os.execve(sys.executable, [sys.executable, *own, *sys.orig_argv[1:]], environ)


def guard() -> list[_Descriptor]:
    """Put both streams on such descriptors; a Windows console stays as it is."""
    # a file of ours must not become "standard output" because that was closed
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < 3:
        pass
    os.close(descriptor)
    encoding = sys._xoptions.get("screen")
    guarded = []
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed, or a service
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
        if not isinstance(stream, io.TextIOWrapper) or (sys.platform == "win32" and stream.isatty()):
            continue
        raw = _Descriptor(stream.fileno(), "w", closefd=False)
        text = io.TextIOWrapper(
            io.BufferedWriter(raw),
            encoding if isinstance(encoding, str) else stream.encoding,
            stream.errors,
            line_buffering=stream.line_buffering,
        )
        setattr(sys, name, text)
        guarded.append(raw)
    return guarded


def lost(guarded: list[_Descriptor]) -> str:
    """After everything was printed: why some of it was lost, "" when nothing was."""
    sys.stdout.flush()
    sys.stderr.flush()
    problem = next((raw.problem for raw in guarded if raw.problem), None)
    return (problem.strerror or str(problem)) if problem else ""
