"""What of a conda environment counts for the program of another: its variables and libraries, and not its Python.

Activation alone makes its programs known. They find their libraries by themselves; a Python of another environment
finds them where the system's loader looks: LD_LIBRARY_PATH, on macOS behind its own places, on Windows PATH, which
activation has set.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath

from runner.environments.leaks import is_outer_prefix
from runner.host import Host

# what programs ask to find this environment (cuda-pathfinder, say, or conda itself); all other notes of conda's name
# its own Python or what was active before
_TELLING = ("CONDA_PREFIX", "CONDA_DEFAULT_ENV", "CONDA_SHLVL")
_LIBRARY_PATHS = {"linux": "LD_LIBRARY_PATH", "darwin": "DYLD_FALLBACK_LIBRARY_PATH"}
# what the loader of macOS takes where the variable is not set
_DARWIN = ("/usr/local/lib", "/usr/lib")


def without_python(environ: Mapping[str, str], prefix: PurePath, host: Host) -> tuple[dict[str, str], dict[str, str]]:
    """The variables of an activated environment with its libraries, and those that tell of the environment alone.

    PYTHONPATH and its like, whoever set them, are for the environment above to drop: see `leaks`.
    """
    telling = {name: environ[name] for name in _TELLING if name in environ}
    # nor may it be taken for one that is active around the runner
    gone = {name for name in environ if name.startswith(("CONDA_", "_CE_")) or is_outer_prefix(name)}
    kept = {name: value for name, value in environ.items() if name not in gone}
    return kept | libraries(kept, prefix, host), telling


def libraries(environ: Mapping[str, str], prefix: PurePath, host: Host) -> dict[str, str]:
    """The variable of the loader's places with the environment's own; nothing where a script has seen to it."""
    name = _LIBRARY_PATHS.get(host.platform)
    if name is None:
        return {}
    folder = str(prefix / "lib")
    given = [part for part in environ.get(name, "").split(":") if part]
    if folder in given:
        return {}
    return {name: ":".join([folder, *(given or (_DARWIN if host.platform == "darwin" else ()))])}
