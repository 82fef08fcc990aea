"""Segments over many items on the screen: a region at a terminal, lines in a pipe, events for programs."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.model import Segment, SegmentType
from runner.records.journal import Journal, Reporter
from runner.report.console import Console, open_console
from runner.report.events import EventReporter
from runner.report.lines import LineReporter

SEGMENT = Segment(2, "Segment", SegmentType.NORMAL, "")
PLAIN = Segment(3, "Beside", SegmentType.NORMAL, "")
REPO = Path(__file__).resolve().parents[2]


class Clock:
    """Stands still unless it is told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Run:
    """Made-up events, as a run sends them."""

    def __init__(self, reporter: Reporter, segment: Segment = SEGMENT) -> None:
        self.journal, self.segment = Journal(reporter), segment

    def items(self, to_run: int, **more: Any) -> Run:
        told = {"total": to_run, "done": 0, "sentence": f"{to_run:,} items", "environment": "uv:seg"}
        self.journal.say("items", self.segment, to_run=to_run, total_segments=4, **told | more)
        return self

    def start(self, *keys: str, gpus: tuple[str, ...] = ()) -> None:
        for index, key in enumerate(keys):
            self.journal.say("item-start", self.segment, key, index=index, gpus=list(gpus))

    def end(self, *keys: str, state: str = "succeeded", **more: Any) -> None:
        for key in keys:
            told = {"seconds": 3.0, "peak_memory": None, "explanation": "", "log": "", "tail": [], "again": ""}
            self.journal.say("item-end", self.segment, key, state=state, attempts=1, **told | more)

    def fail(self, *keys: str) -> None:
        for key in keys:
            told = {"explanation": "it has no channel", "tail": ["reading", "no channel 3"], "log": f"failed/{key}.log"}
            self.end(key, state="failed", again=f'run-pipeline p.yaml --only 2 --item "{key}"', **told)

    def close(self, **counts: int) -> None:
        told = {"seconds": 9.0, "peak_memory": None, "gpu_memory": None, "leftovers": [], "log": "02-segment"}
        state = "failed" if counts.get("failed") else "succeeded"
        self.journal.say("end", self.segment, state=state, explanation="", items=counts, **told)


class Window:
    """What stands on a terminal of so many columns, as far as the region needs: it breaks lines anew when resized."""

    def __init__(self, path: Path, columns: int = 100, rows: int = 40, **how: Any) -> None:
        self.path, self.columns, self.rows = path, columns, rows
        self.stream = path.open("w+", encoding=how.pop("encoding", "utf-8"), newline="")
        unicode = self.stream.encoding == "utf-8"
        self.console = Console(self.stream, terminal=True, moves=True, unicode=unicode, **how)
        self.clock = Clock()
        self.reporter = LineReporter(self.console, clock=self._asleep)
        self.slept = 0.0

    def _asleep(self) -> float:
        return time.monotonic() - self.slept + self.clock.now

    def text(self) -> str:
        return self.path.read_bytes().decode(self.stream.encoding)

    def lines(self) -> list[str]:
        """The lines now, colours left out."""
        lines, row = [""], 0
        for codes, what, end, text in re.findall(r"\x1b\[([0-9;]*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)", self.text()):
            if what == "A":
                row -= int(codes or 1)
                assert row >= 0
            elif what == "J":
                del lines[row + 1 :]
                lines[row] = ""
            elif end == "\n":
                row += 1
                lines += [""] * (row + 1 - len(lines))
            elif text:
                lines[row] += text
        return lines


@pytest.fixture
def window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Window]:
    made = Window(tmp_path / "window")
    monkeypatch.setattr(os, "get_terminal_size", lambda fd: os.terminal_size((made.columns, made.rows)))
    yield made
    if made.reporter._many is not None:
        made.reporter._many.stop()
    made.stream.close()


def refresh(window: Window) -> list[str]:
    assert window.reporter._many is not None
    with window.reporter._lock:
        window.reporter._many.refresh()
    return window.lines()


def test_the_region_has_a_bar_for_the_segment_and_a_line_for_each_running_item(window: Window) -> None:
    run = Run(window.reporter).items(40)
    keys = [f"plate_1/A{n:02}.nd2" for n in range(40)]
    run.start(*keys[:14], gpus=("0",))
    run.end(*keys[:4])
    window.clock.now += 60
    lines = refresh(window)
    head = next(line for line in lines if "4 of 40" in line)
    assert "2. Segment  ━" in head and "4/min" in head and "about 9 min left" in head, head
    assert sum("A0" in line or "A1" in line for line in lines) == 8
    assert lines[lines.index(head) + 1].split() == ["plate_1/A04.nd2", "1", "min", "GPU", "0"]
    assert lines[-2:] == ["     and 2 more", ""]


