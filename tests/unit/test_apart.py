"""Several segments at once: whose line it is. A lone one's bytes are not touched."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.model import Segment, SegmentType
from runner.records.journal import Journal, Reporter
from runner.report.apart import Apart, line_of
from runner.report.console import open_console
from runner.report.events import EventReporter
from runner.report.lines import LineReporter


class Screen:
    """A file in place of a terminal: bytes reach it as they are."""

    def __init__(self, path: Path) -> None:
        self.stream = path.open("w+", encoding="utf-8", newline="")
        self.path = path
        self._read = 0

    def new(self) -> bytes:
        """What was written since the last look."""
        data = self.path.read_bytes()[self._read :]
        self._read += len(data)
        return data


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Screen]:
    made = Screen(tmp_path / "screen")
    yield made
    made.stream.close()


def segment(number: int) -> Segment:
    return Segment(number, ["one", "two"][number - 1], SegmentType.NORMAL, "")


def begin(reporter: Reporter, number: int) -> None:
    Journal(reporter).say("start", segment(number), total=2, expected=None, environment="", argv=[], cwd="")


def end(reporter: Reporter, number: int) -> None:
    measured = {"seconds": 1.0, "peak_memory": None, "gpu_memory": None, "leftovers": []}
    Journal(reporter).say("end", segment(number), state="succeeded", explanation="", log="log.txt", **measured)


def test_the_bytes_of_a_lone_segment_pass_untouched(screen: Screen) -> None:
    reporter = LineReporter(open_console(screen.stream, {}))
    begin(reporter, 1)
    screen.new()
    for chunk in (b"1/8\r", b"\xff", b"2/8\r\nx"):
        reporter.output(chunk, 1)
    assert screen.new() == b"1/8\r\xff2/8\r\nx"


def test_lines_of_two_segments_are_whole_and_say_whose_they_are(screen: Screen) -> None:
    reporter = LineReporter(open_console(screen.stream, {}))
    begin(reporter, 1)
    begin(reporter, 2)
    screen.new()
    for segment, chunk in [(1, b"a"), (2, b"b1\nb2"), (1, b"a\n"), (2, b"b2\n")]:
        reporter.output(chunk, segment)
    assert screen.new().decode() == "2. two │ b1\n1. one │ aa\n2. two │ b2b2\n"


def test_the_end_of_one_of_two_says_whose_it_is_and_shows_its_half_line_first(screen: Screen) -> None:
    reporter = LineReporter(open_console(screen.stream, {}))
    begin(reporter, 1)
    begin(reporter, 2)
    reporter.output(b"half", 1)
    reporter.output(b"of two", 2)
    screen.new()
    end(reporter, 1)
    reporter.output(b", which is alone\r", 2)
    told = screen.new().decode()
    assert told == "1. one │ half\n── 1. one\n   ✓ succeeded in 1 s\nof two, which is alone\r"


def test_for_programs_too_each_line_on_standard_error_says_whose_it_is(screen: Screen) -> None:
    events = io.StringIO()
    reporter = EventReporter(events, open_console(screen.stream, {}))
    begin(reporter, 1)
    reporter.output(b"alone\r\n", 1)
    begin(reporter, 2)
    reporter.output(b"x\n", 1)
    reporter.output(b"y\n", 2)
    end(reporter, 2)
    assert screen.new().decode() == "alone\r\n1. one │ x\n2. two │ y\n"
    events.seek(0)
    assert [json.loads(line)["event"] for line in events] == ["start", "start", "end"]


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        (b"  1/8\r  2/8\r", "  2/8"),
        (b"plain\r\n", "plain"),
        (b"\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m\x1b[0m"),
        (b"\x1b[2Aup\x1b[K", "up"),
        (b"\x1b]0;title\x07text", "text"),
        (b"\x1b[?25lhidden\x1b[?25h", "hidden"),
        (b"bell\x07\x08", "bell"),
        ("Größe\t5 µm".encode(), "Größe\t5 µm"),
        ("Größe".encode("cp1252"), "Größe"),
        (b"", ""),
    ],
)
def test_a_line_is_what_a_terminal_shows_in_the_end_and_moves_nothing(printed: bytes, shown: str) -> None:
    assert line_of(printed) == shown


def test_a_progress_bar_that_never_ends_its_line_costs_no_memory() -> None:
    lines: list[str] = []
    apart = Apart(lambda chunk: None, lines.append)
    apart.begin(1, "one")
    apart.begin(2, "two")
    for i in range(20_000):
        apart.output(b"%d/20000\r" % i, 1)
    assert sum(map(len, apart._half.values())) < 100_000
    apart.end(1)
    assert lines == ["1. one │ 19999/20000"]
