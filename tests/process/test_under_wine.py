"""What Windows programs make of our command lines, tried with Wine's CreateProcess, cmd.exe and C runtime."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

import pytest

from runner.environments import Request, Site, kind
from runner.environments.spec import parse_environment
from runner.host import Captured, Host
from runner.model import ResolvedEntry, ResolvedFlags
from runner.process.launch import Launch, launch_for

COMPILER = "x86_64-w64-mingw32-gcc"
MISSING = [name for name in ("wine", COMPILER) if shutil.which(name) is None]
pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="Windows needs no Wine"),
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
]
ENVIRON = {"SYSTEMROOT": r"C:\windows", "COMSPEC": r"C:\windows\system32\cmd.exe", "PATH": r"C:\windows\system32"}
# fmt: off
WORDS = [
    "plain", "two words", "", '"', 'say "hi"', "a&b", "a^b", "a|b", "<in", ">out", "a!b", "!PATH!", "^^", 'a^"b&c',
    "C:\\folder\\", "C:\\a folder\\", 'a\\"b', "\\\\", 'x\\\\"', "\\\\server\\share\\x y\\", "Größe µm 日本 𝄞",
    "(x)", "a=b", "a,b;c", "it's", "`x`", "@x", "[x]{y}", "*", "?", "\t", '" & echo broken out & "',
    '"&echo broken out', 'a"b c"d & e', "last",
]
PERCENT = [
    "%PATH%", "100%", "50% of %TEMP%", "%%", "%cd%", "%1", "%*", "%~dp0", "a%", "%a", "-u=%USERNAME%", '"%PATH%"',
]
# fmt: on


@pytest.fixture(scope="module")
def wine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., subprocess.CompletedProcess[bytes]]]:
    """Runs a program in a Windows of its own, which ends with the tests."""
    folder = tmp_path_factory.mktemp("wine")
    environ = {
        **os.environ, "HOME": str(folder), "WINEPREFIX": str(folder / "prefix"), "WINEDEBUG": "-all",
        "WINEDLLOVERRIDES": "mscoree,mshtml,winemenubuilder.exe=",
    }  # fmt: skip
    environ.pop("DISPLAY", None)

    def run(*argv: str | Path) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [str(word) for word in argv], env=environ, stdin=subprocess.DEVNULL, capture_output=True, timeout=120
        )

    run("wine", "wineboot", "--init")
    yield run
    run("wine", "wineboot", "--kill")
    run(*([shutil.which("wineserver") or "/usr/lib/wine/wineserver64"]), "--wait")


@pytest.fixture(scope="module")
def words_exe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("words") / "my tools" / "words.exe"
    program.parent.mkdir()
    subprocess.run(
        [COMPILER, "-municode", "-O1", "-s", "-o", program, Path(__file__).with_name("words.c")],
        check=True,
        timeout=120,
    )
    return program


def on_windows(path: Path) -> str:
    """`path` by Wine's drive for the whole machine."""
    return "Z:" + str(path).replace("/", "\\")


def as_exe(program: str, words: list[str]) -> Launch:
    return launch_for([program, *words], ENVIRON, "win32", is_file=lambda path: True)


def as_line_of_cmd(program: str, words: list[str]) -> Launch:
    def nothing(*args: object, **more: object) -> Captured:
        raise AssertionError("a shell is asked nothing")

    host = Host("win32", ENVIRON, PurePosixPath("/"), lambda name: None, nothing)
    site = Site(host, PurePosixPath("/"), {}, PurePosixPath("/"))
    spec = parse_environment("cmd", "", "win32")
    entries: list[ResolvedEntry] = [f'"{program}"', ResolvedFlags(tuple((word, None) for word in words))]
    command = kind(spec).wrap(Request(spec, entries, {}, "C:\\"), site)
    return launch_for(command.argv, ENVIRON, "win32", raw_command_line=command.raw_command_line)


def test_every_word_reaches_a_windows_program_as_it_was_written(
    wine: Callable[..., subprocess.CompletedProcess[bytes]], words_exe: Path
) -> None:
    program = on_windows(words_exe)
    batch = words_exe.with_name("call me.bat")
    batch.write_bytes(b'@"%~dp0words.exe" %*\r\n')
    tried = [
        (WORDS + PERCENT, as_exe(program, WORDS + PERCENT)),
        (WORDS + PERCENT, as_line_of_cmd(program, WORDS + PERCENT)),
        # Wine expands once more what it put in for %*, which Microsoft's cmd.exe does not: no word with % here
        (WORDS, as_exe(on_windows(batch), WORDS)),
    ]
    lines = words_exe.with_name("lines.txt")
    lines.write_text("\n".join(f"{launch.executable}\x1f{launch.args}" for _, launch in tried), encoding="utf-8")
    done = wine("wine", words_exe, "@" + on_windows(lines))
    answers = done.stdout.decode("utf-8").replace("\r\n", "\n").split("\x1d\n")[:-1]
    assert len(answers) == len(tried), done
    for (words, _), answer in zip(tried, answers, strict=True):
        assert answer.split("\n") == [*words, "\x1e", ""]