def test_a_failed_item_stands_above_the_region_at_once_with_all_one_needs(window: Window) -> None:
    run = Run(window.reporter).items(3)
    run.start("a", "b", "c")
    run.fail("b")
    deadline = time.monotonic() + 20
    while "no channel 3" not in window.text() and time.monotonic() < deadline:
        time.sleep(0.02)
    lines = refresh(window)
    place = lines.index("   ✗ b – failed after 3 s: it has no channel")
    assert lines[place + 1 : place + 5] == [
        "     │ reading",
        "     │ no channel 3",
        "     log: failed/b.log",
        '     again: run-pipeline p.yaml --only 2 --item "b"',
    ]
    assert "1 of 3 · 1 failed" in lines[place + 5]


def test_after_ten_failed_items_only_their_number_is_told(window: Window) -> None:
    run = Run(window.reporter).items(300)
    run.fail(*(f"item{n}" for n in range(200)))
    lines = refresh(window)
    assert sum("✗ item" in line for line in lines) == 10
    assert sum("more items of 2. Segment fail" in line for line in lines) == 1
    run.close(done=100, failed=200)
    assert "   items: 100 done, 200 failed" in window.lines()


def test_with_the_last_segment_over_many_items_the_region_goes_and_all_said_stays(window: Window) -> None:
    run = Run(window.reporter).items(2)
    run.start("a")
    refresh(window)
    run.journal.note("a note")
    run.end("a", "b")
    run.close(done=2, failed=0)
    lines = window.lines()
    assert "a note" in lines and not any("━" in line for line in lines)
    assert lines[-3:] == ["   ✓ succeeded in 9 s", "   items: 2 done", ""]
    assert not any(thread.name == "region" and thread.is_alive() for thread in _soon(threading.enumerate))


def _soon(threads: Any) -> list[threading.Thread]:
    deadline = time.monotonic() + 10
    while any(thread.name == "region" for thread in threads()) and time.monotonic() < deadline:
        time.sleep(0.05)
    found: list[threading.Thread] = threads()
    return found


def test_output_of_a_plain_segment_beside_it_stands_above_in_whole_lines(window: Window) -> None:
    run = Run(window.reporter).items(2)
    run.start("a")
    plain = Run(window.reporter, PLAIN)
    plain.journal.say("start", PLAIN, total=4, expected=None, environment="", argv=[], cwd="")
    window.reporter.output(b"1/8\r2/8\r", 3)
    window.reporter.output(b"8/8\nhalf", 3)
    window.reporter.tick(12.0, 3)
    lines = refresh(window)
    assert "3. Beside │ 8/8" in lines or "8/8" in lines
    assert not any("half" in line for line in lines)
    assert lines[-2] == "   3/4 Beside: 12 s"


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 200])
def test_no_line_of_the_region_is_wider_than_the_window(window: Window, columns: int) -> None:
    from rich.cells import cell_len

    window.columns = columns
    run = Run(window.reporter).items(40_000)
    keys = [f"{'Ordner/' * 40}Zellkern_中文_{n}.ome.tif" for n in range(30)]
    run.start(*keys, gpus=("GPU-8a7f", "GPU-99"))
    run.end(*keys[:5])
    run.end("x", state="failed", explanation="short")
    window.clock.now = 4000
    lines = refresh(window)
    region = lines[next(n for n, line in enumerate(lines) if "again" in line or "short" in line) + 1 :]
    assert max(map(cell_len, region)) < columns
    assert any("of 40,000" in line for line in region) or columns < 40
    assert any("_5.ome.tif" in line for line in region) or columns < 40


@pytest.mark.parametrize("rows", [1, 2, 5, 12])
def test_the_region_is_never_higher_than_the_window(window: Window, rows: int) -> None:
    window.rows = rows
    run, other = Run(window.reporter).items(40), Run(window.reporter, PLAIN).items(40)
    before = len(refresh(window))
    run.start(*(f"{n}" for n in range(40)))
    other.start(*(f"{n}" for n in range(40)))
    lines = refresh(window)
    assert len(window.reporter._many.region._widths) < max(rows, 2)  # type: ignore[union-attr]
    assert len(lines) - before < rows
    assert rows < 12 or sum("and 3" in line for line in lines) == 2


