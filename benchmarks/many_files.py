"""A run over many files beside GNU parallel and Snakemake: the same interpreter, script and files, in turn.

    uv run python benchmarks/many_files.py [items] [flat] [skip] [diamond] [segments] [peers]
        [--count N] [--rounds N] [--before run-pipeline] [--snakemake snakemake]

`--before` is the command of another checkout, which `segments` is compared with. Wall seconds count on a quiet machine
alone, so CPU seconds stand beside them, and what the load was.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.support.lab import Lab, segment, shell

RUNNER = str(Path(sys.executable).with_name("run-pipeline"))
TRIVIAL = """\
import sys
if sys.argv[-1].endswith(".txt"):
    with open(sys.argv[-1], "w") as file:
        file.write("done")
"""
BATCH = 100
SNAKEFILE = """\
NAMES = glob_wildcards("input/{name}.tif").name
rule all:
    input: expand("out/{name}.txt", name=NAMES)
rule one:
    input: "input/{name}.tif"
    output: "out/{name}.txt"
    shell: "'PYTHON' 'SCRIPT' {input:q} {output:q}"
"""


@dataclass(frozen=True)
class Took:
    """What a program took with all that it waited for; `memory` is that of the largest process."""

    wall: float
    cpu: float
    memory: float  # MB

    def __str__(self) -> str:
        return f"{self.wall:7.2f} s, {self.cpu:7.2f} CPU s, {self.memory:4.0f} MB"


def took(argv: Sequence[str], **options: Any) -> Took:
    begin = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(argv, stdout=said, stderr=said, **({"stdin": subprocess.DEVNULL} | options))
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            sys.exit(f"{argv} failed:\n{said.read()[-2000:].decode(errors='replace')}")
    return Took(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1e3)


def in_turn(actions: Mapping[str, Callable[[], Took]], rounds: int) -> dict[str, Took]:
    """Medians of so many rounds, all of the actions once in each."""
    found: dict[str, list[Took]] = {name: [] for name in actions}
    for _ in range(rounds):
        for name, action in actions.items():
            found[name].append(action())
    middle = statistics.median
    return {
        name: Took(middle(one.wall for one in all_), middle(one.cpu for one in all_), max(one.memory for one in all_))
        for name, all_ in found.items()
    }


def show(title: str, found: Mapping[str, Took]) -> None:
    """The first is ours: the others' times are set against it."""
    print(f"{title} (load {os.getloadavg()[0]:.1f})")
    ours = next(iter(found.values()))
    for name, one in found.items():
        beside = (
            "" if one is ours else f"; ours is {ours.wall / one.wall:.2f} x its time, {ours.cpu / one.cpu:.2f} x CPU"
        )
        print(f"  {name:<24} {one}{beside}", flush=True)


class Bench:
    """A laboratory with so many files, and a pipeline that goes over them."""

    def __init__(self, folder: Path, count: int, *words: str, **keys: Any) -> None:
        self.lab = Lab(folder).make()
        for number in range(count):
            file = self.lab.data / "input" / f"plate{number // 1000:03}" / f"image_{number:06}.tif"
            if number % 1000 == 0:
                file.parent.mkdir(parents=True)
            file.touch()
        self.script = self.lab.script("trivial.py", TRIVIAL)
        words = ("python", "%REPO%/scripts/trivial.py", *(words or ("%ITEM%",)))
        self.pipeline = self.lab.pipeline([segment("trivial", *words, foreach="%YAML%/input/**/*.tif", **keys)])
        first = self.lab.pipeline([segment("first", "python", "-c", "pass")], "first.yaml")
        self.lab.run(first)
        self.python = next(self.lab.repo.glob(".venvs/*/bin/python"))

    def ours(self, *words: str) -> Took:
        return ours(self.lab, self.pipeline, *words)

    def parallel(self, *words: str) -> Took:
        """The same interpreter, script and files."""
        argv = ["parallel", "-q", "-j2", str(self.python), str(self.script), "{}", *words]
        with tempfile.TemporaryFile("w+") as names:
            names.writelines(f"{path}\n" for path in sorted((self.lab.data / "input").rglob("*.tif")))
            names.seek(0)
            return took(argv, cwd=self.lab.data, stdin=names)

    def snakemake(self, program: str) -> Took:
        names = {"PYTHON": str(self.python), "SCRIPT": str(self.script)}
        text = SNAKEFILE
        for name, value in names.items():
            text = text.replace(name, value)
        (self.lab.data / "Snakefile").write_text(text, encoding="utf-8")
        return took([program, "--cores", "2", "--quiet", "all"], cwd=self.lab.data)


def ours(lab: Lab, pipeline: Path, *words: str, program: str = RUNNER) -> Took:
    return took([program, str(pipeline), *words], cwd=lab.root, env=lab.environ())


def items(told: argparse.Namespace, folder: Path) -> None:
    """Trivial items: at most 1.3 x GNU parallel."""
    bench = Bench(folder, told.count)
    actions = {"run-pipeline": partial(bench.ours, "--force"), "GNU parallel -j2": bench.parallel}
    show(f"{told.count:,} trivial items", in_turn(actions, told.rounds))


