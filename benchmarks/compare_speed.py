"""How fast results are compared, as ratios in one run on one machine.

    uv run python benchmarks/compare_speed.py [equal] [labels] [large] [report] [--pairs N] [--side N]

equal   two folders of pairs of 2048 x 2048 TIFFs of 16 bit with the same values, packed otherwise in one of them:
        at most 1.5 x reading both with tifffile and numpy.array_equal alone
labels  label images of 2048 x 2048 with 2,000 objects: at most 0.5 s a pair
large   one pair of label images of 20,000 x 20,000: memory below 500 MB
report  1,000 pairs of images that differ: a report of less than 10 MB

Keep the rest of the machine quiet. The group `compare` must be prepared: run-pipeline env sync compare.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
PYTHON = REPO / ".venvs" / "compare" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
RUNNER = [sys.executable, "-m", "runner"]
ROUNDS = 5  # whose median is told

MAKE = """
import sys, numpy as np, tifffile
from pathlib import Path
what, a, b, count, side = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
for folder in (a, b): folder.mkdir()
rng = np.random.default_rng(0)
def cells(side, pitch=45):
    y, x = np.ogrid[:side, :side]
    inside = (y % pitch - pitch // 2) ** 2 + (x % pitch - pitch // 2) ** 2 < (pitch * 2 // 5) ** 2
    across = side // pitch + 1
    kind = np.uint16 if across * across < 65000 else np.uint32
    out = np.zeros((side, side), kind)
    for top in range(0, side, pitch):
        rows = slice(top, min(side, top + pitch))
        out[rows] = ((np.arange(side) // pitch + 1 + top // pitch * across) * inside[rows]).astype(kind)
    return out
for n in range(count):
    if what in ("equal", "bytes"):
        data = rng.integers(0, 4096, (side, side), np.uint16)
        tifffile.imwrite(a / f"{n:04d}.tif", data)
        tifffile.imwrite(b / f"{n:04d}.tif", data, **({} if what == "bytes" else {"description": "another program"}))
    elif what == "report":
        data = rng.normal(1000, 100, (side, side)).astype(np.uint16)
        tifffile.imwrite(a / f"{n:04d}.tif", data)
        data[n % side, :] += 500
        tifffile.imwrite(b / f"{n:04d}.tif", data)
    else:
        data = cells(side)
        tifffile.imwrite(a / f"{n:04d}_labels.tif", data, compression="zlib")
        changed = data.copy(); changed[::50] = 0
        tifffile.imwrite(b / f"{n:04d}_labels.tif", changed, compression="zlib")
print(int(data.max()), len(np.unique(data[: 2048])))
"""
ALONE = """
import sys, time, numpy as np, tifffile
from pathlib import Path
begin = time.perf_counter()
for one in sorted(Path(sys.argv[1]).iterdir()):
    assert np.array_equal(tifffile.imread(one), tifffile.imread(Path(sys.argv[2]) / one.name))
print(time.perf_counter() - begin)
"""


def python(code: str, *arguments: object) -> str:
    return subprocess.run(
        [PYTHON, "-c", code, *map(str, arguments)], check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def compare(a: Path, b: Path, *options: str) -> tuple[float, dict[str, object]]:
    """Seconds of the whole command, start of every process included, and what it told."""
    begin = time.perf_counter()
    done = subprocess.run([*RUNNER, "compare", str(a), str(b), "--json", *options], stdout=subprocess.PIPE, cwd=REPO)
    took = time.perf_counter() - begin
    return took, json.loads(done.stdout)


def program(a: Path, b: Path, folder: Path) -> float:
    """Seconds of the measuring program on all pairs, its start included."""
    jobs = [
        {"index": n, "name": p.name, "a": str(p), "b": str(b / p.name), "type": "image"}
        for n, p in enumerate(sorted(a.iterdir()))
    ]
    (folder / "jobs.json").write_text(json.dumps({"pairs": jobs}))
    script = REPO / "standard_code" / "python" / "compare_outputs.py"
    begin = time.perf_counter()
    subprocess.run(
        [PYTHON, script, "--jobs", folder / "jobs.json", "--results", folder / "results"], check=True,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return time.perf_counter() - begin


def equal(pairs: int, side: int) -> None:
    for what in ("equal", "bytes"):
        with tempfile.TemporaryDirectory() as folder:
            a, b = Path(folder) / "a", Path(folder) / "b"
            python(MAKE, what, a, b, pairs, side)
            times, verdicts = [], set()
            for _ in range(ROUNDS):  # in turn, so that what else the machine does meets both
                alone = float(python(ALONE, a, b))
                took, told = compare(a, b)
                times.append((took, alone))
                verdicts.add(told["same"])
            assert verdicts == {True}, told["verdict"]
            took, alone = (statistics.median(column) for column in zip(*times, strict=True))
            name = "same values, other bytes" if what == "equal" else "same bytes"
            print(f"{pairs} pairs, {name}: {took:.2f} s, {took / alone:.2f} x reading and array_equal ({alone:.2f} s)")


def labels(pairs: int, side: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        a, b = Path(folder) / "a", Path(folder) / "b"
        highest = python(MAKE, "labels", a, b, pairs, side).split()[0]
        before = os.times()
        took = program(a, b, Path(folder))
        after = os.times()
        busy = after.children_user + after.children_system - before.children_user - before.children_system
        print(
            f"{pairs} pairs of label images, numbers up to {highest}: {took / pairs:.3f} s a pair, "
            f"of the processor {busy / pairs:.3f} s"
        )


def large(side: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        a, b = Path(folder) / "a", Path(folder) / "b"
        highest = python(MAKE, "labels", a, b, 1, side).split()[0]
        took = time.perf_counter()
        jobs = [{"index": 0, "name": "0000_labels.tif", "a": str(a / "0000_labels.tif"),
                 "b": str(b / "0000_labels.tif"), "type": "image"}]  # fmt: skip
        (Path(folder) / "jobs.json").write_text(json.dumps({"pairs": jobs}))
        script = REPO / "standard_code" / "python" / "compare_outputs.py"
        watch = (
            "import resource, runpy, sys\nsys.argv = sys.argv[1:]\n"
            f"sys.path.insert(0, {str(script.parent)!r})\n"
            "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
            "except SystemExit as end: assert not end.code\n"
            "print('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        out = python(watch, script, "--jobs", Path(folder) / "jobs.json", "--results", Path(folder) / "results")
        took = time.perf_counter() - took
        peak = int(out.split("peak ")[1]) * (1 if sys.platform == "darwin" else 1024)
        said = json.loads((Path(folder) / "results").read_text())["said"]
        print(f"{side} x {side}, numbers up to {highest}: {took:.1f} s, peak {peak / 1e6:.0f} MB ({said[:60]} ...)")


def report(pairs: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        a, b = Path(folder) / "a", Path(folder) / "b"
        python(MAKE, "report", a, b, pairs, 256)
        took, _ = compare(a, b, "--report", str(Path(folder) / "report"))
        files = [p for p in (Path(folder) / "report").rglob("*") if p.is_file()]
        pictures = sum(p.suffix == ".webp" for p in files)
        print(f"{pairs} pairs that differ: {took:.1f} s, report {sum(p.stat().st_size for p in files) / 1e6:.1f} MB, "
              f"{pictures} pictures")  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", default=["equal", "labels", "large", "report"])
    parser.add_argument("--pairs", type=int, help="instead of 200, 10, 1 and 1,000")
    parser.add_argument("--side", type=int, help="pixels, instead of 2048 and 20,000")
    given = parser.parse_args()
    for part in given.parts:
        if part == "equal":
            equal(given.pairs or 200, given.side or 2048)
        elif part == "labels":
            labels(given.pairs or 10, given.side or 2048)
        elif part == "large":
            large(given.side or 20_000)
        elif part == "report":
            report(given.pairs or 1000)
