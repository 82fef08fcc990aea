"""An array of short items beside a hand-written one, calls to the scheduler, and the status of many items.

    uv run python benchmarks/cluster.py [--rounds N] [--items N] [--seconds S] [--many N]

On a Slurm of three nodes that it starts itself (Debian: slurm-wlm, munge). All in one run, in turn; medians. The
hand-written array has the same chunks, and does nothing but start one command after the other.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from runner.records.lines import ItemReceipt, added_to, append
from runner.records.receipt import Result
from tests.support.lab import Lab
from tests.support.slurm import Slurm, running_slurm

SITE = """\
[executors.test]
kind = "slurm"
target-time = "{target}s"
poll = "0.5s"
"""
HAND = """\
#!/bin/sh
for number in $(seq $((SLURM_ARRAY_TASK_ID * {each})) $((SLURM_ARRAY_TASK_ID * {each} + {each} - 1))); do
    if [ $number -lt {items} ]; then {python} {program} {seconds} {folder}/by_hand/$number; fi
done
"""
ITEM = """\
import pathlib, sys, time
time.sleep(float(sys.argv[1]))
pathlib.Path(sys.argv[2]).touch()
"""
PROGRAMS = ("sbatch", "squeue", "scancel", "scontrol", "sacct")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--items", type=int, default=500)
    parser.add_argument("--chunks", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--many", type=int, default=10_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running_slurm() as slurm:
        bench = Bench(Path(folder), slurm)
        print(f"load {os.getloadavg()[0]:.1f}")
        bench.arrays(asked.items, asked.chunks, asked.seconds, asked.rounds)
        bench.status(asked.many)
    return 0


class Bench:
    def __init__(self, folder: Path, slurm: Slurm) -> None:
        self.lab = Lab(folder)
        self.lab.make()
        self.slurm = slurm
        self.calls = folder / "calls"
        shims = folder / "shims"
        shims.mkdir()
        for name in PROGRAMS:
            (shims / name).write_text(f'#!/bin/sh\necho {name} >> {self.calls}\nexec {shutil.which(name)} "$@"\n')
            (shims / name).chmod(0o755)
        own = {name: value for name, value in slurm.environ.items() if name.startswith("SLURM")}
        self.environ = self.lab.environ(**own) | {"PATH": f"{shims}:{slurm.environ['PATH']}"}

    def run(self, *words: str | Path) -> tuple[float, Counter[str]]:
        """Seconds, and calls of the scheduler's programs."""
        self.calls.write_text("")
        begun = time.perf_counter()
        done = subprocess.run(
            self.lab.argv(*words), env=self.environ, cwd=self.lab.root, capture_output=True, text=True, check=False
        )
        took = time.perf_counter() - begun
        assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]
        return took, Counter(self.calls.read_text().split())

    def arrays(self, items: int, chunks: int, seconds: float, rounds: int) -> None:
        data = self.lab.data
        (data / "made").mkdir()
        (data / "by_hand").mkdir()
        each = -(-items // chunks)
        (self.lab.repo / "run-pipeline.toml").write_text(SITE.format(target=each * 2))
        program = self.lab.script("item.py", ITEM)
        segment = {
            "name": "Short items",
            "environment": "uv:default",
            "foreach": {"range": items},
            "resources": {"time": "2s"},  # by which they are cut, not what they take
            "commands": ["python", str(program), str(seconds), "%YAML%/made/%ITEM%"],
        }
        pipeline = self.lab.pipeline([segment])
        script = data / "hand.sh"
        python = self.lab.repo / ".venvs" / "default" / "bin" / "python"  # the same program by the same Python
        given = {"python": f"'{python}'", "program": f"'{program}'", "folder": f"'{data}'"}
        script.write_text(HAND.format(items=items, each=each, seconds=seconds, **given))
        ours, hand = list[float](), list[float]()
        for _ in range(rounds):
            shutil.rmtree(data / ".run-pipeline", ignore_errors=True)  # else it is cut by what was measured
            took, _ = self.run("run", pipeline, "--executor", "test", "--force")
            ours.append(took)
            hand.append(self.by_hand(script, chunks, items))
            assert len(list((data / "made").iterdir())) == items
        took, calls = self.run("submit", pipeline, "--executor", "test", "--force")
        self.run("cancel", pipeline)
        told(f"{items} items of {seconds:g} s in {chunks} chunks, by hand", hand)
        told("the same by run-pipeline", ours)
        print(f"   {statistics.median(ours) / statistics.median(hand):.2f} x")
        print(f"submit: {took:.2f} s, {calls.total()} calls of the scheduler's programs ({dict(calls)})")

    def by_hand(self, script: Path, chunks: int, items: int) -> float:
        """Until the last item is there: `sbatch --wait` looks seldom."""
        folder = self.lab.data / "by_hand"
        for path in folder.iterdir():
            path.unlink()
        begun = time.perf_counter()
        self.slurm.run("sbatch", f"--array=0-{chunks - 1}", "--output=/dev/null", script)
        while sum(1 for _ in folder.iterdir()) < items:
            time.sleep(0.05)
        return time.perf_counter() - begun

    def status(self, items: int) -> None:
        """Of a run whose receipts are all there but one."""
        segment = {
            "name": "Many items",
            "environment": "cmd",
            "foreach": {"range": items},
            "commands": ["sleep 100; : %ITEM%"],
        }
        pipeline = self.lab.pipeline([segment], "many.yaml")
        self.run("submit", pipeline, "--executor", "test")
        record = sorted((pipeline.parent / ".run-pipeline" / pipeline.name).glob("0*"))[-1]
        job = json.loads((record / "01-many-items" / "job.json").read_text())
        lines = (record / "01-many-items" / "items.jsonl").read_text().splitlines()
        for number in range(10):
            path = record / "01-many-items" / f"receipts-{job['remembered'][:16]}-{number + 500}.jsonl"
            with added_to(path) as file:
                for line in lines[number:-1:10]:
                    append(file, ItemReceipt(json.loads(line)["key"], Result.SUCCEEDED, seconds=1.0), path)
        took = [self.run("status", pipeline) for _ in range(5)]
        told(f"status of {items:,} items", [seconds for seconds, _ in took])
        print(f"   with {max(calls.total() for _, calls in took)} call of the scheduler's programs")
        self.run("cancel", pipeline)


def told(what: str, seconds: Sequence[float]) -> None:
    print(f"{what}: median {statistics.median(seconds):.2f} s ({', '.join(f'{one:.2f}' for one in seconds)})")


if __name__ == "__main__":
    sys.exit(main())
