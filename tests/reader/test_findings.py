"""A script that is not there is found before anything runs."""

import sys
from pathlib import Path, PureWindowsPath

import pytest

from runner.environments import Site
from runner.host import Captured, Host
from runner.model import FlagMap, ResolvedEntry, ResolvedFlags, Segment, SegmentType
from runner.pipeline.findings import near, script_findings
from runner.pipeline.programs import line_of


def host(platform: str = sys.platform) -> Host:
    return Host(platform, {}, Path(), lambda name: None, lambda argv, **more: Captured(None, b"", b""))


def find(folder: Path, *entries: ResolvedEntry, environment: str = "uv:x") -> list[tuple[str, str, str]]:
    commands = tuple(FlagMap(entry.items) if isinstance(entry, ResolvedFlags) else entry for entry in entries)
    segment = Segment(1, "x", SegmentType.NORMAL, "", environment=environment, commands=commands)
    return [(f.key, f.message, f.cure) for f in script_findings(segment, entries, str(folder), host())]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    scripts = tmp_path / "müller's scripts"
    scripts.mkdir()
    (scripts / "segment_threshold.py").touch()
    (scripts / "count.ijm").touch()
    return scripts


def test_a_script_that_is_there_is_no_finding(folder: Path) -> None:
    assert not find(folder, "python", "segment_threshold.py")
    assert not find(folder, "python", "-u", "-X", "dev", str(folder / "segment_threshold.py"), "--x")
    assert not find(folder, "count.ijm", ResolvedFlags((("x", "other.ijm"),)), environment="imagej")
    assert not find(folder, ResolvedFlags((("python", "segment_threshold.py"),)))


def test_a_missing_script_is_found_with_its_entry_and_the_near_name(folder: Path) -> None:
    ((key, message, cure),) = find(folder, "python", "segment_treshold.py", "--x")
    assert key == "commands.1"
    assert str(folder / "segment_treshold.py") in message
    assert "segment_threshold.py" in cure


def test_a_missing_script_as_the_first_word_or_behind_options_is_found(folder: Path) -> None:
    assert find(folder, "cont.ijm", environment="imagej")[0][2] == "Did you mean count.ijm?"
    assert find(folder, "python.exe", "-W", "error", "x.py")[0][0] == "commands.3"
    assert find(folder, "-u", "x.py")[0][0] == "commands.1"


def test_a_missing_folder_is_named(folder: Path) -> None:
    assert "no folder" in find(folder, "python", "sub/x.py")[0][2]


def test_a_folder_is_no_script(folder: Path) -> None:
    (folder / "x.py").mkdir()
    assert "is a folder" in find(folder, "python", "x.py")[0][1]


def test_modules_code_programs_and_shell_lines_are_no_scripts(folder: Path) -> None:
    assert not find(folder, "python", "-m", "tool", "x.py")
    assert not find(folder, "python", "-c", "import x.py")
    assert not find(folder, "cellpose", "--config", "x.py")
    assert not find(folder, "cd sub && python x.py", environment="cmd")
    assert not find(folder)


def test_the_disk_of_another_platform_is_not_asked() -> None:
    segment = Segment(1, "x", SegmentType.NORMAL, "")
    other = "win32" if sys.platform != "win32" else "linux"
    assert not script_findings(segment, ["python", "C:\\none\\x.py"], "C:\\none", host(other))


def test_near_names_forgive_case_blanks_and_separators() -> None:
    names = ["segment-threshold", "convert-to-tif"]
    assert near("Segment_Threshold", names) == "segment-threshold"
    assert near("segment treshold", names) == "segment-threshold"
    assert near("cellpose", names) is None
    assert near("", names) is None
    assert near("x", []) is None


@pytest.mark.parametrize(
    ("cwd", "script", "program"),
    [
        ("D:\\lab", "D:\\lab\\standard_code\\python\\mask_measure.py", "mask_measure.py"),
        ("D:\\lab", "standard_code/python/mask_measure.py", "mask_measure.py"),
        ("d:\\LAB", "Standard_Code\\Python\\mask_measure.py", "mask_measure.py"),
        ("D:\\lab", "D:\\other\\standard_code\\python\\mask_measure.py", None),
        ("D:\\lab", "mask_measure.py", None),
    ],
)
def test_a_program_that_ships_is_known_by_its_place_on_windows_too(cwd: str, script: str, program: str | None) -> None:
    commands = ("python", script, "--x")
    segment = Segment(1, "x", SegmentType.NORMAL, "", environment="uv:x", commands=commands)
    site = Site(host("win32"), PureWindowsPath("D:/lab"), {}, PureWindowsPath("D:/lab/.venvs"))
    line = line_of(segment, commands, cwd, site.repo, site.host)
    assert (line and line.program) == program
    assert line is None or line.words == (("commands.2", "--x"),)
