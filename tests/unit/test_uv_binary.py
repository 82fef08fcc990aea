"""Which uv is taken, and why others are passed over."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

import pytest

from runner.environments import Site
from runner.environments.uv.binary import find_packaged_uv, find_uv
from runner.errors import EnvironmentMissing
from runner.host import Captured, Host
from runner.process.capture import capture
from tests.support.programs import program as install

REPO = Path(__file__).resolve().parents[2]


def site_for(repo: Path, platform: str = sys.platform, **environ: str) -> Site:
    """A Site whose uv programs are text files that hold what they print."""

    def ask(
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        timeout: float = 30.0,
        stdin: bytes = b"",
    ) -> Captured:
        path = Path(PureWindowsPath(argv[0]).as_posix() if platform == "win32" else argv[0])
        return Captured(0, path.read_bytes(), b"")

    own = PureWindowsPath(repo) if platform == "win32" else PurePosixPath(repo)
    host = Host(platform, environ, own, lambda name: None, ask)
    return Site(host, own, {}, own / ".venvs")


def put(path: Path, version: str = "0.13.9") -> str:
    path = path.with_suffix(".exe") if sys.platform == "win32" else path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"uv {version} (x86_64)\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def none() -> str | None:
    return None


def test_places_are_tried_in_the_go_runners_order(tmp_path: Path) -> None:
    repo, bin_folder = tmp_path / "repo", tmp_path / "on path"
    last = put(bin_folder / "uv")
    expected = [last]
    for folder in ("bin", "tools", "uv", "external/UV"):
        expected.append(put(repo / folder / "uv"))
    for program in reversed(expected):
        assert find_uv(site_for(repo, PATH=str(bin_folder)), none).path == program
        Path(program).unlink()


def test_a_folder_named_uv_in_the_repository_is_no_program(tmp_path: Path) -> None:
    program = put(tmp_path / "uv" / "uv")
    assert find_uv(site_for(tmp_path), none).path == program


def test_on_windows_it_is_uv_exe_and_path_is_split_at_semicolons(tmp_path: Path) -> None:
    program = put(tmp_path / "Program Files" / "uv.exe")
    put(tmp_path / "Program Files" / "uv")
    site = site_for(tmp_path / "repo", "win32", Path=f'C:\\Windows;"{tmp_path / "Program Files"}"')
    assert PurePath(find_uv(site, none).path.replace("\\", "/")) == PurePath(program)


def test_a_shim_and_an_old_uv_are_passed_over_with_the_reason_kept(tmp_path: Path) -> None:
    shim, old = put(tmp_path / "shims" / "uv"), put(tmp_path / "old" / "uv", "0.4.30")
    path = os.pathsep.join((str(tmp_path / "shims"), str(tmp_path / "old")))
    with pytest.raises(EnvironmentMissing) as caught:
        find_uv(site_for(tmp_path / "repo", PATH=path), none)
    assert f"{shim}: a version manager's shim" in caught.value.message
    assert f"{old}: version 0.4.30 is older than 0.7.21" in caught.value.message
    good = put(tmp_path / "own" / "uv")
    assert find_uv(site_for(tmp_path / "repo", PATH=path), lambda: good).path == good


def test_a_relative_folder_of_path_is_not_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "uv")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EnvironmentMissing):
        find_uv(site_for(tmp_path / "repo", PATH=".:"), none)


def test_the_one_that_the_user_names_is_taken_before_all_others(tmp_path: Path) -> None:
    put(tmp_path / "external" / "UV" / "uv")
    chosen = put(tmp_path / "my own" / "uv")
    assert find_uv(site_for(tmp_path, RUN_PIPELINE_UV=chosen), none).path == chosen


def test_a_named_uv_that_is_not_there_is_an_error_and_no_other_is_taken(tmp_path: Path) -> None:
    put(tmp_path / "external" / "UV" / "uv")
    with pytest.raises(EnvironmentMissing, match="RUN_PIPELINE_UV names"):
        find_uv(site_for(tmp_path, RUN_PIPELINE_UV=str(tmp_path / "gone")), none)


def test_the_answer_is_found_once_an_invocation(tmp_path: Path) -> None:
    program = Path(put(tmp_path / "bin" / "uv"))
    site = site_for(tmp_path)
    first = find_uv(site, none)
    program.unlink()
    assert find_uv(site, none) == first
    bare = site_for(tmp_path)
    for _ in range(2):
        with pytest.raises(EnvironmentMissing):
            find_uv(bare, none)
        put(program)


def test_a_uv_that_does_not_start_is_passed_over(tmp_path: Path) -> None:
    install(tmp_path / "bin" / "uv", "import sys; print('cannot load library', file=sys.stderr); sys.exit(127)")
    host = Host(sys.platform, {"PATH": ""}, tmp_path, lambda name: None, capture)
    with pytest.raises(EnvironmentMissing, match="cannot load library"):
        find_uv(Site(host, tmp_path, {}, tmp_path), none)


def test_a_uv_that_windows_cannot_load_is_passed_over_with_its_code(tmp_path: Path) -> None:
    put(tmp_path / "uv.exe")

    def ask(*args: object, **more: object) -> Captured:
        return Captured(0xC0000135, b"", b"")

    own = PureWindowsPath(tmp_path)
    site = Site(Host("win32", {}, own, lambda name: None, ask), own, {}, own)
    with pytest.raises(EnvironmentMissing, match="0xC0000135: a DLL that it needs was not found"):
        find_uv(site, none)


def test_the_packaged_uv_is_a_real_program(tmp_path: Path) -> None:
    packaged = find_packaged_uv()
    assert packaged
    host = Host(sys.platform, {"PATH": ""}, tmp_path, lambda name: None, capture)
    assert find_uv(Site(host, tmp_path, {}, tmp_path)).path == packaged


def test_several_threads_find_the_packaged_uv_at_the_same_time() -> None:
    """As the checks of `doctor` do. Python's own sysconfig is half filled while the first thread reads it."""
    program = (
        "import sys, threading\n"
        "from runner.environments.uv.binary import find_packaged_uv\n"
        "sys.setswitchinterval(1e-6)\n"
        "start, found = threading.Barrier(16), []\n"
        "def look():\n"
        "    start.wait()\n"
        "    found.append(find_packaged_uv())\n"
        "threads = [threading.Thread(target=look) for _ in range(16)]\n"
        "[thread.start() for thread in threads]\n"
        "[thread.join() for thread in threads]\n"
        "sys.exit(len(found) - 16 or len(set(found)) - 1)\n"
    )
    for _ in range(5):
        done = subprocess.run([sys.executable, "-c", program], cwd=REPO, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
