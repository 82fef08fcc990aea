"""Environments of a store, in one run on one machine: their first start where nobody may write, and their space.

    python benchmarks/store.py start [FOLDER]     # root on Linux: a read-only mount takes the place of a share
    python benchmarks/store.py disk [FOLDER]

`start`: scikit-image of the group segment_threshold, compiled in each way, and after a copy that keeps no times.
`disk`: the groups that ship, against the size of their distinct files. FOLDER (default: one that is removed) is on the
disk to be measured. Packages come from the index the first time.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from runner.environments.store import platform_folder
from runner.environments.uv.in_store import POOL
from runner.host import this_host

RUNNER = [sys.executable, "-m", "runner"]
GROUPS = (
    *("convert_to_tif", "segment_threshold", "mask_measure", "draw_outlines", "bioio", "bioio_czi", "bioio_bioformats"),
    *("compare", "bundle", "dev"),
)
IMPORTS = "import skimage.filters, skimage.measure, skimage.morphology, skimage.segmentation, skimage.io, scipy.ndimage"
MODES = ("TIMESTAMP", "CHECKED_HASH", "UNCHECKED_HASH")
COMPILE = "import compileall, py_compile, sys; m = py_compile.PycInvalidationMode[sys.argv[2]]; "
COMPILE += "compileall.compile_dir(sys.argv[1], quiet=3, force=True, invalidation_mode=m)"
TIMES = 9


def quietly(*argv: str | Path) -> None:
    subprocess.run([str(word) for word in argv], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def made(store: Path, groups: Sequence[str]) -> Path:
    """The folder of the environments of `groups` in a store."""
    os.environ.pop("UV_CACHE_DIR", None)
    quietly(*RUNNER, "env", "--store", store)
    for group in groups:
        quietly(*RUNNER, "env", "--store", store, "sync", group)
    return store / "environments" / platform_folder(this_host(interactive=False))


def start(folder: Path) -> None:
    (own,) = (path for path in made(folder / "store", GROUPS[1:2]).iterdir() if (path / "pyvenv.cfg").exists())
    ways: dict[str, Path] = {}
    for mode in ("none", *MODES):
        ways[mode] = folder / mode
        shutil.copytree(own, ways[mode], symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        if mode != "none":
            quietly(own / "bin/python", "-c", COMPILE, ways[mode] / "lib", mode)
            ways[f"{mode}, copied"] = folder / f"{mode} copied"
            shutil.copytree(ways[mode], ways[f"{mode}, copied"], symlinks=True, copy_function=shutil.copy)
    ways["as a store has it"] = own
    taken = {name: min([started(place, folder) for _ in range(TIMES + 1)][1:]) for name, place in ways.items()}
    cpu, wall = taken["as a store has it"]
    for name, (own_cpu, own_wall) in taken.items():
        print(
            f"{name:<24} CPU {own_cpu:5.2f} s, {own_cpu / cpu:4.1f} x; wall {own_wall:5.2f} s, {own_wall / wall:4.1f} x"
        )
    print(f"source files read with CHECKED_HASH at each start: {sources(own) / 1e6:.1f} MB")


def started(environment: Path, share: Path) -> tuple[float, float]:
    """CPU and wall time of one start on a mount that may only be read."""
    line = 'mount --bind -o ro "$1" "$1" && shift && exec "$@"'
    program = f"import time; t = time.perf_counter(); {IMPORTS}; print(time.process_time(), time.perf_counter() - t)"
    argv = ["unshare", "-m", "sh", "-c", line, "sh", str(share), str(environment / "bin/python"), "-c", program]
    cpu, wall = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split()
    return float(cpu), float(wall)


def sources(environment: Path) -> int:
    program = f"{IMPORTS}; import sys, os; print(sum(os.stat(m.__file__).st_size for m in list(sys.modules.values()) "
    program += "if getattr(m, '__file__', '') and 'site-packages' in m.__file__ and m.__file__.endswith('.py')))"
    answer = subprocess.run([environment / "bin/python", "-c", program], check=True, capture_output=True, text=True)
    return int(answer.stdout)


def disk(folder: Path) -> None:
    store = folder / "store"
    begin = time.perf_counter()
    environments = made(store, GROUPS)
    print(f"{len(GROUPS)} environments in {time.perf_counter() - begin:.0f} s")
    whole = sum(info.st_size for info in {(i.st_dev, i.st_ino): i for _, i in files(store)}.values())
    contents: dict[bytes, int] = {}
    known: dict[tuple[int, int], bytes] = {}
    total = 0
    for path, info in files(environments):
        if POOL in path.parts:
            continue
        total += info.st_size
        inode = (info.st_dev, info.st_ino)
        if inode not in known:
            known[inode] = hashlib.sha256(path.read_bytes()).digest()
        contents[known[inode]] = info.st_size
    distinct = sum(contents.values())
    print(f"the store with its cache {whole / 1e6:.0f} MB, distinct files of environments {distinct / 1e6:.0f} MB: "
          f"{whole / distinct:.2f} x; as copies {total / 1e6:.0f} MB: {total / distinct:.2f} x")  # fmt: skip


def files(top: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for root, _, names in os.walk(top):
        for name in names:
            path = Path(root, name)
            if not path.is_symlink():
                yield path, path.lstat()


if __name__ == "__main__":
    wanted, *given = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="run-pipeline-store-") as own:
        {"start": start, "disk": disk}[wanted](Path(given[0] if given else own).resolve())
