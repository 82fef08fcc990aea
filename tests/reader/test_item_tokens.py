"""The tokens of items: they survive the others, and are told where they mean nothing."""

from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest

from runner.errors import PipelineError
from runner.model import Diagnostic, ResolvedFlags
from runner.pipeline.reader import parse_pipeline
from runner.pipeline.tokens import ITEM_TOKEN, ITEM_TOKENS, odd_tokens, resolve, resolve_entries, resolve_env


def on_windows(text: str, *, items: bool = True, **dotenv: str) -> str:
    repo, folder = PureWindowsPath("C:\\prog"), PureWindowsPath("D:\\lab")
    return resolve(text, repo=repo, folder=folder, dotenv=dotenv, windows=True, items=items)


def on_linux(text: str, *, items: bool = True, **dotenv: str) -> str:
    repo, folder = PurePosixPath("/prog"), PurePosixPath("/lab")
    return resolve(text, repo=repo, folder=folder, dotenv=dotenv, windows=False, items=items)


@pytest.mark.parametrize("token", [*(f"%{name}%" for name in ITEM_TOKENS), "%COL:a b%", "%COL:area/px%", "%COL:ä%"])
def test_a_token_of_an_item_stays_whole_wherever_it_stands(token: str) -> None:
    assert ITEM_TOKEN.fullmatch(token)
    assert on_linux(token) == token
    assert on_linux(f"--x={token}.tif") == f"--x={token}.tif"
    assert on_linux(f"%YAML%/out/../b/x{token}.tif") == f"/lab/b/x{token}.tif"
    assert on_windows(f"%YAML%/out/../b/x{token}.tif") == f"D:\\lab\\b\\x{token}.tif"
    assert on_windows(f"%DATA%/{token}/a", DATA="E:/d") == f"E:\\d\\{token}\\a"


def test_what_leads_out_of_an_item_s_own_folder_is_not_cleaned_away() -> None:
    assert on_linux("%YAML%/out//%RELATIVE%/../x//y") == "/lab/out/%RELATIVE%/../x/y"
    assert on_windows("%YAML%/out/%RELATIVE%/../x") == "D:\\lab\\out\\%RELATIVE%\\..\\x"
    assert on_linux("%YAML%\\out\\%STEM%\\x") == "/lab/out/%STEM%/x"


def test_a_token_right_behind_another_is_a_name_in_its_folder() -> None:
    assert on_linux("%YAML%%STEM%") == "/lab/%STEM%"
    assert on_linux("%YAML%/%STEM%_%INDEX%") == "/lab/%STEM%_%INDEX%"
    assert on_linux("./%NAME%") == "/lab/%NAME%"
    assert on_linux("%E%/%NAME%", E="") == "/%NAME%"


def test_a_name_of_dotenv_that_is_called_the_same_counts_only_without_items() -> None:
    assert on_linux("%NAME%/x", NAME="/data") == "%NAME%/x"
    assert on_linux("%NAME%/x", items=False, NAME="/data") == "/data/x"
    (told,) = odd_tokens("%NAME%/x", {"NAME": "/data"}, items=True)
    assert "not NAME of .env" in told[0]


def test_without_items_a_path_is_cleaned_as_ever() -> None:
    assert on_linux("%YAML%/%STEM%/../x", items=False) == "/lab/x"


def test_entries_and_variables_of_a_segment_with_items_keep_its_tokens() -> None:
    text = (
        "run:\n- environment: cmd\n  foreach: in/*\n  env: {A: '%NAME%', B: '%YAML%/%STEM%/../x'}\n"
        "  commands: [a, --o: '%YAML%/%STEM%/../x', --n: '%NAME%']\n"
    )
    (segment,) = parse_pipeline(text.encode(), Path("/lab/x.yaml")).segments
    repo, folder, dotenv = PurePosixPath("/prog"), PurePosixPath("/lab"), {"NAME": "/data"}
    found = resolve_entries(segment, repo=repo, folder=folder, dotenv=dotenv, windows=False)
    assert found[1:] == [ResolvedFlags((("--o", "/lab/%STEM%/../x"),)), ResolvedFlags((("--n", "%NAME%"),))]
    env = resolve_env(segment, repo=repo, folder=folder, dotenv=dotenv, windows=False)
    assert env == {"A": "%NAME%", "B": "/lab/%STEM%/../x"}


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("%ITEM%", "only with `foreach:`"),
        ("--x=%STEM%.tif", "only with `foreach:`"),
        ("%MATRIX%", "only with `matrix:`"),
        ("%COL:well%", "only with `foreach:` or `matrix:`"),
    ],
)
def test_a_token_of_an_item_without_items_is_warned_of_once(text: str, phrase: str) -> None:
    (told,) = odd_tokens(text, {})
    assert phrase in told[0]
    assert not list(odd_tokens(text, {}, items=True))


