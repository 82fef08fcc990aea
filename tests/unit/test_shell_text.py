"""What an item is called is put into a line for a shell as a text, and never runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runner.environments.shell_text import quotes_for
from runner.errors import UsageError

posix = pytest.mark.skipif(sys.platform == "win32", reason="bash")
NASTY = [
    'a"; touch x; "', "$(touch x)", "`touch x`", "'; touch x; '", "a b", "a\nb", "-rf", "&", ">x", "*", "~", "ü ß",
    "\\", 'a\\"b', "!!", "$HOME", "%PATH%", "a'b", "", "#x", "\udcff",
]  # fmt: skip


def put(line: str, value: str, *, windows: bool = False) -> str:
    """`line` with `value` where @ stands."""
    spans = [(at, at + 1) for at, sign in enumerate(line) if sign == "@"]
    quotes = quotes_for(line, spans, windows=windows)
    for (start, end), quote in reversed(list(zip(spans, quotes, strict=True))):
        line = line[:start] + quote(value) + line[end:]
    return line


def printed(line: str, folder: Path) -> bytes:
    done = subprocess.run(["bash", "-c", line], cwd=folder, capture_output=True, check=True, stdin=subprocess.DEVNULL)
    assert list(folder.iterdir()) == []
    return done.stdout


@posix
@pytest.mark.parametrize(
    "line",
    [
        "printf %s @",
        'printf %s "@"',
        "printf %s '@'",
        'printf %s "$(printf %s @)"',
        "printf %s \"$(printf %s '@')\"",
        "( printf %s @ ) # it's @ done",
        "echo \"it's\" >/dev/null; printf %s $'it\\'s' >/dev/null; printf %s \"@\"",
        "x=1; printf %s @ # it's",
        "bash -c 'printf %s \"$1\"' _ @",
        "grep -q 'x$' /dev/null; printf %s \"@\"",
    ],
)
def test_a_name_reaches_the_program_as_it_is_or_is_refused_where_it_could_run(line: str, tmp_path: Path) -> None:
    lines = []
    for value in NASTY:
        try:
            lines.append((value, put(line, value)))
        except UsageError:
            assert "#" in line and "it's @" in line and value not in ("-rf", "%PATH%")
    for value, filled in lines:
        out = printed(filled, tmp_path).decode("utf-8", "surrogateescape")
        assert out.rstrip("\n") == value.rstrip("\n"), filled


@posix
@pytest.mark.parametrize(
    "line",
    [
        "bash -lc 'ls @'", "ssh host ls @", "eval ls @", "cat <<E\n@\nE", "echo `ls @`", "echo $((@))", "awk '{@}'",
        "python3 -c 'print(\"@\")'", "case @ in x) ls;; esac", "ls \\@", "echo $'@'", "[[ @ -eq 1 ]]", "echo ${x:-'@'}",
    ],
)  # fmt: skip
def test_where_a_name_would_be_read_as_code_only_a_plain_one_is_put(line: str) -> None:
    assert put(line, "day-1/a_ü.tif") == line.replace("@", "day-1/a_ü.tif")
    for value in ("$(touch x)", "a b", "a;b", "a'b", 'a"b'):
        with pytest.raises(UsageError, match="could run as a command") as raised:
            put(line, value)
        assert "env:" in raised.value.cure


@posix
@given(st.text(alphabet="'\"\\$`(){}# \n;&|x@", max_size=14), st.text(alphabet="'\"\\$`();&| \nx", max_size=6))
@example("\"$(x '", "';x")
def test_whatever_the_line_is_a_value_changes_nothing_of_its_other_commands(line: str, value: str) -> None:
    """Put in, it must not end the quotes that it stands in: bash reads as many commands as with a plain value."""
    try:
        filled = put(line, value)
    except UsageError:
        return
    assert _reads(filled) == _reads(put(line, "a"))


def _reads(line: str) -> bool:
    """Whether bash can read it."""
    return subprocess.run(["bash", "-n", "-c", line], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(
    ("line", "value", "filled"),
    [
        ("type @", "a b", 'type "a b"'),
        ("type @", "a&calc", 'type "a&calc"'),
        ("type @", "a;b", 'type "a;b"'),
        ("type @", "D:\\lab\\a.tif", "type D:\\lab\\a.tif"),
        ('type "@"', "a & b", 'type "a & b"'),
        ('type "@"', "100%PATH%", 'type "100%%cd:~,%PATH%%cd:~,%"'),
        ('dir "@"', "C:\\", 'dir "C:\\\\"'),
        ('dir "@\\x"', "C:\\a", 'dir "C:\\a\\x"'),
        ('type "@"', 'a"&calc', 'type "a""&calc"'),
        ("x > out\\@.txt", "a b", 'x > out\\"a b".txt'),
    ],
)
def test_cmd_exe_takes_a_name_as_a_text(line: str, value: str, filled: str) -> None:
    assert put(line, value, windows=True) == filled


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("type ^@", "&calc"),
        ("call x @", "%PATH%"),
        ("for %%f in (@) do x", "a b"),
        ('cmd /c "type @"', "a&calc"),
        ('py -c "print(@)"', "a'b"),
        ('x "a"@', "a b"),
        ("x @@", "a b"),
        ("type @", "a\nb"),
    ],
)
def test_cmd_exe_is_given_no_name_that_could_run(line: str, value: str) -> None:
    with pytest.raises(UsageError):
        put(line, value, windows=True)
