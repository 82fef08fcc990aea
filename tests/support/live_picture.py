"""Draws the screen of a run over many files in the middle of its way: `python -m tests.support.live_picture OUT.svg`.

What a terminal gets is the work of the real reporter, fed with events of a run that was never done.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from runner.model import Segment, SegmentType
from runner.records.journal import Journal
from runner.report.console import open_console
from runner.report.lines import LineReporter

_TYPED = "run-pipeline weekend.yaml"
_RECORD = ".run-pipeline/weekend.yaml/000007-2026-11-27-181502"


def feed() -> None:
    """To standard output: three segments, two of them at the same time."""
    now = [0.0]
    reporter = LineReporter(open_console(sys.stdout, os.environ), clock=lambda: now[0])
    journal = Journal(reporter)
    cells, nuclei = (Segment(n, name, SegmentType.NORMAL, "") for n, name in ((2, "Cells"), (3, "Nuclei")))
    journal.say("begin", pipeline="weekend.yaml", segments=4, to_run=3)
    journal.say("skip", Segment(1, "Convert", SegmentType.NORMAL, ""), reason="done on 2026-11-26")
    told = {"total_segments": 4, "environment": "uv:segment_threshold"}
    journal.say("items", cells, total=4000, to_run=3997, done=3, sentence="4,000 items: 3 done, 3,997 new", **told)
    journal.say("items", nuclei, total=600, to_run=600, done=0, sentence="600 items: 600 new", **told)
    for n in range(1229):
        _start(journal, cells, f"plate_{1 + n // 480}/A{1 + n // 40 % 12:02}_{n % 40:03}.nd2", n)
        if n % 20 == 0:
            _start(journal, nuclei, _well(n // 20), n // 20, str(n // 20 % 3))
        now[0] += 1.55 if n < 1223 else 0.8
        if n >= 6:
            _end(
                journal, cells, f"plate_{1 + (n - 6) // 480}/A{1 + (n - 6) // 40 % 12:02}_{(n - 6) % 40:03}.nd2", n - 6
            )
        if n % 20 == 19 and n >= 40:
            _end(journal, nuclei, _well(n // 20 - 2), -1)
    time.sleep(1)  # for one more picture
    os._exit(0)


def _well(n: int) -> str:
    return f"Spheroids/day {1 + n // 96}/well {n % 96:02}/overview.ome.tif"


def _start(journal: Journal, segment: Segment, key: str, n: int, *gpus: str) -> None:
    journal.say("item-start", segment, key, index=n + 1, gpus=list(gpus))


def _end(journal: Journal, segment: Segment, key: str, n: int) -> None:
    told: dict[str, object] = {"state": "succeeded", "explanation": "", "tail": [], "log": "", "again": ""}
    if n == 407:
        told = {
            "state": "failed",
            "explanation": "It ended with exit code 1: there is no channel 3",
            "tail": ["reading 2 channels of 2048 x 2048", "ValueError: there is no channel 3"],
            "log": f"{_RECORD}/02-cells/failed/{n + 1:05}.log",
            "again": f'run-pipeline "weekend.yaml" --only 2 --item "{key}"',
        }
    journal.say("item-end", segment, key, seconds=6.2, **told)


def draw(target: Path) -> None:
    from tests.support.terminal_picture import drawn, lines_of, shown

    prompt = "lab@scope:~$"
    typed = [(sign, "32" if n < len(prompt) else "") for n, sign in enumerate(f"{prompt} {_TYPED}")]
    data = shown(f'"{sys.executable}" -m tests.support.live_picture')
    target.write_text(drawn([typed, *lines_of(data)], _TYPED), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    if len(sys.argv) == 2:
        draw(Path(sys.argv[1]))
    else:
        feed()