def test_a_token_that_is_nearly_one_of_an_item_is_told_where_there_are_items() -> None:
    (told,) = odd_tokens("%item%", {}, items=True)
    assert told == ("there is no token %item%: it stays as it is", "Did you mean %ITEM%?")


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ("%YAML%/out/%STEM.tif", "%STEM%"),
        ("%YAML%/out/STEM%.tif", "%STEM%"),
        ("%ITEM", "%ITEM%"),
        ("--x=%column:well%", "%COL:well%"),
        ("--x=%Col: well %", "%COL:well%"),
        ("%COL.well%", "%COL:well%"),
    ],
)
def test_a_token_that_lost_a_sign_is_told_before_all_items_write_one_file(text: str, token: str) -> None:
    assert [cure for _, cure in odd_tokens(text, {}, items=True)] == [f"Write {token}."]


def test_percent_signs_that_mean_no_item_are_left_alone() -> None:
    for text in ("50%", "%d", "%STEM%%INDEX%", "100%_%STEM%", "%H%M%S", "%ITEMS_FILE%", "a%20b"):
        assert not list(odd_tokens(text, {}, items=True)), text


def test_in_a_shell_without_items_its_own_variables_of_such_names_are_left_alone() -> None:
    assert not list(odd_tokens("set NAME=x & echo %NAME% %INDEX%", {}, of_shell=()))


def text_of(keys: str, commands: str) -> bytes:
    lines = "".join(f"  {line}\n" for line in keys.splitlines())
    return f"run:\n- environment: uv:default\n  commands: {commands}\n{lines}".encode()


def said(keys: str, commands: str) -> list[Diagnostic]:
    with pytest.raises(PipelineError) as caught:
        parse_pipeline(text_of(keys, commands), Path("/lab/x.yaml"))
    return list(caught.value.diagnostics)


@pytest.mark.parametrize(
    ("keys", "commands", "phrase", "cure"),
    [
        ("foreach: a/*", "[a, b]", "nothing here names the item", "Write %ITEM%"),
        ("foreach: {csv: a.csv}\nmatrix: {s: [1, 2]}", "[a, '%COL:s%']", "nothing here names the item", "%ITEM%"),
        ("foreach: a/*", "[a, '%MATRIX%', '%ITEM%']", "only with `matrix:`", "%STEM%"),
        ("foreach: a/*", "[a, '%COL:x%']", "only with a CSV file", "foreach: {csv: plates.csv}"),
        ("foreach: a/*", "[a, '%ITEMS%']", "only with `batch:`", "batch: 50"),
        ("foreach: a/*", "[a, '%ITEMS_FILE%']", "only with `batch:`", "batch: 50"),
        ("foreach: a/*\nbatch: 5", "[a, '%ITEM%', '%ITEMS%']", "the program gets many at once", "delete `batch`"),
        ("foreach: a/*\nbatch: 5", "[a, '%STEM%']", "the program gets many at once", "%ITEMS_FILE%"),
        ("foreach: a/*\nbatch: 5\ncwd: '%PARENT%'", "[a, '%ITEMS%']", "the program gets many at once", "%ITEMS%"),
        ("foreach: {csv: a.csv}\nbatch: 5", "[a, '%COL:x%']", "the program gets many at once", "%ITEMS%"),
        ("foreach: a/*\nbatch: 5", "[a, b]", "nothing in `commands` names the items of a batch", "%ITEMS%"),
        ("foreach: a/*\nbatch: 5", "[a, '--x=%ITEMS%']", "nothing can stand beside it", "%ITEMS_FILE%"),
        ("foreach: a/*\nbatch: 5\nenv: {A: '%ITEMS%'}", "[a]", "cannot stand in `env`", "`commands`"),
        ("foreach: a/*\nbatch: 5\noutputs: '%ITEMS%'", "[a, '%ITEMS%']", "cannot stand in `outputs`", "`commands`"),
        ("foreach: 'a/%STEM%/*'", "[a, '%ITEM%']", "cannot stand in `foreach`", "Write a value"),
        ("matrix: {s: ['%STEM%', b]}", "[a, '%COL:s%']", "cannot stand in `matrix`", "Write a value"),
        ("matrix: {s: ['%YAML%/a', b]}", "[a, '%COL:s%']", "not replaced in a value of `matrix`", "'%YAML%/%COL:s%'"),
        ("matrix: {s: [1, 2]}\nbatch: 2", "[a, '%COL:s%']", "`batch` means something only with `foreach`", "Delete it"),
        ("matrix: {s: [1, 2]}", "[a, '%ITEM%', '%MATRIX%']", "only with `foreach:`", "%COL:s%"),
        ("matrix: {sigma: [1, 2]}", "[a, '%COL:sgima%']", "no parameter `sgima`", "Did you mean %COL:sigma%?"),
        ("matrix: {s: [1, 2], m: [a, b]}", "[a, '%COL:s%']", "nothing tells the program `m`", "%COL:m%"),
        ("matrix: {s: [1, 2]}\noutputs: o/*.tif", "[a, '%COL:s%']", "write over each other's output", "%MATRIX%"),
        ("matrix: {s: [1, 2], m: [a, b]}\noutputs: 'o/%COL:s%'", "[a, '%MATRIX%']", "differ in `m`", "%MATRIX%"),
    ],
)
def test_a_token_that_means_nothing_or_an_item_that_nothing_names_is_an_error(
    keys: str, commands: str, phrase: str, cure: str
) -> None:
    (one,) = said(keys, commands)
    assert phrase in one.message
    assert cure in one.cure
    assert one.mark is not None


