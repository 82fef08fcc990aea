"""What an exit code means, in words for somebody who looks at images and not at processes."""

from __future__ import annotations

import signal as signals

from runner.ground.codes import explain_windows
from runner.ground.words import time_text

_POSIX_SIGNALS = {
    1: ("SIGHUP", "its terminal was closed"),
    2: ("SIGINT", "it was interrupted, as by Ctrl-C"),
    3: ("SIGQUIT", "it was told to quit"),
    4: ("SIGILL", "it crashed: this processor does not know an instruction that the program uses"),
    6: ("SIGABRT", "it gave up by itself (abort)"),
    8: ("SIGFPE", "it crashed: an impossible calculation, such as a whole number divided by zero"),
    9: ("SIGKILL", "it was killed"),
    11: ("SIGSEGV", "it crashed: segmentation fault. Often a broken or mixed-up package"),
    13: ("SIGPIPE", "what it wrote to was closed"),
    15: ("SIGTERM", "it was told to end"),
}
_OUT_OF_MEMORY = "most likely by the system, because memory ran out"


def explain(
    code: int | None,
    platform: str,
    *,
    signal: int | None = None,
    timed_out: bool = False,
    timeout: float | None = None,
    stopped: bool = False,
    reason: str = "",
    given_up: bool = False,
    out_of_memory: bool = False,
) -> str:
    """Plain words for how a process ended; "" for an exit code of 0 that nothing speaks against.

    `signal` is the one that ended it (POSIX); `out_of_memory`: the system ended some process for lack of memory
    meanwhile; `reason`: who asked to stop; `given_up`: not even the system could end it.
    """
    if given_up:
        return "It could not be ended: it hangs inside the system, most likely on a disk or a file server."
    if timed_out:
        limit = f" of {time_text(timeout)}" if timeout is not None else ""
        return f"It was stopped because it did not end within its time limit{limit}."
    if stopped:
        return f"It was stopped ({reason})." if reason else "It was stopped."
    if code is None or (code == 0 and signal is None):
        return ""
    if platform == "win32":
        return explain_windows(code)
    number = signal if signal is not None else _hidden_signal(code, platform)
    if number is None:
        return _posix_code(code, out_of_memory)
    name, meaning = _signal_words(number, platform)
    shown = name if signal is not None else f"exit code {code}, which stands for {name}"
    if number == 9 and out_of_memory:
        return f"It was killed ({shown}), {_OUT_OF_MEMORY}."
    if number == 9:
        return f"It was killed ({shown}) by another program, a person or the system (does it need too much memory?)."
    return f"{meaning[0].upper()}{meaning[1:]} ({shown})." + (_memory_note() if out_of_memory else "")


def _hidden_signal(code: int, platform: str) -> int | None:
    """The signal behind -n (Python) or 128+n (shells, uv); 255 is a common plain code."""
    if code < 0:
        return -code
    number = code - 128
    return number if number in _POSIX_SIGNALS or number == (10 if platform == "darwin" else 7) else None


def _signal_words(number: int, platform: str) -> tuple[str, str]:
    if number in _POSIX_SIGNALS:
        return _POSIX_SIGNALS[number]
    if number == (10 if platform == "darwin" else 7):
        return "SIGBUS", "it crashed: a file that it had mapped, or memory, could not be read (disk or quota full?)"
    if number == 24:
        return "SIGXCPU", "it used more processor time than it may"
    if number == 25:
        return "SIGXFSZ", "it wrote a file that is larger than it may be"
    try:
        name = signals.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    return name, "it was ended by a signal"


def _posix_code(code: int, out_of_memory: bool) -> str:
    text = f"It ended with exit code {code}."
    if code == 127:
        text = "It ended with exit code 127: a program that it wanted to start was not found."
    elif code == 126:
        text = "It ended with exit code 126: a program that it wanted to start may not be executed."
    return text + (_memory_note() if out_of_memory else "")


def _memory_note() -> str:
    return f" Meanwhile one of the machine's processes was killed, {_OUT_OF_MEMORY}."
