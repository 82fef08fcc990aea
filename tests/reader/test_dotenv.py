"""The .env file: read as godotenv did, and one value saved without touching the rest."""

import stat
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import PipelineError, StateError
from runner.pipeline.dotenv import read_dotenv, save_dotenv_value


def read(folder: Path, text: str | bytes) -> dict[str, str]:
    path = folder / ".env"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_dotenv(path)


def test_without_a_file_there_are_no_values(tmp_path: Path) -> None:
    assert read_dotenv(tmp_path / ".env") == {}


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=b", "b"),
        ("  A = b c  ", "b c"),
        ("export A=b", "b"),
        ("A: b", "b"),
        ("A=", ""),
        ("A=b # comment", "b"),
        ("A=b#c", "b#c"),
        ("A=#c", ""),
        ("A='b # c'", "b # c"),
        ('A="b # c" # d', "b # c"),
        ("A=C:\\new data\\table", "C:\\new data\\table"),
        ('A="C:\\new data\\table"', "C:\\new data\\table"),
        ('A="C:\\data\\"', "C:\\data\\"),
        ("A='\\\\nas\\share'", "\\\\nas\\share"),
        ('A="say \\"hi\\""', 'say "hi"'),
        ("A=it's", "it's"),
        ("A=x=y", "x=y"),
        ("A=/lab/müller", "/lab/müller"),
        ("A=pa$$word", "pa$$word"),
        ("A=\\\\nas\\d$\\x", "\\\\nas\\d$\\x"),
        ("A='${B}'", "${B}"),
        ("A=${B:-c}/d", "c/d"),
        ("A='one\ntwo'", "one\ntwo"),
        ('A="one\n\n# two"', "one\n\n# two"),
    ],
)
def test_a_line_gives_its_value(tmp_path: Path, line: str, value: str) -> None:
    assert read(tmp_path, line + "\n") == {"A": value}


def test_a_value_may_name_earlier_ones_and_variables_of_the_caller(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text('R=/data\nA=${R}/a\nB="$R/b"\nC=$HOME/c\nD=$LATER/d\nLATER=1\nR2=${R}2\n')
    values = read_dotenv(tmp_path / ".env", {"HOME": "/home/jo", "R": "not this"})
    expected = {"R": "/data", "A": "/data/a", "B": "/data/b", "C": "/home/jo/c", "D": "$LATER/d", "LATER": "1"}
    assert values == {**expected, "R2": "/data2"}


def test_a_name_in_braces_that_nobody_set_is_an_error_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(PipelineError) as caught:
        read(tmp_path, "A=1\nB=${ROOT}/data\n")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.mark is not None
    assert (diagnostic.mark.line, diagnostic.mark.column) == (2, 3)
    assert "ROOT" in diagnostic.message


def test_a_value_of_several_lines_hides_no_line_behind_it(tmp_path: Path) -> None:
    key = "-----BEGIN KEY-----\nabc=\n-----END KEY-----"
    assert read(tmp_path, f'A=1\nKEY="{key}"  # mine\nB=2\n') == {"A": "1", "KEY": key, "B": "2"}


def test_a_quote_left_open_swallows_no_later_line(tmp_path: Path) -> None:
    with pytest.raises(PipelineError) as caught:
        read(tmp_path, 'A="open\nB="b"\nC=\'c\'\n')
    assert [one.mark.line for one in caught.value.diagnostics if one.mark] == [1]


def test_comments_blank_lines_a_bom_and_windows_line_ends_do_not_count(tmp_path: Path) -> None:
    assert read(tmp_path, b"\xef\xbb\xbf# c\r\n\r\nA=1\r\nB=2\r\nA=3\r\n") == {"A": "3", "B": "2"}
    assert read(tmp_path, "A=ü\n".encode("utf-16")) == {"A": "ü"}


def test_all_bad_lines_are_named_with_their_places(tmp_path: Path) -> None:
    with pytest.raises(PipelineError) as caught:
        read(tmp_path, "A=1\n  hello world\nB='open\n")
    found = [(d.mark.line, d.mark.column, d.excerpt) for d in caught.value.diagnostics if d.mark]
    assert found == [(2, 3, "  hello world"), (3, 3, "B='open")]


def test_bytes_that_are_no_text_are_an_error_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(PipelineError) as caught:
        read(tmp_path, b"A=1\nB=\xff\n")
    mark = caught.value.diagnostics[0].mark
    assert mark
    assert (mark.line, mark.column) == (2, 3)


def test_a_folder_in_its_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    with pytest.raises(PipelineError):
        read_dotenv(tmp_path / ".env")
    with pytest.raises(StateError, match="cannot be written"):
        save_dotenv_value(tmp_path / ".env", "A", "1")


def test_saving_makes_the_file(tmp_path: Path) -> None:
    save_dotenv_value(tmp_path / ".env", "CONDA_PATH", "C:\\Users\\Jörg\\miniconda3")
    assert read_dotenv(tmp_path / ".env") == {"CONDA_PATH": "C:\\Users\\Jörg\\miniconda3"}
    assert [path.name for path in tmp_path.iterdir()] == [".env"]


def test_saving_replaces_the_value_and_leaves_every_other_byte(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_bytes(b"\xef\xbb\xbf# mine\r\nA=1 # one\r\nCONDA_PATH=old\r\n  B = 2")
    save_dotenv_value(path, "CONDA_PATH", "new")
    assert path.read_bytes() == b"\xef\xbb\xbf# mine\r\nA=1 # one\r\nCONDA_PATH=new\r\n  B = 2"
    save_dotenv_value(path, "C", "3")
    assert path.read_bytes().endswith(b"\r\n  B = 2\r\nC=3\r\n")
    assert read_dotenv(path) == {"A": "1", "CONDA_PATH": "new", "B": "2", "C": "3"}


def test_saving_into_utf_16_makes_it_utf_8(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_bytes("A=ü\r\n".encode("utf-16"))
    save_dotenv_value(path, "B", "2")
    assert path.read_bytes() == "A=ü\r\nB=2\r\n".encode()


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
def test_saving_keeps_the_permissions(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("TOKEN=secret\n")
    path.chmod(0o600)
    save_dotenv_value(path, "A", "1")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@given(st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="\x7f"), max_size=20))
def test_what_was_saved_is_read_again(tmp_path_factory: pytest.TempPathFactory, value: str) -> None:
    if any(ord(character) in range(0x7F, 0xA0) for character in value):
        return
    path = tmp_path_factory.mktemp("env") / ".env"
    save_dotenv_value(path, "A", value)
    assert read_dotenv(path) == {"A": value}
