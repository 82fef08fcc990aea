"""Tokens and paths, for either platform on any platform."""

from pathlib import PurePosixPath, PureWindowsPath

import pytest

from runner.model import FlagMap, ResolvedFlags, Segment, SegmentType
from runner.pipeline.tokens import resolve, resolve_entries, resolve_env


def on_windows(text: str, folder: str = "D:\\lab", **dotenv: str) -> str:
    return resolve(text, repo=PureWindowsPath("C:\\prog"), folder=PureWindowsPath(folder), dotenv=dotenv, windows=True)


def on_linux(text: str, **dotenv: str) -> str:
    return resolve(text, repo=PurePosixPath("/prog"), folder=PurePosixPath("/lab"), dotenv=dotenv, windows=False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%YAML%/a/../b//c/", "\\\\nas\\share\\lab\\b\\c"),
        ("%YAML%", "\\\\nas\\share\\lab"),
        ("%YAML%/../../../..", "\\\\nas\\share\\"),
        ("%YAML%/**/*.tif", "\\\\nas\\share\\lab\\**\\*.tif"),
    ],
)
def test_a_network_path_keeps_its_server_and_share(text: str, expected: str) -> None:
    assert on_windows(text, "\\\\nas\\share\\lab") == expected


def test_a_windows_path_in_a_token_is_understood_on_linux() -> None:
    assert on_linux("%YAML%\\in put\\a.tif") == "/lab/in put/a.tif"
    assert on_linux("./sub\\a.tif") == "/lab/sub/a.tif"


def test_a_backslash_outside_a_token_stays() -> None:
    assert on_linux("a\\b") == "a\\b"


def test_blanks_quotes_and_umlauts_survive() -> None:
    assert on_windows('%YAML%/müller\'s "data" 50%/x') == 'D:\\lab\\müller\'s "data" 50%\\x'


def test_a_name_of_dotenv_stands_for_its_value_and_an_unknown_one_for_itself() -> None:
    assert on_windows("%DATA%/x", DATA="E:/big data") == "E:\\big data\\x"
    assert on_linux("%DATA%", DATA="/mnt//data/") == "/mnt/data"
    assert on_linux("%NONE%/x") == "%NONE%/x"
    assert on_linux("%yaml%/x") == "%yaml%/x"


def test_an_address_from_dotenv_is_not_mistaken_for_a_path() -> None:
    assert on_linux("%SERVER%/api", SERVER="https://example.org:8080") == "https://example.org:8080/api"


def test_an_empty_value_from_dotenv_gives_nothing() -> None:
    assert on_linux("%EMPTY%", EMPTY="") == ""
    assert on_linux("%EMPTY%x", EMPTY="") == "x"


def test_a_text_that_only_begins_with_a_percent_sign_stays() -> None:
    for text in ("%", "%%", "%YAML", "100%", "% a %b"):
        assert on_linux(text) == text


def test_dot_slash_means_the_repository_for_programs_and_the_pipeline_folder_for_data() -> None:
    assert on_linux("./a.py") == "/prog/a.py"
    assert on_linux("./a.ijm") == "/prog/a.ijm"
    assert on_linux("./in/a.tif") == "/lab/in/a.tif"
    assert on_linux("../in") == "../in"


def segment(**fields: object) -> Segment:
    return Segment(number=1, name="x", type=SegmentType.NORMAL, content_hash="", **fields)  # type: ignore[arg-type]


def test_a_null_leaves_the_flag_alone_and_the_text_null_or_an_empty_one_is_an_argument() -> None:
    entry = FlagMap((("--a", None), ("--b", "null"), ("--c", ""), ("--d", "Null"), ("--e", False)))
    (found,) = resolve_entries(
        segment(commands=(entry,)), repo=PurePosixPath("/r"), folder=PurePosixPath("/f"), dotenv={}, windows=False
    )
    expected = (("--a", None), ("--b", "null"), ("--c", ""), ("--d", "Null"), ("--e", "false"))
    assert found == ResolvedFlags(expected)


def test_variables_are_text_with_their_tokens_resolved() -> None:
    env = (("A", None), ("B", 6.0), ("C", "%YAML%/x"), ("D", True))
    found = resolve_env(
        segment(env=env), repo=PurePosixPath("/r"), folder=PurePosixPath("/f"), dotenv={}, windows=False
    )
    assert found == {"A": "<nil>", "B": "6", "C": "/f/x", "D": "true"}
