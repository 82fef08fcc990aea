"""A runner that is killed at random moments while it goes over many items, and what must be true of it afterwards.

`python -m tests.support.killed [KILLS] [ITEMS]` does it as often as asked and prints what it saw.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import zlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.support.going import words_of
from tests.support.lab import Lab

# every seventh item leaves a daemon that drops what it was marked with
ITEM = """\
import os, subprocess, sys, time
name, journal, seconds = sys.argv[1:]
def note(word):
    line = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(line, f"{word} {name}\\n".encode())
    os.close(line)
note("start")
if int(name) % 7 == 0:
    nothing = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.Popen(["env", "-i", "setsid", "sleep", seconds], **nothing)
time.sleep(0.02)
note("end")
"""


@dataclass
class Seen:
    kills: int = 0
    rounds: int = 0
    starts: int = 0
    again: int = 0  # of them those that were under way when the runner was killed
    twice: list[str] = field(default_factory=list)  # run again though their receipt is whole
    lost: list[str] = field(default_factory=list)  # of a finished round, and never run to the end
    left: int = 0  # processes after the last run


def kill_often(lab: Lab, kills: int, items: int, dice: random.Random, longest: float = 1.6) -> Seen:
    """Rounds over all items, each started anew as often as it is killed, until `kills` are done and a round ended."""
    seen = Seen()
    seconds = f"{dice.randrange(100_000, 900_000)}.{os.getpid()}"  # by which we know the daemons
    script = lab.script("item.py", ITEM)
    journal = lab.root / "journal.txt"
    while seen.kills < kills:
        seen.rounds += 1
        pipeline = lab.pipeline(
            [
                {
                    "name": f"round {seen.rounds}",
                    "environment": "cmd",
                    "foreach": {"range": items},
                    "commands": [f'exec "{sys.executable}" -S -E', str(script), "%ITEM%", str(journal), seconds],
                }
            ]
        )
        journal.write_text("")
        ended = Counter[str]()
        while True:
            finished = _with_receipt(lab, pipeline)
            process = lab.popen(pipeline, "--jobs", "4", stdout=subprocess.DEVNULL)
            killed = False
            if seen.kills < kills:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(dice.uniform(0.2, longest))
                if process.poll() is None:
                    process.send_signal(signal.SIGKILL)
                    seen.kills += 1
                    killed = True
            assert process.wait(300) in (0, -signal.SIGKILL), process.returncode
            lines = journal.read_text().split("\n")[:-1]
            journal.write_text("")
            started = [line.removeprefix("start ") for line in lines if line.startswith("start ")]
            done = [line.removeprefix("end ") for line in lines if line.startswith("end ")]
            seen.starts += len(started)
            seen.twice += [name for name in started if name in finished]
            ended.update(done)
            if not killed:
                break
        seen.again = seen.starts - seen.rounds * items
        seen.lost += [str(number) for number in range(items) if not ended[str(number)]]
        seen.lost += [str(number) for number in range(items) if str(number) not in _with_receipt(lab, pipeline)]
    deadline = time.monotonic() + 5
    while (left := _left(seconds, lab)) and time.monotonic() < deadline:
        time.sleep(0.05)
    seen.left = len(left)
    return seen


def _with_receipt(lab: Lab, pipeline: Path) -> set[str]:
    """Keys of all items of the segment for which some receipt, whole, says that they are done."""
    from runner.pipeline.reader import read_pipeline
    from runner.records.layout import done_file

    (segment,) = read_pipeline(pipeline).segments
    root = pipeline.parent / ".run-pipeline" / pipeline.name
    files = [done_file(root, segment.content_hash)]
    files += [
        path for run in lab.runs(pipeline) for path in run.glob(f"*/receipts-{segment.content_hash[:16]}-*.jsonl")
    ]
    found = set()
    for path in files:
        for line in path.read_bytes().split(b"\n") if path.exists() else ():
            body, _, end = line.rpartition(b"\t")
            if body and end == b"%08x" % zlib.crc32(body) and (told := json.loads(body))["state"] == "succeeded":
                found.add(told["key"])
    return found


def _left(seconds: str, lab: Lab) -> list[int]:
    found = []
    for process in psutil.process_iter():
        words = words_of(process)
        if seconds in words or any(str(lab.root) in word for word in words):
            found.append(process.pid)
    return found


def main() -> None:
    kills, items = (int(word) for word in (*sys.argv[1:], "200", "500")[:2])
    seed = random.randrange(1 << 30)
    with tempfile.TemporaryDirectory() as folder:
        begin = time.monotonic()
        seen = kill_often(Lab(Path(folder)).make(), kills, items, random.Random(seed))
        print(f"seed {seed}, {time.monotonic() - begin:.0f} s: {seen}")


if __name__ == "__main__":
    main()
