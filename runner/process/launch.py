"""From a command to what the system is asked to start: environment, program, command line, and why it failed."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import PureWindowsPath

from runner.frozen import frozen
from runner.model import Command

MARKER = "RUN_PIPELINE_TREE"
_PATHEXT = ".COM;.EXE;.BAT;.CMD"
# https://learn.microsoft.com/windows/win32/api/processthreadsapi/nf-processthreadsapi-createprocessw, lpCommandLine
_WINDOWS_LONGEST = 32766
_CMD_LONGEST = 8191


class StartError(Exception):
    """Why a program could not be started, in plain words."""


@frozen
class Launch:
    """What `subprocess.Popen` gets."""

    args: list[str] | str
    executable: str | None = None


def new_marker(environ: Mapping[str, str]) -> str:
    """A unique name for a process tree; of a runner inside a runner, the outer one's name and its own."""
    own = os.urandom(8).hex()
    outer = environ.get(MARKER)
    return f"{outer}/{own}" if outer else own


def carries(value: str | None, marker: str) -> bool:
    """Whether a process whose MARKER is `value` belongs to the tree `marker`, or to one started inside it."""
    return bool(marker) and value is not None and (value == marker or value.startswith(marker + "/"))


def child_environ(environ: Mapping[str, str], command: Command, platform: str) -> dict[str, str]:
    """The caller's environment, less `unset`, then `activation`, then `env`; names in any case on Windows."""
    if platform != "win32":
        child = dict(environ)
        for name in command.unset:
            child.pop(name, None)
        child.update(command.activation)
        child.update(command.env)
        return child
    child = {}
    spelling: dict[str, str] = {}
    for name, value in environ.items():
        child[spelling.setdefault(name.upper(), name)] = value
    for name in command.unset:
        child.pop(spelling.pop(name.upper(), name), None)
    for name, value in (*command.activation.items(), *command.env.items()):
        child[spelling.setdefault(name.upper(), name)] = value
    return child


def launch_for(
    argv: Sequence[str],
    environ: Mapping[str, str],
    platform: str,
    *,
    cwd: str = "",
    raw_command_line: str | None = None,
    is_file: Callable[[str], bool] = os.path.isfile,
) -> Launch:
    """How to start `argv` on `platform`. Raises StartError."""
    if not argv or not argv[0]:
        raise StartError("There is nothing to start: the command is empty.")
    for text in (*argv, cwd):
        if "\0" in text:
            raise StartError(f"The command holds a NUL character, which no program can be given: {text!r}.")
    for name, value in environ.items():
        if "\0" in name + value:
            raise StartError(f"The environment variable {name!r} holds a NUL character.")
    if platform != "win32":
        return Launch(list(argv))
    program = find_on_windows(argv[0], environ, cwd, is_file)
    if program is None and argv[0].lower() in ("cmd", "cmd.exe"):
        program = _command_interpreter(environ)  # whatever became of PATH
    if program is None:
        raise StartError(_missing(argv[0], "win32"))
    if raw_command_line is not None:
        return _checked(Launch(raw_command_line, program))
    if is_batch(program):
        if cwd.startswith(("\\\\", "//")):
            raise StartError(
                f"{PureWindowsPath(program).name} is a batch file, which cannot work in the network folder {cwd}: "
                "Windows would start it in C:\\Windows. Map the share to a drive letter and use that."
            )
        return _checked(Launch(batch_command_line(program, argv[1:]), _command_interpreter(environ)))
    import subprocess

    return _checked(Launch(subprocess.list2cmdline([program, *argv[1:]]), program))


def _checked(launch: Launch) -> Launch:
    longest = _CMD_LONGEST if (launch.executable or "").lower().endswith("cmd.exe") else _WINDOWS_LONGEST
    if len(launch.args) > longest:
        raise StartError(
            f"The command line is {len(launch.args)} characters long; Windows allows {longest} here. "
            "Give the files by a folder or a search pattern instead of one by one."
        )
    return launch


def find_on_windows(
    name: str, environ: Mapping[str, str], cwd: str, is_file: Callable[[str], bool] = os.path.isfile
) -> str | None:
    """`name` through PATH and PATHEXT of the child's environment; the current folder only where it is written."""
    values = {key.upper(): value for key, value in environ.items()}
    extensions = [e for e in (values.get("PATHEXT") or _PATHEXT).split(";") if e]
    path = PureWindowsPath(name)
    given = path.suffix.lower() in {e.lower() for e in extensions}
    endings = ["", *extensions] if given else [*extensions, ""]
    if path.name != name:
        folders = [PureWindowsPath(cwd)]  # joining an absolute path gives that path
    else:
        folders = [PureWindowsPath(f.strip('"')) for f in values.get("PATH", "").split(";") if f.strip('" ')]
    for folder in folders:
        for ending in endings:
            candidate = f"{folder / path}{ending}"
            if is_file(candidate):
                return candidate
    return None


