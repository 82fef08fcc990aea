"""The scripts that a scheduler starts: an environment that is written down, then one worker."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import runner
from runner.environments.leaks import LEAKS
from runner.environments.quoting import quote_posix
from runner.errors import UsageError
from runner.ground.files import write_atomic

# Of the submitting shell, what programs and environments are found by; nothing of what it has loaded goes along.
_HANDED_ON = re.compile(
    r"PATH|HOME|USER|LOGNAME|LANG|LC_\w+|TZ|RUN_PIPELINE_\w+|UV_\w+|XDG_(CACHE|CONFIG|DATA)_HOME|CONDA_EXE|MAMBA_EXE"
    r"|MAMBA_ROOT_PREFIX|SSL_CERT_(FILE|DIR)|MODULEPATH|MODULES_CMD|LMOD_CMD|(?i:https?_proxy|no_proxy)"
)
# a script lies on a share, where others may read it
_SECRET = re.compile(r"(?i:password|passwd|token|secret|credential|username|_KEY$)")
_PASSWORD_IN = re.compile(r"://[^/\s]*@")
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})")
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_MISSING = 3  # what is missing on the node is no failure of an item
# where Environment Modules and Lmod say what `module` is: a job's shell is no login shell
_INITS = (
    '"${MODULESHOME:-/none}/init/bash"',
    '"${LMOD_PKG:-/none}/init/bash"',
    *("/etc/profile.d/modules.sh", "/etc/profile.d/lmod.sh", "/etc/profile.d/z00_lmod.sh"),
    *("/usr/share/modules/init/bash", "/usr/share/Modules/init/bash", "/usr/share/lmod/lmod/init/bash"),
)


def script_text(
    words: Sequence[str], environ: Mapping[str, str], own: Mapping[str, str], modules: Sequence[str]
) -> str:
    """`words` are of the shell already, the first one is a program. `environ`: the submitting shell's, `own`: what the
    site file adds; a variable in it that only the node has is put in there. Raises UsageError."""
    given = {
        name: value
        for name, value in environ.items()
        if _HANDED_ON.fullmatch(name) and not _SECRET.search(name) and not _PASSWORD_IN.search(value)
    }
    lines = ["#!/bin/bash" if modules else "#!/bin/sh", *_umask(), f"unset {' '.join(LEAKS)}"]
    lines += [f"export {name}={quote_posix(value)}" for name, value in sorted(({"LANG": "C.UTF-8"} | given).items())]
    lines += [f"export {_checked(name)}={_on_the_node(value)}" for name, value in own.items()]
    lines.append(f'cannot() {{ echo "error: $(uname -n) $1" >&2; exit {_MISSING}; }}')
    lines += _loading(modules)
    home = str(Path(runner.__file__).resolve().parent.parent)
    lines += [
        f"cd {quote_posix(home)} || cannot {quote_posix(f'does not see {home}')}",
        f"[ -x {words[0]} ] || cannot 'does not see '{words[0]}",
        f"exec {' '.join(words)}",
    ]
    return "\n".join([*lines, ""])


def _umask() -> list[str]:
    """That of the person who submits: PBS gives a job another one."""
    try:
        found = re.search(r"(?m)^Umask:\s*(\d+)$", Path("/proc/self/status").read_text("ascii", "replace"))
    except OSError:
        found = None
    return [f"umask {found[1]}"] if found else []


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise UsageError(f"`environ` of the executor: {name!r} is no name of a variable", "Rename it.")
    return name


def _on_the_node(value: str) -> str:
    """The value for the shell, `$SLURM_JOB_ID` and its like left to it; one that is not set there ends the job."""
    parts, at = [], 0
    for found in _VARIABLE.finditer(value):
        parts += [value[at : found.start()], f"${{{found[1] or found[2]}:?is not set on this node}}"]
        at = found.end()
    parts.append(value[at:])
    return "".join(f'"{part}"' if n % 2 else quote_posix(part) for n, part in enumerate(parts) if part) or "''"


def _loading(modules: Sequence[str]) -> list[str]:
    if not modules:
        return []
    search = f'for init in {" ".join(_INITS)}; do [ -r "$init" ] && . "$init" && break; done'
    loads = [
        f"module load {quote_posix(name)} || cannot {quote_posix(f'cannot load the module {name}')}" for name in modules
    ]
    # a segment with modules of its own starts from these, and not from none
    told = f"export RUN_PIPELINE_MODULES={quote_posix(' '.join(modules))}"
    return [f"type module >/dev/null 2>&1 || {search}", *loads, told]


def worker_words(record: Path, *arguments: str) -> list[str]:
    """The command line of a worker, for the shell; `arguments` are as they are to stand there."""
    return [quote_posix(sys.executable), "-m", "runner", "worker", quote_posix(str(record)), *arguments]


def write_script(path: Path, text: str) -> None:
    """Raises StateError."""
    write_atomic(path, text.encode("utf-8", "surrogateescape"))
    path.chmod(0o755)
