"""The command lines of uv segments, for Windows as for Linux, on any system."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest

from runner.environments import Request, Site
from runner.environments.python_words import python_words
from runner.environments.spec import parse_environment
from runner.environments.uv import binary
from runner.environments.uv import kind as uv
from runner.environments.uv.variables import unwanted
from runner.errors import EnvironmentMissing
from runner.host import Captured, Host
from runner.model import ResolvedFlags, Segment, SegmentType
from runner.process.launch import child_environ
from runner.tasks import Task

PROJECT = """\
[dependency-groups]
default = []
convert_to_tif = []
own_python = []
[tool.uv.dependency-groups]
own-python = { requires-python = ">=3.12" }
"""


def site_for(repo: Path, platform: str = "linux", **environ: str) -> Site:
    (repo / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    name = "uv.exe" if platform == "win32" else "uv"
    (repo / name).write_text("")
    (repo / name).chmod(0o755)

    def ask(argv: object, **options: object) -> Captured:
        return Captured(0, b"uv 0.13.9\n", b"")

    own = PureWindowsPath(repo) if platform == "win32" else PurePosixPath(repo)
    host = Host(platform, environ, own, lambda name: None, ask)
    return Site(host, own, {}, own / ".venvs")


def python_line(site: Site, *entries: str | ResolvedFlags) -> list[str]:
    command = uv.wrap(
        Request(parse_environment("uv:default", "", "linux"), entries, {}, str(site.repo), dry=True), site
    )
    return list(command.argv[command.argv.index("--") + 1 :])


def flags(*items: tuple[str, str | None]) -> ResolvedFlags:
    return ResolvedFlags(items)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        (["python", "a.py"], ["python", "a.py"]),
        (["a.py", "--x"], ["python", "a.py", "--x"]),
        (["-c", "print(1)"], ["python", "-c", "print(1)"]),
        (
            ["Python", "-m", "tool", "python", flags(("--interpreter", "python"))],
            ["python", "-m", "tool", "python", "--interpreter", "python"],
        ),
        (["python", "show.py", "--kernel", "python"], ["python", "show.py", "--kernel", "python"]),
        (["show.py", "PYTHON", flags(("Python", "x"))], ["python", "show.py", "PYTHON", "Python", "x"]),
        (["python", "python"], ["python", "python"]),
        ([flags(("python", "/r/s.py")), flags(("--x", "1"))], ["python", "/r/s.py", "--x", "1"]),
        (["python3", "a.py", "python3"], ["python", "a.py", "python3"]),
        (["cellpose", flags(("--dir", "a b"), ("python", None))], ["cellpose", "--dir", "a b", "python"]),
        (["tools/run", "x"], ["python", "tools/run", "x"]),
        ([], ["python"]),
    ],
)
def test_python_stands_in_front_once_and_a_program_of_the_environment_stays(
    tmp_path: Path, entries: list[str | ResolvedFlags], expected: list[str]
) -> None:
    assert python_line(site_for(tmp_path), *entries) == expected


def test_a_first_word_that_is_a_file_or_folder_there_is_a_script(tmp_path: Path) -> None:
    site = site_for(tmp_path)
    (tmp_path / "package").mkdir()
    assert python_words(["package"], str(tmp_path), site.host) == (["python", "package"], "")
    assert python_words(["package"], str(tmp_path / "package"), site.host) == (["package"], "package")


def test_a_windows_path_is_a_script_on_windows_alone(tmp_path: Path) -> None:
    assert python_line(site_for(tmp_path, "win32"), r"tools\run") == ["python", r"tools\run"]
    assert python_line(site_for(tmp_path), r"tools\run") == [r"tools\run"]
    assert python_line(site_for(tmp_path, "win32"), "Python.EXE", r"C:\a b\x.py") == ["python", r"C:\a b\x.py"]


def test_the_whole_command_line(tmp_path: Path) -> None:
    site = site_for(tmp_path)
    spec = parse_environment("UV@3.11:Convert_To_Tif", "", "linux")
    command = uv.wrap(Request(spec, ["x.py"], {"RP_A": "1"}, "/data", dry=True), site)
    assert command.argv == (
        f"{site.repo}/uv", "run", "-q", "--project", str(site.repo), "--frozen", "--no-sync",
        "--only-group", "convert-to-tif", "--", "python", "x.py",
    )  # fmt: skip
    assert command.env == {
        "PYTHONUNBUFFERED": "1",
        "RP_A": "1",
        "UV_PROJECT_ENVIRONMENT": f"{site.repo}/.venvs/convert-to-tif-py3.11",
        "UV_PYTHON": "3.11",
    }
    assert command.cwd == "/data"
    assert command.stop_leader_only
    assert (
        "UV_PYTHON"
        not in uv.wrap(Request(parse_environment("uv:own_python", "", "linux"), [], {}, "/", dry=True), site).env
    )


def test_a_windows_environment_is_recognised_by_its_layout(tmp_path: Path) -> None:
    site = site_for(tmp_path, "win32", Path="C:\\Windows", VIRTUAL_ENV="C:\\other", uv_python="3.9")
    spec = parse_environment("uv:default", "", "win32")
    folder = tmp_path / ".venvs" / "default-py3.11"
    (folder / "Scripts").mkdir(parents=True)
    (folder / "Lib" / "site-packages" / "scikit_image-0.24.0.dist-info").mkdir(parents=True)
    for name in ("python.exe", "cellpose.exe"):
        (folder / "Scripts" / name).write_text("")
    (folder / "pyvenv.cfg").write_text("home = /usr/bin\nversion_info = 3.11.9\n", encoding="utf-8")
    command = uv.wrap(Request(spec, ["cellpose"], {}, str(site.repo)), site)
    assert command.env["UV_PROJECT_ENVIRONMENT"] == str(site.repo / ".venvs" / "default-py3.11")
    assert command.unset == ("VIRTUAL_ENV", "uv_python")
    assert uv.fingerprint(spec, [], site) == {
        "kind": "uv", "group": "default", "python": "3.11.9", "packages": {"scikit-image": "0.24.0"},
    }  # fmt: skip


def test_on_windows_a_program_is_started_directly_with_the_variables_of_uv_run(tmp_path: Path) -> None:
    # uv.exe would end at once at a Ctrl-Break, and the segment with it
    site = site_for(tmp_path, "win32", Path="C:\\Windows")
    scripts = tmp_path / ".venvs" / "default-py3.11" / "Scripts"
    scripts.mkdir(parents=True)
    for name in ("python.exe", "cellpose.exe"):
        (scripts / name).write_text("")
    (scripts.parent / "pyvenv.cfg").write_text("home = C:\\Python\n", encoding="utf-8")
    spec = parse_environment("uv:default", "", "win32")
    there = site.repo / ".venvs" / "default-py3.11"
    for dry in (False, True):
        command = uv.wrap(Request(spec, ["x.py", "a b"], {}, "C:\\data", dry=dry), site)
        assert command.argv == (str(there / "Scripts" / "python"), "x.py", "a b")
        assert command.activation["Path"] == f"{there / 'Scripts'};C:\\Windows"
        assert command.activation["VIRTUAL_ENV"] == str(there)
        assert command.env["UV_PROJECT_ENVIRONMENT"] == str(there)
    assert uv.wrap(Request(spec, ["cellpose"], {}, "C:\\data"), site).argv == (str(there / "Scripts" / "cellpose"),)
    own = uv.wrap(Request(spec, ["x.py"], {"PATH": "D:\\tools"}, "C:\\data"), site)
    assert child_environ(site.host.environ, own, "win32")["Path"] == f"{there / 'Scripts'};D:\\tools"


def test_a_dry_run_asks_no_environment_and_needs_no_uv(tmp_path: Path) -> None:
    site = site_for(tmp_path)
    (tmp_path / "uv").unlink()
    (tmp_path / "pyproject.toml").unlink()
    bare = Site(Host("linux", {}, tmp_path, lambda name: None, site.host.capture), tmp_path, {}, tmp_path)
    binary._looked.tell(bare, EnvironmentMissing("none", ""), binary.find_packaged_uv)
    command = uv.wrap(Request(parse_environment("uv:default", "", "linux"), ["x.py"], {}, "/", dry=True), bare)
    assert command.argv[0] == "uv"


def test_how_files_get_here_may_be_set_and_what_is_installed_may_not() -> None:
    kept = ["UV_CACHE_DIR", "UV_OFFLINE", "UV_INDEX_LAB_PASSWORD", "UV_INDEX_LAB_USERNAME", "SSL_CERT_FILE", "PATH"]
    dropped = ["CONDA_PREFIX", "PYTHONPATH", "UV_DEFAULT_INDEX", "UV_INDEX", "UV_NO_SYNC", "UV_PYTHON", "VIRTUAL_ENV"]
    assert list(unwanted(dict.fromkeys([*kept, *dropped], ""))) == dropped


def test_the_task_of_an_item_starts_the_environments_own_program_and_another_task_uv(tmp_path: Path) -> None:
    site = site_for(tmp_path)
    spec = parse_environment("uv:default", "", "linux")
    folder = Path(uv.place(spec, site).folder)
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").touch(mode=0o755)
    (folder / "pyvenv.cfg").write_text(f"home = {tmp_path}\n")
    task = Task(Segment(1, "a", SegmentType.NORMAL, "0"), spec, ("-c", "pass"), {}, str(tmp_path), ())
    assert Path(task.command(site).argv[0]).name == "uv"
    assert replace(task, item="1.tif").command(site).argv[0] == str(folder / "bin" / "python")
