"""The files of a kind below a folder; what is a copy, or no work of the lab's, is passed over."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from runner.records.layout import FOLDER

# .venvs: environments of the runner, and what it noted down of conda's
_SKIPPED = frozenset({".git", ".venvs", FOLDER, "node_modules", "__pycache__"})
YAML = (".yaml", ".yml")
# what may start a pipeline or make an environment; "" for Dockerfile, Makefile, Snakefile, .env and the like
SCRIPTS = (
    "", ".cpu", ".cuda", ".dev", ".gpu",  # Dockerfile.gpu
    ".ahk", ".bash", ".bat", ".cmd", ".conf", ".cwl", ".def", ".desktop", ".dockerfile", ".groovy", ".ijm", ".ini",
    ".ipynb", ".job", ".jl", ".js", ".json", ".lnk", ".m", ".mk", ".nf", ".pbs", ".pl", ".ps1", ".psm1", ".py", ".pyw",
    ".r", ".rb", ".sbatch", ".service", ".sh", ".slurm", ".smk", ".sub", ".url", ".vbs", ".wdl", ".xml", ".zsh",
)  # fmt: skip
_ENVIRONMENT = ("pyvenv.cfg", "conda-meta")
_RUN = "run.json"  # beside it lies the copy of the pipeline as it was run


def files_below(
    folder: Path,
    endings: Sequence[str] = YAML,
    *,
    hidden: bool = False,
    linked: bool = False,
    failed: Callable[[OSError], None] | None = None,
) -> Iterator[Path]:
    """In order, at any depth. `hidden`: in hidden folders too; `linked`: behind links to folders too, each once.

    `failed` hears of folders that cannot be read.
    """
    seen: set[str] = set()
    for here, folders, names in os.walk(folder, followlinks=linked, onerror=failed):
        real = os.path.realpath(here)
        if real in seen or _RUN in names or any(one in names or one in folders for one in _ENVIRONMENT):
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(one for one in folders if one not in _SKIPPED and (hidden or not one.startswith(".")))
        for name in sorted(names):
            path = Path(here, name)
            if path.suffix.lower() in endings and (hidden or not name.startswith(".")) and _is_file(path):
                yield path


def _is_file(path: Path) -> bool:
    """Also a link that leads nowhere: what it leads to elsewhere is not known to be none."""
    return path.is_file() or (path.is_symlink() and not path.exists())


def first_link(path: Path, top: Path) -> Path | None:
    """The link on the way from `top` to `path`; of a path elsewhere only the file itself is looked at."""
    is_junction: Callable[[Path], bool] = getattr(os.path, "isjunction", lambda _: False)
    inside = [one for one in (path, *path.parents) if one.is_relative_to(top) and one != top] or [path]
    return next((one for one in reversed(inside) if one.is_symlink() or is_junction(one)), None)