@pytest.mark.parametrize(
    ("keys", "commands"),
    [
        ("foreach: a/*", "[a, --in=%ITEM%]"),
        ("foreach: a/*\nenv: {IMAGE: '%ITEM%'}", "[a]"),
        ("foreach: a/*\ncwd: '%PARENT%'", "[a]"),
        ("foreach: {range: 3}", "[a]"),
        ("foreach: {csv: a.csv}", "[a, '%COL:well id%']"),
        ("foreach: {csv: a.csv}\nmatrix: {s: [1, 2]}", "[a, '%COL:well%', '%COL:s%']"),
        ("foreach: a/*\nbatch: 5\noutputs: 'o/%STEM%.tif'", "[a, --files: '%ITEMS%']"),
        ("foreach: a/*\nbatch: 5", "[a, '@%ITEMS_FILE%']"),
        ("foreach: a/*\nbatch: 1", "[a, '%ITEM%']"),
        ("foreach: a/*\nbatch: 5\nmatrix: {s: [1, 2]}", "[a, '%ITEMS%', '%COL: s %']"),
        ("matrix: {s: [1, 2]}\ncwd: 'o/%MATRIX%'\noutputs: '*.tif'", "[a]"),
        ("matrix: {s: [1, 2], m: [a]}\noutputs: 'o/%COL:s%.tif'", "[a, '%COL:s%']"),
    ],
)
def test_what_names_each_item_is_read_without_a_remark(keys: str, commands: str) -> None:
    assert not parse_pipeline(text_of(keys, commands), Path("/lab/x.yaml")).warnings


def test_an_environment_for_each_item_is_refused() -> None:
    text = "run:\n- environment: uv:%STEM%\n  foreach: a/*\n  commands: [a, '%ITEM%']\n"
    with pytest.raises(PipelineError) as caught:
        parse_pipeline(text.encode(), Path("/lab/x.yaml"))
    assert "all items run in one environment" in caught.value.diagnostics[0].message


@pytest.mark.parametrize(
    ("keys", "word", "cure"),
    [
        ("foreach: a/*", "{input}", "%ITEM%"),
        ("foreach: a/*", "out/{sample}.tif", "%STEM%"),
        ("foreach: a/*", "{wildcards.sample}", "%STEM%"),
        ("foreach: a/*", "{}", "%ITEM%"),
        ("foreach: a/*", "{STEM}", "%STEM%"),
        ("matrix: {sigma: [1, 2]}", "{params.sigma}", "%COL:sigma%"),
        ("matrix: {sigma: [1, 2]}", "${{ matrix.sigma }}", "%COL:sigma%"),
    ],
)
def test_a_placeholder_of_another_tool_is_warned_of(keys: str, word: str, cure: str) -> None:
    whole = "'%MATRIX%'" if "matrix" in keys else "'%ITEM%'"
    (one,) = parse_pipeline(text_of(keys, f"[a, {whole}, '{word}']"), Path("/lab/x.yaml")).warnings
    assert "stays as it is" in one.message
    assert cure in one.cure


def test_braces_of_the_program_s_own_and_variables_of_a_shell_are_left_alone() -> None:
    for word in ("{x}", "${NAME}", "a{1,2}", "{width}x{height}"):
        text = text_of("foreach: a/*", f"[a, '%ITEM%', '{word}']")
        assert not parse_pipeline(text, Path("/lab/x.yaml")).warnings, word
