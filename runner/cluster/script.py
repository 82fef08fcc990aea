"""The scripts that a scheduler starts: an environment that is written down, then one worker."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import runner
from runner.environments.quoting import quote_posix
from runner.ground.files import write_atomic

# Of the submitting shell, what programs and environments are found by; nothing of what it has loaded goes along.
_HANDED_ON = re.compile(
    r"PATH|LANG|LC_\w+|TZ|RUN_PIPELINE_\w+|UV_\w+|CONDA_EXE|MAMBA_EXE|MAMBA_ROOT_PREFIX|SSL_CERT_(FILE|DIR)|MODULEPATH"
    r"|(?i:https?_proxy|no_proxy)"
)


def script_text(
    words: Sequence[str], environ: Mapping[str, str], own: Mapping[str, str], modules: Sequence[str]
) -> str:
    """`words` are of the shell already. `environ`: the submitting shell's, `own`: what the site file adds."""
    shell = "#!/bin/bash -l" if modules else "#!/bin/sh"  # `module` is a function of login shells
    given = {name: value for name, value in environ.items() if _HANDED_ON.fullmatch(name)} | dict(own)
    lines = [f"export {name}={quote_posix(value)}" for name, value in sorted(given.items())]
    lines += [f"module load {quote_posix(name)} || exit 1" for name in modules]
    home = Path(runner.__file__).resolve().parent.parent
    lines += [f"cd {quote_posix(str(home))} || exit 1", f"exec {' '.join(words)}"]
    return "\n".join([shell, *lines, ""])


def worker_words(record: Path, *arguments: str) -> list[str]:
    """The command line of a worker, for the shell; `arguments` are as they are to stand there."""
    return [quote_posix(sys.executable), "-m", "runner", "worker", quote_posix(str(record)), *arguments]


def write_script(path: Path, text: str) -> None:
    """Raises StateError."""
    write_atomic(path, text.encode("utf-8", "surrogateescape"))
    path.chmod(0o755)
