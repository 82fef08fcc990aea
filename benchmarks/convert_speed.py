"""convert_to_tif on 1 GB of planes, against reading and writing the same file with tifffile alone.

    uv run --only-group convert_to_tif python benchmarks/convert_speed.py [PLANES] [TIMES]

Each row uses the same compression on both sides; at least 0.8 x tifffile's rate is asked for. Medians, taken in turns,
so that both sides see the same machine. Values are like a camera's: a smooth image with noise.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tifffile

REPO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPO / "standard_code" / "python"))
import convert_to_tif  # noqa: E402
from _program.files import Job  # noqa: E402

SIDE = 1024  # pixels; a plane of 16 bits has 2 MiB


def planes(count: int):
    """Planes of a time series."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE]
    smooth = 500 + 400 * np.sin(x / 90) * np.sin(y / 70)
    noise = random.normal(0, 20, (8, SIDE, SIDE))
    for number in range(count):
        yield (np.roll(smooth, number, 0) + noise[number % 8]).astype(np.uint16)


def make(path: Path, count: int, compression: str | None) -> None:
    tifffile.imwrite(
        path, planes(count), shape=(count, SIDE, SIDE), dtype=np.uint16, ome=True, metadata={"axes": "TYX"},
        compression=compression, predictor=bool(compression),
    )  # fmt: skip


def with_tifffile(source: Path, target: Path, compression: str | None) -> None:
    tifffile.imwrite(
        target, tifffile.imread(source), ome=True, metadata={"axes": "TYX"}, compression=compression,
        predictor=bool(compression), photometric="minisblack",
    )  # fmt: skip


def with_program(source: Path, target: Path, compression: str | None) -> None:
    words = ["--input-search-pattern", str(source), "--output-folder", str(target.parent)]
    args = convert_to_tif.arguments().parse_args([*words, "--compression", compression or "none"])
    convert_to_tif.convert(Job(source, target, Path()), args)


def seconds(action, *arguments) -> tuple[float, float]:  # type: ignore[no-untyped-def]
    """By the clock, and of the processor; what was written before is on the disk first."""
    if hasattr(os, "sync"):
        os.sync()
    begin, worked = time.perf_counter(), time.process_time()
    action(*arguments)
    return time.perf_counter() - begin, time.process_time() - worked


def compare(folder: Path, count: int, times: int, compression: str | None) -> None:
    source, target = folder / "source.ome.tif", folder / "result.ome.tif"
    make(source, count, compression)
    sides = {"tifffile": with_tifffile, "convert_to_tif": with_program}
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for turn in range(times + 1):  # the first of each does not count
        for name in list(sides)[:: 1 if turn % 2 else -1]:
            target.unlink(missing_ok=True)
            taken[name].append(seconds(sides[name], source, target, compression))
    (alone, alone_cpu), (ours, ours_cpu) = (
        [statistics.median(pair[place] for pair in pairs[1:]) for place in (0, 1)] for pairs in taken.values()
    )
    size = count * SIDE * SIDE * 2 / 1e6
    print(
        f"{compression or 'none':<5} tifffile alone {size / alone:5.0f} MB/s, convert_to_tif {size / ours:5.0f} MB/s: "
        f"{alone / ours:.2f} x its rate by the clock; processor {alone_cpu:.2f} s and {ours_cpu:.2f} s",
        flush=True,
    )


def main() -> None:
    words = sys.argv[1:]
    count, times = int(words[0]) if words else 512, int(words[1]) if len(words) > 1 else 3
    print(f"{count} planes of {SIDE} x {SIDE}, {count * SIDE * SIDE * 2 / 1e9:.2f} GB, median of {times}")
    with tempfile.TemporaryDirectory() as folder:
        for compression in (None, "zlib"):
            compare(Path(folder), count, times, compression)


if __name__ == "__main__":
    main()
