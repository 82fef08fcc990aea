"""Whether a person is there to answer."""

from __future__ import annotations

import io

import pytest

from runner.host import is_terminal


class Terminal(io.StringIO):
    """What a console looks like, and Windows' NUL."""

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return 0


@pytest.mark.parametrize("console", [True, False])
def test_windows_nul_is_no_terminal_though_it_says_so(console: bool) -> None:
    assert is_terminal(Terminal(), is_console=lambda descriptor: console) is console


def test_a_file_or_a_missing_stream_is_no_terminal() -> None:
    assert not is_terminal(None)
    assert not is_terminal(io.StringIO())
