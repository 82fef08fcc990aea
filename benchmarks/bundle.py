"""A bundle of the shipped pipelines beside uv-pack and conda-pack on the same environments, all in one run.

    uv run python benchmarks/bundle.py [--rounds N] [--alone] [--pipelines FILE ...]

Making downloads once before, so that the network does not count. uv-pack (PyPI) makes a folder for one environment
at a time, without the interpreter here as in the bundle; conda-pack packs a conda environment that holds the same
packages. `floor` is what the goal for `unbundle` is measured by: the bundle's bytes unpacked by Python's zipfile,
then `uv venv` and `uv pip sync` of each environment, with nothing checked or compiled. pixi-pack is not on PyPI.
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
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from uv import find_uv_bin

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from runner.bundle.form import MANIFEST, Manifest, place_of, read_manifest
from tests.support.conda_channel import make_channel
from tests.support.real_conda import RealConda, own_conda

REPO = Path(__file__).resolve().parents[1]
RUNNER = str(Path(sys.executable).with_name("run-pipeline"))
UV = find_uv_bin()
PIPELINES = ("segment_er.yaml", "segment_threshold.yaml", "plot_sine.yaml")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--alone", action="store_true", help="Without uv-pack and conda-pack.")
    parser.add_argument("--pipelines", nargs="+", default=[str(REPO / "pipeline_configs" / one) for one in PIPELINES])
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        print(f"load {os.getloadavg()[0]:.1f}, medians of {asked.rounds}")
        bench = Bench(folder, asked.pipelines)
        bench.ours(asked.rounds)
        if not asked.alone:
            bench.uv_pack(asked.rounds)
            bench.conda_pack()
    return 0


class Bench:
    def __init__(self, folder: Path, pipelines: Sequence[str]) -> None:
        self.folder = folder
        self.pipelines = pipelines
        self.bundle = folder / "lab.bundle"
        self.make()  # fills the caches
        with zipfile.ZipFile(self.bundle) as archive:
            self.manifest: Manifest = read_manifest(archive.read(MANIFEST))
        self.groups = [one.text.removeprefix("uv:") for one in self.manifest.environments if one.text.startswith("uv:")]

    def make(self) -> None:
        call([RUNNER, "bundle", *self.pipelines, "-o", self.bundle])

    def ours(self, rounds: int) -> None:
        made = median(rounds, self.make, before=lambda: self.bundle.unlink())
        count = len(self.manifest.environments)
        print(f"bundle      {count} environments  {size(self.bundle)}  made in {made:6.1f} s, runner and uv in it")
        home = self.folder / "home"
        home.mkdir()
        target = self.folder / "there"

        def unbundle() -> None:
            call([sys.executable, self.bundle, target], env=dict(os.environ, HOME=str(home)))

        took = median(rounds, unbundle, before=lambda: shutil.rmtree(target, ignore_errors=True))
        cache = self.folder / "cache"

        def without_one() -> None:
            shutil.rmtree(cache, ignore_errors=True)

        cold = median(rounds, lambda: self.floor(target, cache), before=without_one)
        warm = median(rounds, lambda: self.floor(target, cache))
        print(f"unbundle    {took:6.1f} s, {took / warm:.2f} x the floor from a warm cache ({warm:.1f} s),")
        print(f"            {took / cold:.2f} x the same from the empty cache that it has itself ({cold:.1f} s)")

    def floor(self, unbundled: Path, cache: Path) -> None:
        """The lock files are those of `unbundled`, whose wheels they name."""
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            with zipfile.ZipFile(self.bundle) as archive:
                archive.extractall(name)
            environ = dict(os.environ, UV_CACHE_DIR=str(cache), UV_OFFLINE="1")
            locks = [path for path in self.manifest.files if path.endswith("/pylock.toml")]
            for lock in locks:
                venv = Path(name) / "venvs" / Path(lock).parent.name
                call([UV, "venv", "-q", "-p", sys.executable, venv], env=environ)
                call([UV, "pip", "sync", "-q", "-p", venv, unbundled / place_of(lock)], env=environ)

    def uv_pack(self, rounds: int) -> None:
        program = [UV, "tool", "run", "--python", sys.executable, "uv-pack", "--skip", "python"]

        def pack() -> None:
            for group in self.groups:
                words = ["-o", self.folder / "packs" / group, f"--uv-export=--only-group {group}"]
                call([*program, *words], cwd=REPO, env=dict(os.environ, PATH=f"{Path(UV).parent}:{os.environ['PATH']}"))

        pack()
        took = median(rounds, pack)
        packed = sum(path.stat().st_size for path in (self.folder / "packs").rglob("*") if path.is_file())
        print(f"uv-pack     {len(self.groups)} environments  {packed / 1e6:6.0f} MB  made in {took:6.1f} s, no hashes")

    def conda_pack(self) -> None:
        """Once: packing takes minutes."""
        shared = self.folder / "shared"
        shared.mkdir()
        conda = own_conda(self.folder / "conda", self.folder / "conda-home", shared)
        channel = make_channel(self.folder / "channel")
        packed, took = 0, 0.0
        for group in self.groups:
            prefix = self.conda_environment(conda, channel, group)
            out = self.folder / f"{group}.tar.gz"
            words = ["--from", "conda-pack", "conda-pack", "-q", "--ignore-missing-files", "-p", prefix, "-o", out]
            begin = time.perf_counter()
            call([UV, "tool", "run", "--with", "setuptools", *words])
            took += time.perf_counter() - begin
            packed += out.stat().st_size
        print(f"conda-pack  {len(self.groups)} environments  {packed / 1e6:6.0f} MB  made in {took:6.1f} s, no hashes")

    def conda_environment(self, conda: RealConda, channel: Path, group: str) -> Path:
        prefix = conda.create(group, "python", channel=channel)
        wanted = self.folder / f"{group}.txt"
        call([UV, "export", "-q", "--frozen", "--only-group", group, "--no-header", "-o", wanted], cwd=REPO)
        site = next(prefix.glob("lib/python3*/site-packages"))
        call([UV, "pip", "install", "-q", "-p", sys.executable, "--no-deps", "--target", site, "-r", wanted], cwd=REPO)
        return prefix


def call(argv: Sequence[object], **options: object) -> None:
    """Ends the benchmark with what a program said where it fails."""
    done = subprocess.run(list(map(str, argv)), capture_output=True, encoding="utf-8", **options)  # type: ignore[call-overload]
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, argv))}\n{done.stdout}\n{done.stderr}")


def median(rounds: int, action: Callable[[], None], before: Callable[[], None] = lambda: None) -> float:
    """Seconds."""
    found = []
    for _ in range(rounds):
        before()
        begin = time.perf_counter()
        action()
        found.append(time.perf_counter() - begin)
    return statistics.median(found)


def size(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:6.0f} MB"


if __name__ == "__main__":
    raise SystemExit(main())
