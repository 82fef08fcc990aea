"""`environment: cmd`: one line for the system's shell (cmd.exe on Windows, a login bash elsewhere).

A first entry that is a string is the user's own shell text and stays as it is. Later entries are arguments,
quoted where the shell would take them for something else; only a word that is an operator (`>`, `&&`) stays bare,
as pipeline files for the Go runner rely on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runner.environments import Kind, Request, Site, words
from runner.environments.python_words import python_prints_utf8
from runner.environments.quoting import quote_cmd, quote_posix
from runner.model import Command, EnvironmentSpec, Finding, ResolvedEntry

_OPERATORS = frozenset({">", ">>", "<", "|", "||", "&", "&&", "2>", "2>>", "2>&1", "1>&2", ">&2", ";"})


def check(spec: EnvironmentSpec, entries: Sequence[ResolvedEntry], site: Site) -> list[Finding]:
    """The shell is missing, there is nothing to run, or a word cannot be put on one line for cmd.exe."""
    if not any(word.strip() for word in words(entries)):
        return [Finding("the segment has no command", "Add the line to run under `commands:`.", "commands")]
    if not site.host.windows:
        if site.host.which("bash") is None:
            cure = "Install bash, or start the program from a uv or conda environment instead of `cmd`."
            return [Finding("`environment: cmd` needs bash, which was not found on PATH", cure)]
        return []
    found = []
    for word in words(entries):
        if any(sign in word for sign in "\r\n\0"):
            cure = "Take the line break out of it, or pass the text in a file."
            found.append(Finding(f"cmd.exe cannot take a line break inside an argument: {word!r}", cure, "commands"))
    return found


def wrap(request: Request, site: Site) -> Command:
    """`bash -lc LINE`, or `cmd /C LINE` with the line handed over byte for byte."""
    cwd, env = request.cwd, request.env
    line = shell_line(request.entries, windows=site.host.windows)
    # a Python on that line holds back what it prints into a pipe
    live = {} if "PYTHONUNBUFFERED" in site.host.environ else {"PYTHONUNBUFFERED": "1"}
    live |= python_prints_utf8(site.host)
    if not site.host.windows:
        # a login shell's profile would undo what modules changed
        return Command(("bash", "-c" if request.loaded else "-lc", line), cwd, env, live)
    if cwd.startswith("\\\\") and not request.dry:
        site.notes.add(
            f"cmd.exe cannot work in a network folder: its line runs in the folder of Windows and not in {cwd}; "
            "`cwd:` names another one, and a drive letter for the share helps too"
        )
    # with /S cmd.exe takes off exactly the outer two quotes, whatever is between them; with /D it runs no AutoRun of
    # the user's first (a `cd`, say, or a message), which the same line on another computer would lack
    program = site.host.environ.get("COMSPEC") or "cmd.exe"
    raw = f'"{program}" /D /S /C "{line}"'
    return Command(("cmd", "/C", line), cwd, env, live, raw_command_line=raw)


def fingerprint(spec: EnvironmentSpec, entries: Sequence[ResolvedEntry], site: Site) -> Mapping[str, object]:
    """Only the name of the shell: what it starts is the machine's own."""
    return {"kind": "shell", "shell": "cmd" if site.host.windows else "bash"}


def shell_line(entries: Sequence[ResolvedEntry], *, windows: bool) -> str:
    """The entries as one line for cmd.exe (`windows`) or bash."""
    quote = quote_cmd if windows else quote_posix
    parts = []
    for place, entry in enumerate(entries):
        if isinstance(entry, str):
            own_text = place == 0 or entry in _OPERATORS
            parts.append(entry if own_text else quote(entry))
        else:
            parts += [quote(word) for word in words([entry])]
    return " ".join(parts)


KIND = Kind(check, wrap, fingerprint, in_shell=True)
