"""The terminal as a value: colour, characters, a screen that goes away."""

import io
import os
from pathlib import Path

import pytest

from runner.records.journal import Journal
from runner.report.console import Console, open_console, wants_colour
from runner.report.lines import LineReporter


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


def test_the_live_line_is_no_longer_than_a_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "get_terminal_size", lambda fd: os.terminal_size((40, 24)))
    with (tmp_path / "screen").open("w+", encoding="utf-8") as stream:
        Console(stream, terminal=True).live("x" * 100)
        stream.seek(0)
        assert stream.read().count("x") == 39


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
    Journal(LineReporter(console)).warn("unheard")
    console.stream.close()


def on_windows(stream: io.TextIOWrapper) -> Console:
    """A console there: text in UTF-8, and no good place for bytes."""
    return Console(stream, terminal=True, decodes=True)


def shown(*chunks: bytes, encoding: str = "utf-8") -> str:
    data = io.BytesIO()
    console = on_windows(io.TextIOWrapper(data, encoding=encoding, newline=""))
    for chunk in chunks:
        console.raw(chunk)
    console.line("ours")
    return data.getvalue().decode(encoding)


def test_windows_console_gets_a_segments_output_as_text() -> None:
    assert shown("Größe → 5 µm\r\n".encode()) == "Größe → 5 µm\nours\n"
    assert shown(b"10 %\r20 %\r\n") == "10 %\r20 %\nours\n"


def test_what_is_no_utf8_is_taken_for_the_old_code_page_of_windows() -> None:
    assert shown("Größe 5 µm – é\n".encode("cp1252")) == "Größe 5 µm – é\nours\n"
    assert shown("ä".encode("cp1252") + "ä€\n".encode()) == "ää€\nours\n"
    assert shown(b"\x81\n") == "\ufffd\nours\n"


def test_a_character_that_is_cut_between_two_chunks_stays_whole() -> None:
    assert shown(*(bytes([byte]) for byte in "a→𝄞b\n".encode())) == "a→𝄞b\nours\n"
    assert shown("caf\xe9".encode("cp1252")) == "café\nours\n"


def test_a_stream_of_another_encoding_holds_one_encoding_only() -> None:
    data = io.BytesIO()
    console = open_console(io.TextIOWrapper(data, encoding="cp1252", newline=""), {}, "win32")
    console.raw("Größe → 中\n".encode())
    console.line("✓ Größe")
    assert data.getvalue().decode("cp1252") == "Größe \\u2192 \\u4e2d\nok Größe\n"


def test_bytes_reach_a_pipe_and_a_terminal_of_posix_as_they_are() -> None:
    for platform in ("win32", "linux"):
        reader, writer = os.pipe()
        with open(writer, "w", encoding="utf-8") as stream, open(reader, "rb") as pipe:  # noqa: PTH123
            open_console(stream, {}, platform).raw(b"\xff\r\n")
            stream.close()
            assert pipe.read() == b"\xff\r\n"


def test_only_windows_own_console_is_given_text_instead_of_bytes() -> None:
    class Terminal(io.TextIOWrapper):
        def isatty(self) -> bool:
            return True

    assert open_console(Terminal(io.BytesIO(), encoding="utf-8"), {}, "win32").decodes
    assert not open_console(Terminal(io.BytesIO(), encoding="utf-8"), {}, "linux").decodes
