"""ImageJ segments: the command line for each family of launchers, and that values survive it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

import pytest

from runner.cli.asking import ask_user
from runner.environments import Request, Site, kind
from runner.environments.imagej.kind import quoted
from runner.environments.imagej.launcher import is_new, usual_folders
from runner.environments.spec import parse_environment
from runner.errors import EnvironmentMissing
from runner.host import Captured, Host
from runner.model import ResolvedEntry, ResolvedFlags
from runner.process.capture import capture
from tests.support.programs import stand_in

SPEC = parse_environment("imagej", "", "linux")
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="paths of POSIX")
HERE = "win32" if sys.platform == "win32" else "linux"
LAUNCHERS = (
    {"old": "ImageJ-win64.exe", "new": "fiji-windows-x64.exe"}
    if sys.platform == "win32"
    else {"old": "ImageJ-linux64", "new": "fiji-linux-x64"}
)
FAKE = Path(__file__).with_name("fake_imagej.py")


def flag(name: str, value: str | None) -> ResolvedFlags:
    return ResolvedFlags(((name, value),))


def site_on(platform: str, repo: Path, dotenv: Mapping[str, str] | None = None, **environ: str) -> Site:
    pure = PureWindowsPath if platform == "win32" else PurePosixPath
    host = Host(platform, environ, pure(repo / "home"), lambda name: None, capture)
    return Site(host, pure(repo), dotenv or {}, pure(repo / ".venvs"))


@pytest.fixture(autouse=True)
def no_fiji_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.environments.imagej.launcher.usual_folders", lambda host: [host.home / "Fiji.app"])


@pytest.fixture
def launcher(tmp_path: Path) -> Callable[[str, str], Path]:
    def make(name: str, family: str) -> Path:
        return stand_in(tmp_path / "Fiji.app" / name, FAKE, family)

    return make


RECORDED: list[ResolvedEntry] = [
    r"C:\repo\standard_code\imagej\simple_treshold.ijm",
    flag("input", r"D:\data\cellprofiler_input"),
    flag("suffix", ".tif"),
    flag("minsize", "35000"),
    flag("maxsize", "120000"),
]


def test_windows_gets_the_command_of_the_go_runner(tmp_path: Path) -> None:
    (tmp_path / "ImageJ-win64.exe").touch()
    program = PureWindowsPath(tmp_path / "ImageJ-win64.exe")
    site = site_on("win32", tmp_path, {"IMAGEJ_PATH": str(program)})
    assert kind(SPEC).wrap(Request(SPEC, RECORDED, {"A": "1"}, "C:\\repo"), site).argv == (
        str(program),
        "--ij2",
        "--console",
        "--run",
        "C:/repo/standard_code/imagej/simple_treshold.ijm",
        "input='D:/data/cellprofiler_input',maxsize='120000',minsize='35000',suffix='.tif'",
    )


def test_a_new_launcher_is_not_given_the_old_options(tmp_path: Path) -> None:
    (tmp_path / "fiji-windows-x64.exe").touch()
    site = site_on("win32", tmp_path, {"IMAGEJ_PATH": str(tmp_path)})
    argv = kind(SPEC).wrap(Request(SPEC, RECORDED[:2], {}, ""), site).argv
    assert argv[1:] == (
        "--run",
        "C:/repo/standard_code/imagej/simple_treshold.ijm",
        "input='D:/data/cellprofiler_input'",
    )


@pytest.mark.parametrize(
    ("name", "new"),
    [
        ("ImageJ-win64.exe", False),
        ("ImageJ-linux64", False),
        ("ImageJ-macosx", False),
        ("fiji-linux64", False),
        ("fiji-windows-x64.exe", True),
        ("fiji-linux-arm64", True),
        ("fiji-macos", True),
    ],
)
def test_launchers_are_told_apart_by_name(name: str, new: bool, tmp_path: Path) -> None:
    assert is_new(PurePosixPath("/opt") / name, site_on("linux", tmp_path)) is new


@pytest.mark.parametrize(("family", "new"), [("old", False), ("new", True)])
def test_a_launcher_with_another_name_is_asked_once(
    family: str, new: bool, tmp_path: Path, launcher: Callable[[str, str], Path]
) -> None:
    program = PurePath(launcher("my-fiji", family))
    site = site_on(HERE, tmp_path)
    assert is_new(program, site, dry=True) is False
    assert is_new(program, site) is new
    launcher("my-fiji", "old" if new else "new")
    assert is_new(program, site) is new


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain", "'plain'"),
        ("a,b=c \\d", "'a,b=c \\d'"),
        ('say "hi"', "'say \"hi\"'"),
        ("user's data", '"user\'s data"'),
        ('it\'s "C:\\x"', '"it\'s \\"C:\\\\x\\""'),
        ("l'été\n2", '"l\'été\\n2"'),
        ("", "''"),
    ],
)
def test_values_are_written_as_scijava_reads_them(value: str, written: str) -> None:
    assert quoted(value) == written


@pytest.mark.parametrize("family", ["old", "new"])
def test_values_survive_the_launcher(family: str, tmp_path: Path, launcher: Callable[[str, str], Path]) -> None:
    values = {
        "user": "user's data",
        "quote": 'it\'s "so"',
        "list": "a,b=c",
        "slash": "a'\\b",
        "line": "x'\ny",
        "ü": "é",
    }
    program = launcher(LAUNCHERS[family], family)
    macro = tmp_path / "my macro.ijm"
    macro.write_text("print(1);", encoding="utf-8")
    entries: list[ResolvedEntry] = [str(macro), *(flag(key, value) for key, value in values.items()), flag("on", None)]
    command = kind(SPEC).wrap(
        Request(SPEC, entries, {}, ""), site_on(HERE, tmp_path, {"IMAGEJ_PATH": str(program.parent)})
    )
    subprocess.run(command.argv, cwd=tmp_path, check=True, timeout=60)
    if sys.platform == "win32":
        values["slash"] = "a'/b"  # paths are given with / there, as the Go runner gave them
    assert json.loads((tmp_path / "seen.json").read_text("utf-8")) == values | {"on": True}


def test_an_error_in_the_macro_ends_with_0_and_without_outputs(
    tmp_path: Path, launcher: Callable[[str, str], Path]
) -> None:
    macro = tmp_path / "broken.ijm"
    macro.write_text("fail", encoding="utf-8")
    site = site_on(HERE, tmp_path, {"IMAGEJ_PATH": str(launcher(LAUNCHERS["old"], "old"))})
    command = kind(SPEC).wrap(Request(SPEC, [str(macro)], {}, ""), site)
    done = subprocess.run(command.argv, cwd=tmp_path, check=False, capture_output=True, timeout=60)
    assert done.returncode == 0
    assert not (tmp_path / "seen.json").exists()


def argv_of(platform: str, tmp_path: Path, entries: list[ResolvedEntry], **environ: str) -> tuple[str, ...]:
    (tmp_path / "ImageJ-linux64").touch()
    site = site_on(platform, tmp_path, {"IMAGEJ_PATH": str(tmp_path / "ImageJ-linux64")}, **environ)
    return kind(SPEC).wrap(Request(SPEC, entries, {}, ""), site).argv[1:]


@posix_only
def test_without_a_display_linux_runs_headless(tmp_path: Path) -> None:
    assert argv_of("linux", tmp_path, ["a.ijm"]) == ("--ij2", "--headless", "--console", "--run", "a.ijm")
    assert "--headless" not in argv_of("linux", tmp_path, ["a.ijm"], DISPLAY=":0")
    assert "--headless" not in argv_of("darwin", tmp_path, ["a.ijm"])


def test_headless_can_be_asked_for_and_other_options_are_handed_on(tmp_path: Path) -> None:
    expected = ("--ij2", "--headless", "--console", "--mem=2g", "--run", "a.ijm", "x='1'")
    for headless in (["--headless"], [flag("--headless", None)], [flag("--headless", "true")]):
        entries: list[ResolvedEntry] = ["a.ijm", *headless, "--mem=2g", flag("--x", "1")]
        assert argv_of("win32", tmp_path, entries) == expected


def test_a_value_may_end_with_a_later_entry_of_the_same_name(tmp_path: Path) -> None:
    assert argv_of("win32", tmp_path, ["a.ijm", flag("x", "1"), flag("x", "2")])[-1] == "x='2'"


@posix_only
@pytest.mark.parametrize(
    ("platform", "place"),
    [
        ("win32", "ImageJ-win64.exe"),
        ("linux", "ImageJ-linux64"),
        ("darwin", "Contents/MacOS/ImageJ-macosx"),
        ("darwin", "Fiji.app/Contents/MacOS/fiji-macos"),
    ],
)
def test_fiji_is_found_in_its_folder_and_where_people_unpack_it(platform: str, place: str, tmp_path: Path) -> None:
    program = tmp_path / "home" / "Fiji.app" / place
    program.parent.mkdir(parents=True)
    program.touch()
    site = site_on(platform, tmp_path, DISPLAY=":0")
    assert kind(SPEC).wrap(Request(SPEC, ["a.ijm"], {}, ""), site).argv[0] == str(site.host.path(program))


def test_the_usual_folders_are_known() -> None:
    host = Host("win32", {}, PureWindowsPath(r"C:\Users\Ada"), lambda name: None, capture)
    assert PureWindowsPath(r"C:\Users\Ada\Desktop\Fiji.app") in usual_folders(host)


@posix_only
def test_a_missing_imagej_is_said_with_a_cure(tmp_path: Path) -> None:
    site = site_on("linux", tmp_path, {"IMAGEJ_PATH": str(tmp_path / "gone")})
    (finding,) = kind(SPEC).check(SPEC, ["a.ijm"], site)
    assert "IMAGEJ_PATH in .env" in finding.cure
    assert "IMAGEJ_PATH=FOLDER" in finding.cure
    with pytest.raises(EnvironmentMissing):
        kind(SPEC).wrap(Request(SPEC, ["a.ijm"], {}, ""), site)
    assert kind(SPEC).wrap(Request(SPEC, ["a.ijm"], {}, "", dry=True), site).argv[0] == str(tmp_path / "gone")
    assert kind(SPEC).wrap(Request(SPEC, ["a.ijm"], {}, "", dry=True), site_on("linux", tmp_path)).argv[0] == "ImageJ"


@posix_only
def test_a_macro_is_needed_and_its_parameters_must_have_names(tmp_path: Path) -> None:
    (tmp_path / "ImageJ-linux64").touch()
    site = site_on("linux", tmp_path, {"IMAGEJ_PATH": str(tmp_path)})
    assert [found.key for found in kind(SPEC).check(SPEC, [], site)] == ["commands"]
    (name,) = kind(SPEC).check(SPEC, ["a.ijm", flag("min-size", "1"), flag("größe_2", "1")], site)
    assert "'min-size'" in name.message


@posix_only
def test_the_receipt_has_the_versions(tmp_path: Path) -> None:
    (tmp_path / "Fiji.app" / "jars").mkdir(parents=True)
    for name in ("ij-1.54p.jar", "fiji-2.17.0.jar", "other-1.jar"):
        (tmp_path / "Fiji.app" / "jars" / name).touch()
    (tmp_path / "Fiji.app" / "ImageJ-linux64").touch()
    held = kind(SPEC).fingerprint(SPEC, [], site_on("linux", tmp_path, {"IMAGEJ_PATH": str(tmp_path / "Fiji.app")}))
    assert held["packages"] == {"ij": "1.54p", "fiji": "2.17.0"}


@posix_only
def test_at_a_terminal_the_place_is_asked_for_and_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "my fiji"
    folder.mkdir()
    (folder / "ImageJ-linux64").touch()
    site = site_on("linux", tmp_path)
    site = replace(site, host=replace(site.host, interactive=True))
    assert kind(SPEC).check(SPEC, ["a.ijm"], site) == []
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{tmp_path / 'gone'}\n{folder}\n"))
    ask_user([SPEC], site)
    assert "neither an ImageJ program" in capsys.readouterr().out
    assert (tmp_path / ".env").read_text("utf-8") == f"IMAGEJ_PATH={folder}\n"
    assert kind(SPEC).wrap(Request(SPEC, ["a.ijm"], {}, ""), site).argv[0] == str(folder / "ImageJ-linux64")


@posix_only
def test_nothing_is_asked_of_a_program_in_a_dry_run(tmp_path: Path) -> None:
    def refused(*args: object, **more: object) -> Captured:
        raise AssertionError("asked")

    (tmp_path / "fiji").touch()
    site = site_on("linux", tmp_path, {"IMAGEJ_PATH": str(tmp_path / "fiji")})
    site = replace(site, host=replace(site.host, capture=refused))
    assert kind(SPEC).wrap(Request(SPEC, ["a.ijm"], {}, "", dry=True), site).argv[0] == str(tmp_path / "fiji")
