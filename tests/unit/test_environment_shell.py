"""`environment: cmd`: the line that the shell gets. What bash does with it is tried on the real one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest

from runner.environments import Request, Site, kind
from runner.environments.quoting import quote_cmd
from runner.environments.shell import check, shell_line, wrap
from runner.environments.spec import parse_environment
from runner.host import Captured, Host
from runner.model import ResolvedEntry, ResolvedFlags

SPEC = parse_environment("cmd", "", "linux")


def site(
    platform: str = "linux", *, programs: tuple[str, ...] = ("bash",), environ: dict[str, str] | None = None
) -> Site:
    def which(name: str) -> str | None:
        return f"/usr/bin/{name}" if name in programs else None

    def capture(*args: object, **more: object) -> Captured:
        raise AssertionError("a shell is asked nothing")

    host = Host(platform, environ or {}, PurePosixPath("/home/ada"), which, capture)
    return Site(host, PurePosixPath("/repo"), {}, PurePosixPath("/repo/.venvs"))


def flags(**items: str | None) -> ResolvedFlags:
    return ResolvedFlags(tuple((f"--{name}", value) for name, value in items.items()))


RECORDED: list[ResolvedEntry] = ["echo hello", flags(flag="value"), "/data/x y.txt"]


def test_the_shell_is_a_kind_of_its_own() -> None:
    assert kind(SPEC).fingerprint(SPEC, [], site()) == {"kind": "shell", "shell": "bash"}


def test_a_login_bash_gets_the_words_with_quotes_where_they_need_them() -> None:
    command = wrap(Request(SPEC, RECORDED, {"A": "1"}, "/repo"), site())
    assert command.argv == ("bash", "-lc", "echo hello --flag value '/data/x y.txt'")
    assert command.cwd == "/repo"
    assert command.env == {"A": "1"}
    assert command.raw_command_line is None


def test_cmd_gets_its_line_byte_for_byte() -> None:
    entries: list[ResolvedEntry] = ["echo hello", flags(flag="value"), r"C:\data\x y.txt"]
    command = wrap(
        Request(SPEC, entries, {}, r"C:\repo"), site("win32", environ={"COMSPEC": r"C:\Windows\system32\cmd.exe"})
    )
    assert command.argv == ("cmd", "/C", r'echo hello --flag value "C:\data\x y.txt"')
    assert command.raw_command_line == (
        r'"C:\Windows\system32\cmd.exe" /D /S /C "echo hello --flag value "C:\data\x y.txt""'
    )


def test_cmd_is_found_without_comspec_as_well() -> None:
    assert (wrap(Request(SPEC, ["ver"], {}, "C:\\"), site("win32")).raw_command_line or "").startswith(
        '"cmd.exe" /D /S /C "ver"'
    )


def test_one_string_alone_is_the_shells_own_line() -> None:
    line = "for f in *.tif; do echo \"$f\" > 'list of names.txt'; done"
    assert shell_line([line], windows=False) == line
    assert shell_line(["dir %TEMP% > out.txt & echo done"], windows=True) == "dir %TEMP% > out.txt & echo done"


def test_an_operator_that_is_a_word_of_its_own_stays_one() -> None:
    entries: list[ResolvedEntry] = ["echo", "a b", ">", "out file.txt", "&&", "ls"]
    assert shell_line(entries, windows=False) == "echo 'a b' > 'out file.txt' && ls"


def test_a_value_of_a_flag_is_never_an_operator() -> None:
    assert shell_line(["grep", flags(e="|")], windows=False) == "grep --e '|'"


@pytest.mark.parametrize(
    ("word", "quoted"),
    [
        ("plain-1.0_x", "plain-1.0_x"),
        (r"C:\data\raw", r"C:\data\raw"),
        (r"\\server\share\übung", r"\\server\share\übung"),
        ("a=1,b;c", "a=1,b;c"),
        ("", '""'),
        ("x y", '"x y"'),
        ("a&b", '"a&b"'),
        ("a^b", '"a^b"'),
        ("<in >out |pipe", '"<in >out |pipe"'),
        ("(x)", '"(x)"'),
        ("C:\\data dir\\", '"C:\\data dir\\\\"'),
        ('say "hi"', '"say ""hi"""'),
        ('end\\"', '"end\\\\"""'),
        ("100%", '"100%%cd:~,%"'),
        ("%PATH%", '"%%cd:~,%PATH%%cd:~,%"'),
    ],
)
def test_words_for_cmd_are_quoted_only_when_they_need_it(word: str, quoted: str) -> None:
    assert quote_cmd(word) == quoted


def test_a_missing_bash_is_said_with_a_cure() -> None:
    (finding,) = check(SPEC, RECORDED, site(programs=()))
    assert finding.key == "environment"
    assert "bash" in finding.message
    assert finding.cure


def test_a_segment_without_a_command_is_refused() -> None:
    assert [finding.key for finding in check(SPEC, [], site())] == ["commands"]


def test_a_line_break_inside_an_argument_is_refused_for_cmd_only() -> None:
    entries: list[ResolvedEntry] = ["echo", "a\nb"]
    assert check(SPEC, entries, site()) == []
    (finding,) = check(SPEC, entries, site("win32"))
    assert "line break" in finding.message


@pytest.mark.skipif(
    shutil.which("bash") is None or sys.platform == "win32", reason="needs bash as POSIX systems have it"
)
def test_every_word_reaches_the_program_through_the_real_bash(tmp_path: Path) -> None:
    odd = ["x y", "it's", 'a "b"', "$HOME", "`ls`", "*", "ü&|;<>()", "", "back\\slash", "two\nlines", "!x", "~"]
    script = tmp_path / "show me.py"
    script.write_text("import json, sys; json.dump(sys.argv[1:], open('seen.json', 'w'))", encoding="utf-8")
    first = f"'{sys.executable}'"
    command = wrap(Request(SPEC, [first, str(script), *odd, flags(k="v w")], {}, str(tmp_path)), site())
    subprocess.run(
        command.argv, cwd=tmp_path, check=True, timeout=30, env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    )
    assert json.loads((tmp_path / "seen.json").read_text("utf-8")) == [*odd, "--k", "v w"]


def test_a_network_folder_is_said_to_be_none_for_cmd_exe() -> None:
    there = site("win32")
    wrap(Request(SPEC, ["dir"], {}, r"\\nas\lab\repo"), there)
    assert "cannot work in a network folder" in next(iter(there.notes))
    wrap(Request(SPEC, ["dir"], {}, r"Z:\repo"), there)
    assert len(there.notes.take()) == 1
