"""How a diagnostic looks: place, excerpt, caret, cure."""

from pathlib import PurePosixPath

from runner.model import Diagnostic, Mark, Severity
from runner.pipeline.diagnostics import render


def shown(excerpt: str, column: int, length: int = 1) -> list[str]:
    mark = Mark(7, column, length)
    return render(Diagnostic(Severity.ERROR, "wrong", "Mend it.", PurePosixPath("/a/file.yaml"), mark, excerpt))


def test_place_excerpt_caret_and_cure_stand_in_this_order() -> None:
    assert shown("  - %REPO%/x", 5, 8) == [
        "file.yaml:7:5: error: wrong",
        "  |   - %REPO%/x",
        "  |     ^^^^^^^^",
        "  Mend it.",
    ]


def test_a_warning_without_a_place_is_one_line() -> None:
    assert render(Diagnostic(Severity.WARNING, "nothing to run")) == ["warning: nothing to run"]
    found = render(Diagnostic(Severity.WARNING, "empty", file=PurePosixPath("/a/b.yaml")))
    assert found == ["b.yaml: warning: empty"]


def test_the_caret_stands_below_wide_and_combined_characters() -> None:
    assert shown("中文: x", 5)[2] == "  |       ^"
    assert shown("u\u0308: x", 5)[2] == "  |    ^"


def test_a_tab_moves_the_caret_as_it_moves_the_text() -> None:
    assert shown("\ta: b", 5)[2] == "  | \t   ^"


def test_a_long_line_is_cut_around_the_caret() -> None:
    first, excerpt, carets, _ = shown("x" * 500 + "!" + "y" * 500, 501)
    assert len(excerpt) < 180
    assert excerpt[carets.index("^")] == "!"
    assert first.startswith("file.yaml:7:501")


def test_nothing_in_a_file_can_move_the_cursor_or_colour_the_screen() -> None:
    assert "\x1b" not in shown("\x1b[31mred", 1)[1]


def test_a_place_behind_the_end_of_the_line_still_has_a_caret() -> None:
    assert shown("abc", 40)[2].rstrip().endswith("^")