def flat(told: argparse.Namespace, folder: Path) -> None:
    """An item's cost, and memory, from 1,000 to 100,000; many to a start, so that the runner's own part is seen."""
    print(f"cost of an item, {BATCH} to a start (load {os.getloadavg()[0]:.1f})")
    for count in (1000, 10_000, 100_000):
        bench = Bench(folder / str(count), count, "%ITEMS%", batch=BATCH)
        nothing, all_ = bench.ours("--dry-run"), bench.ours("--force")
        each = (all_.cpu - nothing.cpu) / count * 1e3
        print(f"  {count:7,} items: {all_}, {each:.2f} CPU ms an item beyond the plan", flush=True)


def skip(told: argparse.Namespace, folder: Path) -> None:
    """Done items are passed over: 1 s for 10,000, 3 s for 100,000; one that is new among them costs no more."""
    for count in (10_000, 100_000):
        bench = Bench(folder / str(count), count)
        bench.ours("--accept")
        found = in_turn({"nothing to run": bench.ours}, told.rounds)
        for turn in range(told.rounds):
            (bench.lab.data / "input" / "plate000" / f"new_{turn}.tif").touch()
            found |= in_turn({"one new: the plan": partial(bench.ours, "--dry-run"), "one new: run": bench.ours}, 1)
        show(f"{count:,} items that are done", found)


def diamond(told: argparse.Namespace, folder: Path) -> None:
    """Four segments of a second each, two of them side by side: at most 0.1 s beyond their own login shells."""
    lab = Lab(folder).make()
    needs = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]}
    pipeline = lab.pipeline([shell(name, "sleep 1", needs=before) for name, before in needs.items()])
    one = 'bash -lc "sleep 1"'
    bare = partial(took, ["sh", "-c", f"{one}; {one} & {one}; wait; {one}"], cwd=lab.data, env=lab.environ())
    actions = {"run-pipeline": partial(ours, lab, pipeline, "--force"), "the shells alone": bare}
    show("a diamond of four segments of 1 s", in_turn(actions, 3))


def segments(told: argparse.Namespace, folder: Path) -> None:
    """Trivial segments one after the other, here and before; `--version` and a start with nothing to run too."""
    lab = Lab(folder).make()
    programs = {"run-pipeline": RUNNER} | ({"before": told.before} if told.before else {})
    bare = {"python -c pass": partial(took, [sys.executable, "-c", "pass"])}
    version = {name: partial(took, [program, "--version"]) for name, program in programs.items()}
    show("--version", in_turn(version | bare, 15))
    for count in (100, 1000):
        pipeline = lab.pipeline(
            [segment(f"segment {number}", "python", "-c", "pass") for number in range(count)], f"{count}.yaml"
        )
        forced = {name: partial(ours, lab, pipeline, "--force", program=program) for name, program in programs.items()}
        nothing = {name: partial(ours, lab, pipeline, program=program) for name, program in programs.items()}
        show(f"{count:,} trivial segments", in_turn(forced, told.rounds if count == 100 else 1))
        show(f"{count:,} segments that are done", in_turn(nothing, 9))


def peers(told: argparse.Namespace, folder: Path) -> None:
    """Each item makes one file. Everybody starts without any."""
    bench = Bench(folder, told.count, "%ITEM%", "%YAML%/out/%STEM%.txt", outputs="%YAML%/out/%STEM%.txt")
    out = bench.lab.data / "out"

    def anew(action: Callable[[], Took]) -> Took:
        shutil.rmtree(out, ignore_errors=True)
        shutil.rmtree(bench.lab.data / ".snakemake", ignore_errors=True)
        out.mkdir()
        found = action()
        made = sum(1 for _ in out.rglob("*.txt"))
        assert made == told.count, f"{made} files of {told.count}"
        return found

    actions: dict[str, Callable[[], Took]] = {
        "run-pipeline": partial(bench.ours, "--force"),
        "GNU parallel -j2": partial(bench.parallel, "out/{/.}.txt"),
    }
    if told.snakemake:
        actions["snakemake --cores 2"] = partial(bench.snakemake, told.snakemake)
    show(
        f"{told.count:,} items that make a file each",
        in_turn({name: partial(anew, action) for name, action in actions.items()}, told.rounds),
    )


PARTS = {part.__name__: part for part in (items, flat, skip, diamond, segments, peers)}

if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("parts", nargs="*", choices=[[], *PARTS], help="default: all")
    options.add_argument("--count", type=int, default=2000, help="items of `items` and `peers`")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--before", help="run-pipeline of another checkout")
    options.add_argument("--snakemake", help="its command, where it is to be beside ours")
    told = options.parse_args()
    for part in told.parts or PARTS:
        with tempfile.TemporaryDirectory() as folder:
            PARTS[part](told, Path(folder).resolve())
