"""The terminal as a value: colour, characters, a screen that goes away."""

import io
import os

import pytest

from runner.report.console import Console, open_console, wants_colour
from runner.report.lines import LineReporter, memory_text


@pytest.mark.parametrize(
    ("environ", "terminal", "colour"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "0"}, False, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "x"}, True, False),
        ({"TERM": "dumb"}, True, False),
    ],
)
def test_colour_follows_the_terminal_and_the_known_variables(
    environ: dict[str, str], terminal: bool, colour: bool
) -> None:
    assert wants_colour(environ, terminal) is colour


def test_a_console_of_an_old_code_page_gets_what_it_can_show() -> None:
    data = io.BytesIO()
    console = open_console(io.TextIOWrapper(data, encoding="cp850"), {})
    console.line("── ✓ Zelle – 5 µm → 中")
    assert data.getvalue().decode("cp850").rstrip() == "-- ok Zelle - 5 um -> \\u4e2d"


def test_a_name_with_half_a_character_breaks_no_line() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    open_console(stream, {}).line("bad \udcff name")
    stream.seek(0)
    assert stream.read() == "bad \\udcff name\n"


def test_a_line_of_ours_starts_on_a_line_of_its_own() -> None:
    stream = io.StringIO()
    console = Console(stream)
    console.raw(b"half a line")
    console.line("ours")
    assert stream.getvalue() == "half a line\nours\n"


def test_the_live_line_is_wiped_by_what_comes_next_and_never_cuts_a_segments_line() -> None:
    stream = io.StringIO()
    console = Console(stream, terminal=True)
    console.live("12 s")
    console.raw(b"bar 1/8")
    console.live("13 s")
    assert stream.getvalue() == "\r12 s\r    \rbar 1/8"


def test_a_screen_that_is_gone_is_written_to_no_more() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", encoding="utf-8") as stream:  # noqa: PTH123
        console = Console(stream)
        console.raw(b"x" * 10)
        console.line("more")
        assert console.gone


def test_without_any_stream_nothing_is_shown_and_nothing_breaks() -> None:
    console = open_console(None, {})
    LineReporter(console).warn("unheard")
    console.stream.close()


@pytest.mark.parametrize(
    ("size", "text"), [(None, ""), (200, "1 MB"), (340_000_000, "340 MB"), (2_100_000_000, "2.1 GB")]
)
def test_memory_is_shown_in_units_that_people_know(size: int | None, text: str) -> None:
    assert memory_text(size) == text
