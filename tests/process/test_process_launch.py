"""Command lines and environments for Windows and the others; pure text, tested on any platform."""

import pytest

from runner.model import Command
from runner.process.launch import (
    StartError,
    batch_command_line,
    carries,
    child_environ,
    find_on_windows,
    is_batch,
    launch_for,
    new_marker,
)

SYSTEM = {"Path": r"C:\tools;C:\more tools", "PATHEXT": ".COM;.EXE;.BAT;.CMD", "SystemRoot": r"C:\Windows"}
FILES = {
    r"C:\tools\conda.bat", r"C:\more tools\uv.exe", r"C:\tools\plain", r"C:\data\run me.cmd", r"C:\tools\conda.exe.bat",
    r"\\server\share\tool.exe",
}  # fmt: skip


def exists(path: str) -> bool:
    return path.lower() in {f.lower() for f in FILES}


def found(name: str, cwd: str = r"C:\data") -> str | None:
    return find_on_windows(name, SYSTEM, cwd, exists)


def test_windows_programs_are_found_through_path_and_pathext() -> None:
    assert (found("uv") or "").lower() == r"c:\more tools\uv.exe"
    assert (found("conda") or "").lower() == r"c:\tools\conda.bat"
    assert found("plain") == r"C:\tools\plain"
    assert found("nothing") is None


def test_the_current_folder_counts_only_where_it_is_written() -> None:
    assert found("run me.cmd") is None
    assert found(r".\run me.cmd") == r"C:\data\run me.cmd"
    assert found(r"\\server\share\tool.exe") == r"\\server\share\tool.exe"


@pytest.mark.parametrize("name", ["a.bat", "a.CMD", "a.bat. .", "a.cmd   ", r"C:\x y\a.Bat."])
def test_a_batch_file_is_seen_through_dots_and_blanks(name: str) -> None:
    assert is_batch(name)
    assert not is_batch("a.exe") and not is_batch("bat") and not is_batch("a.bat.exe")


@pytest.mark.parametrize(
    ("word", "quoted"),
    [
        ("plain-1.tif", "plain-1.tif"),
        ("", '""'),
        ("two words", '"two words"'),
        ("a&b|c<d>e^f", '"a&b|c<d>e^f"'),
        ("100%", '"100%%cd:~,%"'),
        ("%PATH%", '"%%cd:~,%PATH%%cd:~,%"'),
        ('say "hi"', '"say ""hi"""'),
        ('back\\"slash', '"back\\\\""slash"'),
        ("C:\\folder\\", '"C:\\folder\\\\"'),
        ("C:\\a folder\\", '"C:\\a folder\\\\"'),
        ("a,b;c=d", '"a,b;c=d"'),
        ("(1)!", '"(1)!"'),
        ("Größe µm", '"Größe µm"'),
    ],
)
def test_words_for_a_batch_file_cannot_break_out_of_their_quotes(word: str, quoted: str) -> None:
    line = batch_command_line(r"C:\my tools\conda.bat", [word, "last"])
    assert line == f'cmd.exe /e:ON /v:OFF /d /c ""C:\\my tools\\conda.bat" {quoted} last"'


@pytest.mark.parametrize("word", ["a\nb", "a\rb", "\0"])
def test_what_a_batch_file_cannot_be_given_is_refused(word: str) -> None:
    with pytest.raises(StartError):
        launch_for(["conda", word], SYSTEM, "win32", is_file=exists)
    with pytest.raises(StartError, match="name"):
        batch_command_line('C:\\a"b.bat', [])


def test_a_batch_file_goes_through_the_systems_own_cmd() -> None:
    launch = launch_for(["conda", "info"], {**SYSTEM, "ComSpec": r"C:\evil.exe"}, "win32", is_file=exists)
    assert launch.executable == r"C:\Windows\System32\cmd.exe"
    assert str(launch.args).lower() == r'cmd.exe /e:on /v:off /d /c ""c:\tools\conda.bat" info"'


def test_a_batch_file_is_not_started_where_cmd_would_change_the_folder() -> None:
    with pytest.raises(StartError, match="drive letter"):
        launch_for(["conda"], SYSTEM, "win32", cwd=r"\\server\share\data", is_file=exists)
    assert launch_for(["uv"], SYSTEM, "win32", cwd=r"\\server\share\data", is_file=exists).executable


def test_an_exe_gets_its_words_without_any_shell() -> None:
    launch = launch_for(["uv", "a b", 'c"d', "%PATH%", "e\\"], SYSTEM, "win32", is_file=exists)
    assert (launch.executable or "").lower() == r"c:\more tools\uv.exe"
    assert str(launch.args).endswith('"a b" c\\"d %PATH% e\\')


def test_a_raw_command_line_is_passed_as_it_is() -> None:
    raw = 'uv /d /s /c "echo %A% & "x y""'
    assert launch_for(["uv"], SYSTEM, "win32", raw_command_line=raw, is_file=exists).args == raw
    launch = launch_for(["cmd", "/C", "x"], {}, "win32", raw_command_line='cmd /S /C "x"', is_file=exists)
    assert (launch.args, launch.executable) == ('cmd /S /C "x"', r"C:\Windows\System32\cmd.exe")


def test_a_line_that_windows_cannot_take_is_refused_beforehand() -> None:
    with pytest.raises(StartError, match="32766"):
        launch_for(["uv", "x" * 33000], SYSTEM, "win32", is_file=exists)
    with pytest.raises(StartError, match="8191"):
        launch_for(["conda", "x" * 9000], SYSTEM, "win32", is_file=exists)


def test_an_empty_command_is_refused() -> None:
    for argv in ([], [""]):
        with pytest.raises(StartError, match="empty"):
            launch_for(argv, {}, "linux")


def test_other_systems_get_the_list_as_it_is() -> None:
    assert launch_for(["a", "b c", "é\n"], {}, "linux").args == ["a", "b c", "é\n"]


def test_later_variables_win_and_unset_ones_are_gone() -> None:
    command = Command(("a",), "/", env={"C": "env"}, activation={"B": "act", "C": "act"}, unset=("A", "D", "nope"))
    caller = {"A": "1", "B": "1", "C": "1", "D": "1", "E": "1"}
    assert child_environ(caller, command, "linux") == {"B": "act", "C": "env", "E": "1"}
    assert caller["A"] == "1", "the caller's environment is not changed"


def test_windows_variables_are_the_same_in_any_case() -> None:
    command = Command(("a",), "/", env={"path": "new", "conda_prefix": "p"}, unset=("pythonpath", "CONDA_PREFIX"))
    caller = {"Path": "old", "PYTHONPATH": "x", "Conda_Prefix": "y"}
    assert child_environ(caller, command, "win32") == {"Path": "new", "conda_prefix": "p"}
    assert child_environ({"Path": "a", "PATH": "b"}, Command(("a",), "/"), "win32") == {"Path": "b"}
    assert child_environ({"Path": "a", "PATH": "b"}, Command(("a",), "/"), "linux") == {"Path": "a", "PATH": "b"}


def test_a_tree_inside_a_tree_belongs_to_both() -> None:
    outer = new_marker({})
    inner = new_marker({"RUN_PIPELINE_TREE": outer})
    assert carries(outer, outer) and carries(inner, outer) and carries(inner, inner)
    assert not carries(outer, inner) and not carries(outer + "0", outer)
    assert not carries(None, outer) and not carries("", "")
    assert new_marker({}) != outer
