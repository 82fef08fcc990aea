"""Why a segment's program failed, as its own last words tell: Python's traceback, or the line of an argument parser."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

from runner.ground.text import decoded

_TAIL = 128 * 1024  # bytes of the log that are looked at
_BEHIND = 25  # lines that may follow the traceback: a program that went on for long did not end because of it
_LONGEST = 240  # characters of a message

_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
_TRACEBACK = re.compile(r"[\s|+]*(?:Exception Group )?Traceback \(most recent call last\):")
_FRAME = re.compile(r"\s+(?:\|\s+)*File \"(?P<file>.+)\", line (?P<line>\d+)(?:, in .*)?")
_RAISED = re.compile(r"(?P<name>(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*)(?::\s?(?P<message>.*))?")
_USAGE = re.compile(r"(?:usage: )?[^\s:]+: error: (?P<message>.+)")
_NOT_THEIRS = re.compile(r"[/\\](?:site|dist)-packages[/\\]|[/\\]lib[/\\]python3\.\d+[/\\]|\\Lib\\|^<")

# What an error says -> what to do. The first that fits.
_CURES: tuple[tuple[str, str], ...] = (
    (
        r"CUDA out of memory|CUDA error: out of memory|cudaErrorMemoryAllocation",
        "The memory of the GPU ran out: use smaller images, tiles or batches, and close what else uses the GPU.",
    ),
    (
        r"^\S*MemoryError|Unable to allocate|bad_alloc|DefaultCPUAllocator: not enough memory|WinError (?:8|1455)\b",
        "Memory ran out: use smaller images or fewer processes at once, or close other programs.",
    ),
    (
        r"BrokenProcessPool|terminated abruptly",
        "One of its processes was ended from outside, most likely because memory ran out: use fewer at once.",
    ),
    (
        r"No space left on device|Errno 28\b|WinError 112\b|Disk quota exceeded|Errno 122\b",
        "The disk (or your share of it) is full: free space, then start again.",
    ),
    (
        r"WinError 32\b|being used by another process",
        "Another program has this file open (Excel? Fiji? a viewer?): close it, then start again.",
    ),
    (
        r"WinError (?:53|64|59|67)\b|Errno 116\b|Stale file handle|network (?:name|path)",
        "The network drive did not answer: see that it is there, then start again.",
    ),
    (
        r"libGL\.so\.1",
        "OpenCV wants a screen's library: install libgl1 on this machine, or use opencv-python-headless.",
    ),
    (r"DLL load failed", "A package is damaged or lacks a library of Windows (is the Visual C++ runtime installed?)."),
    (
        r"not compiled with CUDA|no kernel image|Found no NVIDIA driver|CUDA driver version is insufficient",
        "`run-pipeline doctor` says whether PyTorch can use the GPU, and what is missing.",
    ),
)
_MISSING = re.compile(r"^ModuleNotFoundError: No module named '(?P<module>[^'.]+)")


@dataclass(frozen=True)
class Cause:
    text: str  # "KeyError: 'channel' (raise.py line 3)"
    cure: str = ""


def cause_in(log: Path, how_to_add: Callable[[str], str]) -> Cause | None:
    """What the end of `log` names as the reason; None where it names none.

    `how_to_add` gives the cure for a module that is missing.
    """
    lines = last_lines(log, _TAIL)
    found = _traceback(lines) or _usage(lines)
    if found is None:
        return None
    error, place = found
    if missing := _MISSING.match(error):
        cure = how_to_add(missing["module"])
    else:
        cure = next((cure for pattern, cure in _CURES if re.search(pattern, error)), "")
    return Cause(_shortened(error) + place, cure)


def last_lines(log: Path, most: int) -> list[str]:
    """Of the last `most` bytes, as a screen would show them: colours left out, a progress bar in its last state."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - most))
            text = decoded(file.read())
    except OSError:
        return []
    text = _ESCAPES.sub("", text).replace("\r\n", "\n")
    return [line.rsplit("\r", 1)[-1].rstrip() for line in text.rstrip().split("\n")]


def _traceback(lines: Sequence[str]) -> tuple[str, str] | None:
    """The last exception, and the place in the user's own code where it came up."""
    start = next((n for n in range(len(lines) - 1, -1, -1) if _TRACEBACK.match(lines[n])), None)
    if start is None:  # a script that Python cannot even read has none
        start = len(lines) - 6 if lines and re.match("(Syntax|Indentation|Tab)Error", lines[-1]) else len(lines)
    frames: list[re.Match[str]] = []
    for number in range(max(0, start), len(lines)):
        line = lines[number]
        if frame := _FRAME.fullmatch(line):
            frames.append(frame)
        elif line and not line[0].isspace() and (raised := _RAISED.fullmatch(line)) and frames:
            if len(lines) - number > _BEHIND:
                return None
            return _with_message(raised, lines[number + 1 :]), _place(frames)
    return None


def _with_message(raised: re.Match[str], behind: Sequence[str]) -> str:
    """Some say what is wrong only in the line behind the name."""
    message = raised["message"] or ""
    if not message.strip() and raised[0].endswith(":") and behind:
        message = behind[0].strip()
    name = raised["name"].removeprefix("builtins.")
    return f"{name}: {message}" if message else name


def _place(frames: Sequence[re.Match[str]]) -> str:
    """The last frame in a file that is neither Python's nor a package's."""
    own = [frame for frame in frames if not _NOT_THEIRS.search(frame["file"])]
    frame = (own or frames)[-1]
    return f" ({PureWindowsPath(frame['file']).name} line {frame['line']})"


def _usage(lines: Sequence[str]) -> tuple[str, str] | None:
    """`prog: error: …`, as argparse ends."""
    match = _USAGE.fullmatch(lines[-1]) if lines else None
    return (match["message"], "") if match else None


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
