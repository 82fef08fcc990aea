"""Runs lines of bash once and reads back the variables that they leave, apart from all that they print."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

from runner.frozen import frozen
from runner.host import Captured, Host

# {mark} keeps what is printed out of the answer, and tells on both streams where it belongs;
# $0 is found before a line can change PATH
_BASH = (
    'run_pipeline_at() {{ printf "\\0{mark}%s\\0" "$1"; printf "\\0{mark}%s\\0" "$1" >&2; }}; '
    '{text}; printf "\\0{mark}\\0"; exec "$0" {options}'
)
_ENV = "-0"
# macOS takes DYLD_ variables from its own programs, such as /usr/bin/env, which knows no -0 in older versions
_PYTHON = '-I -S -c \'import os,sys;sys.stdout.buffer.write(b"\\0".join(k+b"="+v for k,v in os.environb.items()))\''
# a shell's own, and no part of what is wanted
_SHELLS_OWN = ("_", "SHLVL", "PWD", "OLDPWD")


@frozen
class Sourced:
    """`printed` and `complained` (standard error) by what `run_pipeline_at` was told last."""

    after: dict[str, str] | None  # the variables; None where a line ended the shell
    printed: dict[str, str]
    complained: dict[str, str]
    answer: Captured

    def said(self, where: str) -> str:
        return self.printed.get(where, "") + self.complained.get(where, "")


def sourced(
    text: str, words: Sequence[str], environ: Mapping[str, str], host: Host, *, timeout: float
) -> Sourced | None:
    """What `text` does to `environ`; in it `words` are $1, $2 …, and names begin with run_pipeline_. None: no bash."""
    bash = host.which("bash")
    program, options = (sys.executable, _PYTHON) if host.platform == "darwin" else (host.which("env"), _ENV)
    if bash is None or program is None:
        return None
    # BASH_ENV would source a file of the user's first
    given = {name: value for name, value in environ.items() if name not in ("BASH_ENV", "ENV")}
    mark = f"run_pipeline_{os.urandom(8).hex()}"  # no digit first: printf would take it for a part of \0
    line = _BASH.format(mark=mark, text=text, options=options)
    got = host.capture([bash, "--noprofile", "--norc", "-c", line, program, *words], env=given, timeout=timeout)
    printed, complained = _sections(got.stdout, mark), _sections(got.stderr, mark)
    answer = printed.pop("", None)
    if got.code != 0 or answer is None:
        return Sourced(None, printed, complained, got)
    after = {}
    for entry in answer.split("\0"):
        name, equals, value = entry.partition("=")
        if equals and not name.startswith("BASH_FUNC_"):
            after[name] = value
    if options == _PYTHON and "LC_CTYPE" not in environ:
        after.pop("LC_CTYPE", None)  # Python sets it for itself in the C locale (PEP 538)
    return Sourced(without_shell(after, environ), printed, complained, got)


def without_shell(after: Mapping[str, str], before: Mapping[str, str]) -> dict[str, str]:
    """`after` less what the shell itself changes, and less the names that we handed to it alone."""
    own = [name for name in after if name in _SHELLS_OWN or (name.startswith("RUN_PIPELINE_") and name not in before)]
    kept = {name: value for name, value in after.items() if name not in own}
    return {**kept, **{name: before[name] for name in _SHELLS_OWN if name in before}}


def shown(text: str) -> str:
    """What a program printed, for a message."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace").strip()


def _sections(output: bytes, mark: str) -> dict[str, str]:
    parts = output.decode("utf-8", "surrogateescape").split(f"\0{mark}")[1:]
    return {where: text for where, _, text in (part.partition("\0") for part in parts)}
