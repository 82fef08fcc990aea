"""Compiles the packages of an environment of a store; run by that environment's own Python, with nothing of ours.

    python -I -S -B compiling.py POOL ENVIRONMENT

uv's own way writes the place of each source into what it compiles, so that ten environments have ten copies. Here the
place is that below site-packages (an import puts the real one in), and equal files are second names of one in POOL.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import importlib.util
import os
import py_compile
import sys
from functools import partial
from pathlib import Path

# no source is read at a start, or asked for its time, which a copy changes
_UNCHECKED = py_compile.PycInvalidationMode.UNCHECKED_HASH
_MOST = 8  # at once: a login node is not ours alone


def main(pool: str, environment: str) -> None:
    libraries = [*Path(environment).glob("lib/python*/site-packages"), *Path(environment).glob("Lib/site-packages")]
    done: list[str] = []
    with concurrent.futures.ProcessPoolExecutor(min(_MOST, os.cpu_count() or 1)) as workers:
        for library in libraries:
            compiled = partial(_compiled, Path(pool) / (sys.implementation.cache_tag or "other"), library)
            done += workers.map(compiled, library.rglob("*.py"), chunksize=32)
    print(f"compiled {done.count('new')} files; {done.count('shared')} more are shared with other environments")


def _compiled(pool: Path, library: Path, source: Path) -> str:
    """One that cannot be compiled, or not be written, is left to its import."""
    name = str(source.relative_to(library))
    target = Path(importlib.util.cache_from_source(str(source)))
    new = target.with_name(f"{target.name}.new")
    try:
        digest = hashlib.sha256(os.fsencode(name) + b"\0" + source.read_bytes()).hexdigest()
        shared = pool / digest[:2] / f"{digest[2:40]}.pyc"
        target.parent.mkdir(exist_ok=True)
        try:
            os.link(shared, new)
            how = "shared"
        except OSError:
            py_compile.compile(str(source), str(new), name, doraise=True, invalidation_mode=_UNCHECKED)
            _share(new, shared)
            how = "new"
        new.replace(target)
        return how
    except (OSError, ValueError, SyntaxError, RecursionError, py_compile.PyCompileError):
        return ""


def _share(compiled: Path, shared: Path) -> None:
    try:
        shared.parent.mkdir(parents=True, exist_ok=True)
        os.link(compiled, shared)
    except OSError:
        pass  # no such links there, another user's folder, or somebody was faster


if __name__ == "__main__":
    main(*sys.argv[1:])
