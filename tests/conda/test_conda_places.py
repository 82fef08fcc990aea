"""Where conda and its environments are looked for, on every platform."""

from __future__ import annotations

import io
import json
import struct
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

import pytest

from runner.cli.asking import ask_user
from runner.environments import Request, Site, kind
from runner.environments.conda.base import find_base, usual_folders
from runner.environments.conda.prefix import environment_names, expanded, prefix_of
from runner.environments.conda.program import find_program, path_folders, program_words
from runner.environments.conda.shortcut import conda_base_of, shortcut_arguments
from runner.environments.spec import parse_environment
from runner.host import Captured, Host
from tests.conda.conda_layout import make_base, make_environment
from tests.support.programs import program as install

SiteOf = Callable[..., Site]
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="makes POSIX files")


def windows_host(home: Path, **environ: str) -> Host:
    """A Windows machine whose files lie in a folder of the test: its paths have no drive."""

    def capture(argv: Sequence[str], **more: object) -> Captured:
        return Captured(None, b"", b"", "not asked")

    return Host("win32", environ, PureWindowsPath(home), lambda name: None, capture)


def windows_site(home: Path, dotenv: Mapping[str, str] | None = None, **environ: str) -> Site:
    host = windows_host(home, **environ)
    return Site(host, PureWindowsPath(home / "repo"), dotenv or {}, PureWindowsPath(home / "repo" / ".venvs"))


def shortcut(arguments: str, *, unicode: bool = True) -> bytes:
    """A shortcut as the installers write it: with an item list, link information, a name and a folder."""
    flags = 0x1 | 0x2 | 0x4 | 0x10 | 0x20 | (0x80 if unicode else 0)
    head = struct.pack("<I16sI", 0x4C, bytes.fromhex("0114020000000000c000000000000046"), flags)
    texts = b""
    for text in ("Anaconda Prompt", r"C:\Users\Ada", arguments):
        raw = text.encode("utf-16-le" if unicode else "cp1252")
        texts += struct.pack("<H", len(text)) + raw
    return head.ljust(0x4C, b"\0") + struct.pack("<H", 6) + b"\1" * 6 + struct.pack("<I", 20) + b"\2" * 16 + texts


