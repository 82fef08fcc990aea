"""The runner's own time, as ratios and differences in one run on one machine.

    uv run python benchmarks/runner_speed.py [start] [finished] [segments] [output]

Compared with: a bare `python -c pass`, and the very `uv run --no-sync` command that a segment is started with.
Keep the rest of the machine quiet; medians are shown.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.support.lab import Lab, segment

RUNNER = [sys.executable, "-m", "runner"]
COUNTS = (1, 100, 1000)
BIG = 200_000_000  # bytes


def seconds(action: Callable[[], object], times: int) -> float:
    """Median of `times` runs, after one that does not count."""
    action()
    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        action()
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken)


def quietly(argv: Sequence[str], **options: object) -> None:
    subprocess.run(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True, **options
    )  # type: ignore[call-overload]


def console_script() -> list[str]:
    script = Path(sys.executable).with_name("run-pipeline")
    return [str(script)] if script.exists() else RUNNER


def start() -> None:
    """`--version` and `--help` against a bare Python: at most 6 times."""
    bare = seconds(lambda: quietly([sys.executable, "-c", "pass"]), 21)
    for option in ("--version", "--help"):
        ours = seconds(lambda option=option: quietly([*console_script(), option]), 21)
        print(
            f"run-pipeline {option:<10} {ours * 1e3:6.1f} ms, {ours / bare:4.1f} x python -c pass ({bare * 1e3:.1f} ms)"
        )


def finished() -> None:
    """Finished segments and nothing to do: at most 0.25 s for 1,000, linear."""
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(Path(folder)).make()
        for count in (1, 1000, 2000, 4000):
            pipeline = lab.pipeline(
                [
                    segment(f"segment {n}", "python", "%REPO%/x.py", {"--n": n, "--out": "%YAML%/out"})
                    for n in range(count)
                ]
            )
            lab.run(pipeline, "--accept")
            took = seconds(lambda p=pipeline: quietly([*console_script(), str(p)], env=lab.environ()), 9)
            print(f"{count:5} finished segments: {took * 1e3:6.1f} ms")


def segments() -> None:
    """Trivial uv segments: the runner's own time beyond the same `uv run --no-sync`, at most 5 ms a segment."""
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(Path(folder)).make()
        first = lab.pipeline([segment("first", "python", "-c", "pass")])
        lab.run(first)
        receipt = lab.receipts(first)[0]["command"]
        environ = lab.environ(**receipt["env"])

        def raw() -> None:
            quietly(receipt["argv"], cwd=receipt["cwd"], env=environ)

        for count in COUNTS:
            names = [f"segment {n}" for n in range(count)]
            pipeline = lab.pipeline([segment(name, "python", "-c", "pass") for name in names], f"{count}.yaml")
            alone = seconds(raw, 50)
            begin = time.perf_counter()
            lab.run(pipeline)
            took = time.perf_counter() - begin
            again = seconds(raw, 50)
            base = statistics.mean((alone, again))
            print(
                f"{count:5} segments: {took:7.2f} s, the uv command alone {base * 1e3:5.1f} ms, "
                f"beyond it {(took - count * base) / count * 1e3:6.2f} ms a segment"
            )


def output() -> None:
    """A segment that prints 200 MB: through a pipe and into the log at 150 MB/s or more, in less than 60 MB."""
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(Path(folder)).make()
        code = f"import os\nb = b'x' * 99 + b'\\n'\nb *= 10_000\nfor _ in range({BIG} // len(b)): os.write(1, b)"
        pipeline = lab.pipeline([segment("talks", "python", "-c", code)])
        lab.run(lab.pipeline([segment("first", "python", "-c", "pass")], "first.yaml"))
        process = lab.popen(pipeline, "--force", stderr=subprocess.DEVNULL)
        assert process.stdout is not None
        peak, watching = [0], threading.Event()

        def watch() -> None:
            own = psutil.Process(process.pid)
            while not watching.wait(0.01):
                try:
                    peak[0] = max(peak[0], own.memory_info().rss)
                except psutil.Error:
                    return

        thread = threading.Thread(target=watch)
        thread.start()
        total = 0
        while chunk := os.read(process.stdout.fileno(), 1 << 20):
            total += len(chunk)
        process.wait()
        watching.set()
        thread.join()
        took = lab.receipts(pipeline)[0]["seconds"]
        rate, memory = BIG / took / 1e6, peak[0] / 1e6
        print(f"{total / 1e6:.0f} MB in {took:.2f} s: {rate:.0f} MB/s, the runner's memory {memory:.0f} MB")
        process.stdout.close()


PARTS = {"start": start, "finished": finished, "segments": segments, "output": output}

if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        PARTS[part]()