def test_a_window_made_narrower_leaves_no_torn_copy(window: Window) -> None:
    run = Run(window.reporter).items(40)
    run.start("a" * 60, "b")
    refresh(window)
    wide = [len(line) for line in window.lines()[-4:-1]]
    window.columns = 40
    before = len(window.text())
    refresh(window)
    up = re.match(r"\x1b\[(\d+)A\r\x1b\[J", window.text()[before:])
    assert up and int(up[1]) == sum(-(-width // 40) for width in wide)


def test_after_ctrl_z_what_the_shell_wrote_below_stays(window: Window) -> None:
    run = Run(window.reporter).items(40)
    run.start("a")
    refresh(window)
    window.stream.write("[1]+  Stopped\nlab$ fg\n")
    window.slept += 7
    lines = refresh(window)
    place = lines.index("lab$ fg")
    assert lines[place - 1] == "[1]+  Stopped" and "0 of 40" in lines[place + 1]
    assert refresh(window) == lines


def test_a_name_can_neither_move_the_cursor_nor_hide_itself(window: Window) -> None:
    run = Run(window.reporter).items(3)
    run.start("a\x1b[2Jb\nc", "\u202egnp.exe", "\udcff")
    run.fail("x\x1b]0;title\x07\r")
    assert not re.search(r"\x1b[^\[]|\x1b\[2J|\x07", (refresh(window), window.text())[1])
    lines = refresh(window)
    text = "\n".join(lines)
    assert (
        "a\\x1b[2Jb\\nc" in text and "\\u202egnp.exe" in text and "\\udcff" in text and "x\\x1b]0;title\\x07\\r" in text
    )


def test_an_old_console_gets_a_bar_of_its_own_signs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "get_terminal_size", lambda fd: os.terminal_size((80, 25)))
    window = Window(tmp_path / "old", encoding="cp850")
    run = Run(window.reporter).items(4)
    run.start("a", "中" * 60)
    run.end("a")
    lines = refresh(window)
    assert "#####--" in next(line for line in lines if "1 of 4" in line)
    assert max(map(len, lines[4:])) < 80
    run.close(done=1, failed=0)
    window.stream.close()


def test_with_no_color_nothing_is_coloured(window: Window) -> None:
    Run(window.reporter).items(3).start("a")
    refresh(window)
    assert not re.search(r"\x1b\[[0-9;]*m", window.text())


def test_in_a_pipe_a_line_comes_every_ten_seconds_and_no_more(tmp_path: Path) -> None:
    stream, clock = io.StringIO(), Clock()
    run = Run(LineReporter(open_console(stream, {}), clock=clock)).items(4000)
    for n in range(1200):
        run.end(f"{n}")
        clock.now += 0.025
    lines = [line for line in stream.getvalue().splitlines() if "4,000," in line]
    assert lines[0] == "   2. Segment: 401 of 4,000, 40/s, about 1 min 30 s left"
    assert len(lines) == 2
    run.fail("bad")
    assert stream.getvalue().endswith('     again: run-pipeline p.yaml --only 2 --item "bad"\n')
    assert "\x1b" not in stream.getvalue()


def test_a_terminal_that_is_dumb_is_treated_as_a_pipe() -> None:
    class Terminal(io.StringIO):
        encoding = "utf-8"

        def isatty(self) -> bool:
            return True

    stream = Terminal()
    run = Run(LineReporter(open_console(stream, {"TERM": "dumb"}))).items(3)
    run.start("a")
    run.fail("a")
    assert "✗ a" in stream.getvalue() and "\x1b" not in stream.getvalue()


def test_programs_get_an_event_for_each_item() -> None:
    stream = io.StringIO()
    run = Run(EventReporter(stream, Console(io.StringIO()))).items(2)
    run.start("a")
    run.fail("a")
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(one["event"], one.get("item")) for one in events] == [
        ("items", None),
        ("item-start", "a"),
        ("item-end", "a"),
    ]
    assert events[2]["tail"] == ["reading", "no channel 3"] and events[2]["segment"] == 2


def test_ten_thousand_items_cost_next_to_nothing(window: Window) -> None:
    run = Run(window.reporter).items(10_000)
    began = time.thread_time()
    for n in range(10_000):
        run.start(f"{n}")
        run.end(f"{n}")
    assert time.thread_time() - began < 2  # 20,000 events; making them is most of it
    assert window.text().count("\x1b[J") < 200


def test_a_terminal_that_stands_still_holds_up_no_item(window: Window) -> None:
    run = Run(window.reporter).items(100)
    with window.reporter._lock:  # as whoever waits in a write holds it
        done = threading.Event()
        thread = threading.Thread(target=lambda: (run.start("a"), run.fail("a"), done.set()))
        thread.start()
        assert done.wait(10)
    thread.join()


def test_the_summary_lists_the_failed_items_and_how_to_see_the_rest() -> None:
    stream = io.StringIO()
    run = Run(LineReporter(open_console(stream, {})))
    run.journal.say("begin", pipeline="p.yaml", segments=4, to_run=4)
    run.items(50)
    run.close(done=20, failed=30, not_run=3)
    failed = [
        {"segment": 2, "item": f"{n}", "explanation": "why\nmore", "log": f"{n}.log", "again": "run it"}
        for n in range(20)
    ]
    run.journal.say("summary", segments=[], record="", advice="", exit_code=1, failed_items=failed)
    text = stream.getvalue()
    assert "   items: 20 done, 30 failed, 3 not run\n" in text
    assert "x 2. 19 - why\n     log: 19.log\n     again: run it\n" in text
    assert 'and 10 more: run-pipeline status "p.yaml" --items --json' in text


def test_a_run_of_plain_segments_imports_nothing_of_it() -> None:
    code = (
        "import sys, io\nfrom runner.report.lines import LineReporter\nfrom runner.report.console import open_console\n"
        "LineReporter(open_console(io.StringIO(), {}))\n"
        "print([m for m in sys.modules if m.startswith('rich') or m == 'runner.report.many'])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPO).stdout == "[]\n"