@pytest.fixture(autouse=True)
def no_usual_folders(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """The machine's own conda, where it has one, is none of the tests' business."""
    if "usual" not in request.node.name:
        monkeypatch.setattr("runner.environments.conda.base.usual_folders", lambda host: [])


@posix_only
def test_conda_path_of_the_dotenv_comes_first(base: Path, tmp_path: Path, site_of: SiteOf) -> None:
    other = make_base(tmp_path / "other")
    assert find_base(site_of({"CONDA_PATH": str(base)}, CONDA_PREFIX=str(other))).base == base


@posix_only
@pytest.mark.parametrize("part", ["", "bin", "condabin", "envs/a", "bin/conda"])
def test_conda_path_may_name_a_part_of_the_installation(base: Path, part: str, site_of: SiteOf) -> None:
    make_environment(base / "envs" / "a")
    (base / "bin" / "conda").touch()
    assert find_base(site_of({"CONDA_PATH": f"{base}/{part}"})).base == base


@posix_only
def test_a_wrong_conda_path_is_not_passed_over(tmp_path: Path, site_of: SiteOf) -> None:
    search = find_base(site_of({"CONDA_PATH": str(tmp_path / "gone")}, CONDA_PREFIX=str(make_base(tmp_path / "other"))))
    assert search.base is None
    assert "CONDA_PATH in .env" in search.looked[0]
    assert "Correct CONDA_PATH" in search.cure


@posix_only
def test_the_active_environment_leads_to_its_base(base: Path, site_of: SiteOf) -> None:
    prefix = make_environment(base / "envs" / "a")
    assert find_base(site_of({}, CONDA_PREFIX=str(prefix))).base == base


@posix_only
@pytest.mark.parametrize("name", ["conda", "mamba", "micromamba"])
def test_a_program_on_path_is_asked_where_its_base_is(base: Path, tmp_path: Path, name: str, site_of: SiteOf) -> None:
    said = f"import sys\nif sys.argv[1:] == ['info', '--base']: print({str(base)!r})"
    program = install(tmp_path / "bin" / name, said)
    site = site_of({})
    site = replace(site, host=replace(site.host, which=lambda asked: str(program) if asked == name else None))
    assert find_base(site, dry=True).base is None
    assert site.host.capture.started == []
    assert find_base(site).base == base
    assert find_base(site).base == base
    assert site.host.capture.started == [name]


@posix_only
def test_a_base_with_an_umlaut_is_found_as_a_conda_on_windows_tells_it(tmp_path: Path, site_of: SiteOf) -> None:
    base = make_base(tmp_path / "Jörg" / "miniforge3")
    said = f"import sys; sys.stdout.buffer.write({str(base)!r}.encode('cp1252'))"  # a Python that writes into a pipe
    program = install(tmp_path / "bin" / "conda", said)
    site = site_of({})
    site = replace(site, host=replace(site.host, which=lambda asked: str(program) if asked == "conda" else None))
    assert find_base(site).base == base


@posix_only
def test_micromamba_is_asked_in_its_own_way(tmp_path: Path, site_of: SiteOf) -> None:
    root = tmp_path / "my mamba"
    for name in ("envs", "pkgs"):
        (root / name).mkdir(parents=True)
    answer = json.dumps({"base environment": f"{root} (writable)"})
    program = install(tmp_path / "bin" / "micromamba", f"import sys\nif sys.argv[2] == '--json': print({answer!r})")
    site = site_of({})
    site = replace(site, host=replace(site.host, which=lambda asked: str(program) if asked == "micromamba" else None))
    assert find_base(site).base == root


@posix_only
def test_a_program_on_path_that_lies_in_a_base_is_not_asked(base: Path, tmp_path: Path, site_of: SiteOf) -> None:
    program = base / "condabin" / "conda"
    program.touch()
    link = tmp_path / "local" / "bin" / "conda"
    link.parent.mkdir(parents=True)
    link.symlink_to(program)
    site = site_of({})
    site = replace(site, host=replace(site.host, which=lambda asked: str(link) if asked == "conda" else None))
    assert find_base(site, dry=True).base == base


@posix_only
def test_the_root_of_micromamba_is_a_base(tmp_path: Path, site_of: SiteOf) -> None:
    root = tmp_path / "micromamba"
    (root / "pkgs").mkdir(parents=True)
    make_environment(root / "envs" / "a")
    site = site_of({}, MAMBA_ROOT_PREFIX=str(root))
    assert find_base(site).base == root
    assert prefix_of("a", root, site.repo, site.host) == root / "envs" / "a"


@posix_only
def test_every_place_is_told_when_conda_is_nowhere(site_of: SiteOf) -> None:
    search = find_base(site_of({}, CONDA_PREFIX="/gone"))
    assert search.base is None
    assert "/gone (CONDA_PREFIX)" in search.looked
    assert "CONDA_PATH" in search.cure


def test_the_usual_folders_of_windows_are_known() -> None:
    environ = {"LOCALAPPDATA": r"C:\Users\Ada\AppData\Local", "PROGRAMDATA": r"D:\Data"}
    host = Host(
        "win32", environ, PureWindowsPath(r"C:\Users\Ada"), lambda name: None, lambda *a, **k: Captured(0, b"", b"")
    )
    found = [str(folder) for folder in usual_folders(host)]
    assert r"C:\Users\Ada\miniconda3" in found
    assert r"C:\Users\Ada\AppData\Local\miniforge3" in found
    assert r"C:\ProgramData\miniconda3" in found
    assert r"D:\Data\anaconda3" in found


def test_the_usual_folders_of_posix_are_known() -> None:
    host = Host("darwin", {}, PurePosixPath("/Users/ada"), lambda name: None, lambda *a, **k: Captured(0, b"", b""))
    found = [str(folder) for folder in usual_folders(host)]
    assert {"/Users/ada/miniforge3", "/opt/conda", "/opt/homebrew/Caskroom/miniforge/base"} <= set(found)


@pytest.mark.parametrize("unicode", [True, False])
def test_the_arguments_of_a_shortcut_are_read(unicode: bool) -> None:
    arguments = r'"/K" C:\Users\Jürgen M\miniconda3\Scripts\activate.bat C:\Users\Jürgen M\miniconda3'
    assert shortcut_arguments(shortcut(arguments, unicode=unicode)) == arguments


@pytest.mark.parametrize("data", [b"", b"\x4c\0\0\0", b"PK\3\4" * 40, shortcut("x")[:120], shortcut("abc")[:-30]])
def test_a_file_that_is_no_whole_shortcut_gives_nothing(data: bytes) -> None:
    assert conda_base_of(shortcut_arguments(data)) == ""


@pytest.mark.parametrize(
    ("arguments", "base"),
    [
        (
            r'"/K" C:\Users\Ada L\miniconda3\Scripts\activate.bat C:\Users\Ada L\miniconda3',
            r"C:\Users\Ada L\miniconda3",
        ),
        (r'/K "C:\ProgramData\miniforge3\condabin\activate.bat"', r"C:\ProgramData\miniforge3"),
        (r"-Command \"& 'D:\conda\shell\condabin\conda-hook.ps1' ; conda activate 'D:\conda' \"", r"D:\conda"),
        (r"/K \\server\share\conda\Scripts\activate.bat", r"\\server\share\conda"),
        (r"/K C:\Windows\System32\cmd.exe", ""),
    ],
)
def test_a_prompts_arguments_name_the_base(arguments: str, base: str) -> None:
    assert conda_base_of(arguments) == base


def test_a_start_menu_shortcut_leads_to_the_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = tmp_path / "conda"
    (base / "condabin").mkdir(parents=True)
    folder = tmp_path / "Microsoft" / "Windows" / "Start Menu" / "Programs" / "Miniforge3"
    folder.mkdir(parents=True)
    (folder / "Miniforge Prompt.lnk").write_bytes(shortcut(r'"/K" C:\mf\Scripts\activate.bat C:\mf'))
    # the file names a drive, which only Windows has
    monkeypatch.setattr("runner.environments.conda.base.conda_base_of", lambda text: str(PureWindowsPath(base)))
    site = windows_site(tmp_path, APPDATA=str(tmp_path))
    assert find_base(site).base == PureWindowsPath(base)


@posix_only
def test_an_environment_is_found_through_condarc_variables_and_the_list(
    base: Path, tmp_path: Path, site_of: SiteOf
) -> None:
    made = {name: make_environment(tmp_path / name / name) for name in ("rc", "var", "listed")}
    site = site_of({}, CONDA_ENVS_PATH=f"/nowhere:{tmp_path / 'var'}", ROOM=str(tmp_path))
    home = Path(site.host.home)
    (home / ".condarc").write_text("envs_dirs:\n  - ${ROOM}/rc\n  - ~/mine\n", encoding="utf-8")
    (home / ".conda").mkdir()
    (home / ".conda" / "environments.txt").write_text(f"{base}\n{made['listed']}\n/gone/x\n", encoding="utf-8")
    for name, prefix in made.items():
        assert prefix_of(name, base, site.repo, site.host) == prefix
    assert prefix_of("x", base, site.repo, site.host) is None
    assert environment_names(base, site.host) == ["listed", "rc", "var"]


@posix_only
def test_the_environment_in_base_comes_before_one_of_the_same_name(base: Path, tmp_path: Path, site_of: SiteOf) -> None:
    prefix = make_environment(base / "envs" / "a")
    make_environment(tmp_path / "else" / "a")
    site = site_of({}, CONDA_ENVS_DIRS=str(tmp_path / "else"))
    assert prefix_of("a", base, site.repo, site.host) == prefix


def test_a_damaged_condarc_is_passed_over(tmp_path: Path, site_of: SiteOf) -> None:
    site = site_of({})
    (Path(site.host.home) / ".condarc").write_text("envs_dirs: [\n", encoding="utf-8")
    assert environment_names(None, site.host) == []


@pytest.mark.parametrize(
    ("text", "path"),
    [("~/envs/a", "/home/ada/envs/a"), ("$ROOM/a", "/room 1/a"), ("${ROOM}/a", "/room 1/a"), ("$NO/a", "$NO/a")],
)
def test_a_tilde_and_variables_are_replaced_in_paths(text: str, path: str) -> None:
    def capture(*args: object, **more: object) -> Captured:
        return Captured(0, b"", b"")

    host = Host("linux", {"ROOM": "/room 1"}, PurePosixPath("/home/ada"), lambda name: None, capture)
    assert expanded(text, host) == PurePosixPath(path)


def touch(path: PurePath) -> None:
    file = Path(path.as_posix())
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()


def test_programs_are_found_where_windows_environments_have_them(tmp_path: Path) -> None:
    host = windows_host(tmp_path)
    prefix = PureWindowsPath(tmp_path / "envs" / "a b")
    for name in ("Scripts/cellpose.exe", "Library/bin/ffmpeg.exe", "Scripts/old.bat"):
        touch(prefix / name)
    assert program_words(["Python", "x"], prefix, host) == [str(prefix / "python.exe"), "x"]
    assert program_words(["python3"], prefix, host) == [str(prefix / "python.exe")]
    assert find_program("cellpose", prefix, host) == prefix / "Scripts" / "cellpose.exe"
    assert find_program("ffmpeg.exe", prefix, host) == prefix / "Library" / "bin" / "ffmpeg.exe"
    assert find_program("old", prefix, host) == prefix / "Scripts" / "old.bat"
    assert find_program("no", prefix, host) is None


def test_the_path_of_windows_has_condas_order(tmp_path: Path) -> None:
    prefix = PureWindowsPath(tmp_path / "env")
    touch(prefix / "Library" / "ucrt64" / "x")
    names = [str(folder.relative_to(prefix)) for folder in path_folders(prefix, windows_host(tmp_path))]
    library = [rf"Library\{name}" for name in (r"ucrt64\bin", r"mingw-w64\bin", r"usr\bin", "bin")]
    assert names == [".", *library, "Scripts", "bin"]


@posix_only
def test_at_a_terminal_the_folder_is_asked_for_and_saved(
    base: Path, tmp_path: Path, site_of: SiteOf, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_environment(base / "envs" / "a")
    site = site_of({})
    site = replace(site, host=replace(site.host, interactive=True))
    spec = parse_environment("a", "", "linux")
    assert kind(spec).check(spec, ["python"], site) == []
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{tmp_path / 'gone'}\n{base}\n"))
    ask_user([spec, spec], site)
    assert kind(spec).prepare(spec, ["python"], site) is None
    assert "holds no conda" in capsys.readouterr().out
    assert (Path(site.repo) / ".env").read_text("utf-8") == f"CONDA_PATH={base}\n"
    assert kind(spec).wrap(Request(spec, ["python"], {}, ""), site).argv == (str(base / "envs/a/bin/python"),)


def test_without_a_terminal_nobody_is_asked(site_of: SiteOf) -> None:
    spec = parse_environment("a", "", "linux")
    site = site_of({})
    ask_user([spec], site)
    assert kind(spec).prepare(spec, ["python"], site) is None
    ((message, cure),) = [(found.message, found.cure) for found in kind(spec).check(spec, ["python"], site)]
    assert "conda was not found" in message
    assert "CONDA_PATH=FOLDER" in cure