def is_batch(program: str) -> bool:
    """Whether Windows would hand `program` to cmd.exe; dots and blanks at the end do not hide it (CVE-2024-43402)."""
    return re.search(r"\.(bat|cmd)$", program.rstrip(". ").lower()) is not None


def batch_command_line(program: str, arguments: Sequence[str]) -> str:
    """The command line that gives a .bat or .cmd file its arguments unchanged (CVE-2024-24576).

    cmd.exe reads the line before the batch file does: a quote is doubled, and `%` is cut from a following name by
    an expansion that is always empty. Line ends and NUL cannot be written there at all: StartError.
    """
    if '"' in program or program.endswith("\\"):
        raise StartError(f"The batch file cannot be started because of its name: {program}")
    words = [f'"{program}"', *(_batch_word(program, a) for a in arguments)]
    return f'cmd.exe /e:ON /v:OFF /d /c "{" ".join(words)}"'


def _batch_word(program: str, word: str) -> str:
    if any(c in word for c in "\0\r\n"):
        raise StartError(
            f"{PureWindowsPath(program).name} is a batch file, which cannot be given a line break: {word!r}. "
            "Put the text on one line, or start the .exe behind the batch file."
        )
    # backslashes count only before a quote, and there twice
    text = re.sub(r'(\\*)"', r'\1\1""', word).replace("%", "%%cd:~,%")
    if word and re.fullmatch(r"[A-Za-z0-9#$*+\-./:?@\\_]*", word) and not word.endswith("\\"):
        return text
    slashes = text[len(text.rstrip("\\")) :]
    return f'"{text}{slashes}"'


def _command_interpreter(environ: Mapping[str, str]) -> str:
    values = {key.upper(): value for key, value in environ.items()}
    return str(PureWindowsPath(values.get("SYSTEMROOT") or r"C:\Windows") / "System32" / "cmd.exe")


def why_not_started(error: OSError, argv: Sequence[str], cwd: str, environ: Mapping[str, str], platform: str) -> str:
    """What the system's refusal to start `argv` means."""
    name = argv[0]
    code = getattr(error, "winerror", None)
    if code in (193, 216) or error.errno == errno.ENOEXEC:
        return f"{name} is not a program that this system can start (wrong format, or a script without its first line)."
    if code == 206 or error.errno == errno.E2BIG:
        return (
            f"The command line of {name} is too long for the system. "
            "Give the files by a folder or a search pattern instead of one by one."
        )
    if isinstance(error, FileNotFoundError):
        return _missing_interpreter(name, cwd, environ) or _missing(name, platform)
    if isinstance(error, NotADirectoryError):
        return _missing(name, platform)
    if isinstance(error, PermissionError):
        return f"{name} may not be started: it is not executable, or you lack the right to do so."
    if error.errno in (errno.EAGAIN, errno.ENOMEM):
        return f"{name} could not be started: the system has no memory or no process left to give ({error.strerror})."
    return f"{name} could not be started: {error.strerror or error}."


def _missing(name: str, platform: str) -> str:
    separators = "/\\" if platform == "win32" else "/"
    if any(s in name for s in separators):
        return f"The program {name} does not exist."
    return f"The program {name} was not found in any folder of PATH."


def _missing_interpreter(name: str, cwd: str, environ: Mapping[str, str]) -> str:
    """A script that is there, but names an interpreter that is not (an environment that was moved)."""
    import shutil

    found = os.path.join(cwd, name) if "/" in name else shutil.which(name, path=environ.get("PATH"))  # noqa: PTH118
    if not found:
        return ""
    try:
        with open(found, "rb") as stream:  # noqa: PTH123
            first = stream.readline(512)
    except OSError:
        return ""
    if not first.startswith(b"#!"):
        return f"{name} is there, but what it needs to be loaded is not (it was made for another system)."
    interpreter = first[2:].strip().decode("utf-8", "replace")
    return f"{name} is there, but its first line asks for {interpreter}, which is not. Was its environment moved?"
