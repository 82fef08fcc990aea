"""`use-linux-distro`: a uv group inside a WSL distribution, with a program that behaves like wsl.exe."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path, PureWindowsPath

import pytest

from runner.environments import Preparation, Request, Site, kind
from runner.environments.spec import parse_environment
from runner.environments.uv.binary import find_packaged_uv
from runner.environments.wsl.paths import NotMountedError, mount_of, to_linux
from runner.errors import EnvironmentMissing
from runner.host import Captured, Host
from runner.model import Command, ResolvedEntry, ResolvedFlags
from runner.process.capture import capture
from tests.support.programs import stand_in

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="programs of Linux run in the distribution")
SPEC = parse_environment("uv@{}.{}:measure".format(*sys.version_info[:2]), "Ubuntu", "win32")
SHOW = "import json, os, sys; print(json.dumps([sys.argv[1:], sys.prefix, os.getcwd(), dict(os.environ)]))"
PYPROJECT = """
[project]
name = "lab"
version = "1"
requires-python = ">=3.11"
[dependency-groups]
measure = []
[tool.uv]
package = false
default-groups = []
"""


def no_share(root: str) -> str | None:
    return None


@pytest.mark.parametrize(
    ("windows", "linux"),
    [
        (r"C:\data\x y\ü.tif", "/mnt/c/data/x y/ü.tif"),
        ("D:/raw", "/mnt/d/raw"),
        ("C:\\", "/mnt/c/"),
        ("c:", "/mnt/c"),
        (r"--input=C:\a b", "--input=/mnt/c/a b"),
        (r"\\?\C:\long", "/mnt/c/long"),
        (r"\\wsl$\Ubuntu\home\ada\x", "/home/ada/x"),
        (r"\\wsl.localhost\Ubuntu", "/"),
        ("C:file", "C:file"),
        (r"\d+\.tif", r"\d+\.tif"),
        ("a:b c:d", "a:b c:d"),
        ("it's $HOME", "it's $HOME"),
        ("", ""),
    ],
)
def test_windows_paths_become_linux_ones_and_other_words_stay(windows: str, linux: str) -> None:
    assert to_linux(windows, no_share) == linux


def test_a_share_is_looked_up_by_its_root() -> None:
    shares = {r"\\nas\lab": "/mnt/lab"}
    assert to_linux(r"\\nas\lab\run 1\a.tif", shares.get) == "/mnt/lab/run 1/a.tif"
    assert to_linux(r"\\?\UNC\nas\lab\a", shares.get) == "/mnt/lab/a"
    assert to_linux("//nas/lab", shares.get) == "/mnt/lab"
    with pytest.raises(NotMountedError, match="other"):
        to_linux(r"--out=\\nas\other\a", shares.get)


def test_the_files_of_another_distribution_are_out_of_reach() -> None:
    assert to_linux(r"\\wsl$\UBUNTU\home", no_share, "Ubuntu") == "/home"
    with pytest.raises(NotMountedError, match="Debian"):
        to_linux(r"\\wsl$\Debian\home", no_share, "Ubuntu")


def test_mounted_shares_are_found_in_the_list_of_mounts() -> None:
    mounts = (
        "/dev/sdc / ext4 rw 0 0\n"
        "C:\\134 /mnt/c 9p rw,aname=drvfs;path=C:\\;uid=1000 0 0\n"
        "drvfs /mnt/lab\\040data 9p rw,dirsync,aname=drvfs;path=UNC\\nas\\Lab;symlinkroot=/mnt/ 0 0\n"
        "\\134\\134old\\134share /mnt/old drvfs rw 0 0\n"
        "//srv/pub /srv/pub cifs rw 0 0\n"
    )
    assert mount_of(r"\\NAS\lab", mounts) == "/mnt/lab data"
    assert mount_of(r"\\old\share", mounts) == "/mnt/old"
    assert mount_of(r"\\srv\pub", mounts) == "/srv/pub"
    assert mount_of(r"\\nas\la", mounts) is None


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The machine: drive C:, a distribution, a repository with a group that has no packages."""
    root = tmp_path / "machine"
    for name in ("home", "c/data dir", "bin", "repo"):
        (root / name).mkdir(parents=True)
    (root / "mounts").write_text("drvfs /mnt/lab 9p rw,path=UNC\\nas\\lab 0 0\n", encoding="utf-8")
    (root / "repo" / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    return root


@pytest.fixture
def site(root: Path) -> Site:
    program = stand_in(root / "wsl.exe", Path(__file__).with_name("fake_wsl.py"), root)
    host = Host(
        "win32",
        {"PATH": r"C:\Windows"},
        PureWindowsPath(root / "home"),
        lambda name: str(program) if name == "wsl.exe" else None,
        capture,
    )
    repo = PureWindowsPath(root / "repo")
    return Site(host, repo, {}, repo / ".venvs")


@pytest.fixture
def uv(root: Path) -> Callable[..., None]:
    """Puts uv into the distribution, with what it needs to work offline in the test's own folders."""

    def put() -> None:
        program = find_packaged_uv() or shutil.which("uv")
        if program is None:
            pytest.skip("needs uv")
        settings = f"UV_OFFLINE=1 UV_CACHE_DIR='{root / 'cache'}' UV_PYTHON_DOWNLOADS=never UV_NO_CONFIG=1"
        python = f"UV_PYTHON_PREFERENCE=system PATH='{Path(sys.executable).resolve().parent}':\"$PATH\""
        script = root / "bin" / "uv"
        script.write_text(f"#!/bin/sh\n{settings} {python} exec '{program}' \"$@\"\n", encoding="utf-8")
        script.chmod(0o755)
        subprocess.run([script, "lock", "-q"], cwd=root / "repo", check=True, timeout=60)

    return put


def start(command: Command, folder: Path) -> subprocess.CompletedProcess[bytes]:
    environ = {"PATH": "/usr/bin:/bin", **command.activation, **command.env}
    return subprocess.run(command.argv, env=environ, cwd=folder, capture_output=True, check=False, timeout=120)


def carry_out(preparation: Preparation, folder: Path) -> None:
    assert preparation.still_needed()
    for command in preparation.commands:
        done = start(command, folder)
        assert done.returncode == 0, done.stderr.decode()
    preparation.done("")


@posix_only
def test_a_group_is_prepared_and_run_inside_the_distribution(root: Path, site: Site, uv: Callable[..., None]) -> None:
    uv()
    assert kind(SPEC).check(SPEC, ["python"], site) == []
    preparation = kind(SPEC).prepare(SPEC, ["python"], site)
    assert preparation is not None
    assert "Ubuntu" in preparation.title
    carry_out(preparation, root)
    assert not preparation.still_needed()
    assert kind(SPEC).prepare(SPEC, ["python"], site) is None

    (environment,) = (root / "home" / ".run-pipeline" / "envs").iterdir()
    assert environment.name.startswith("measure-py3.")
    script = root / "c" / "data dir" / "show it.py"
    script.write_text(SHOW, encoding="utf-8")
    odd = ["it's", 'a "b"', "$HOME `x`", "", "two\nlines", "*", "ü", r"\\nas\lab\a b"]
    entries: list[ResolvedEntry] = [r"C:\data dir\show it.py", *odd, ResolvedFlags((("--in", r"C:\data dir"),))]
    command = kind(SPEC).wrap(Request(SPEC, entries, {"RP_A": "x y", "RP_PATH": r"C:\data dir"}, r"C:\data dir"), site)
    done = start(command, root)
    assert done.returncode == 0, done.stderr.decode()
    words, prefix, folder, environ = json.loads(done.stdout)
    assert words == [*odd[:-1], "/mnt/lab/a b", "--in", str(root / "c" / "data dir")]
    assert prefix == str(environment)
    assert folder == str(root / "c" / "data dir")
    assert (environ["RP_A"], environ["RP_PATH"]) == ("x y", str(root / "c" / "data dir"))
    assert environ["VIRTUAL_ENV"] == str(environment)
    assert environ["PATH"].startswith(f"{environment}/bin:")
    held = kind(SPEC).fingerprint(SPEC, entries, site)
    assert (held["kind"], held["packages"]) == ("wsl", {})


@posix_only
def test_a_torn_environment_is_taken_away_before_uv_sees_it(root: Path, site: Site, uv: Callable[..., None]) -> None:
    """Without pyvenv.cfg uv would take the linked base Python for the environment, and empty it."""
    uv()
    preparation = kind(SPEC).prepare(SPEC, ["python"], site)
    assert preparation is not None
    begin = preparation.commands[0]
    made = root / "home" / ".run-pipeline" / "made" / begin.argv[-1].rsplit("/", 1)[1]
    folder = root / "home" / ".run-pipeline" / "envs" / made.name
    (folder / "bin").mkdir(parents=True)
    (made / "0123456789abcdef").mkdir(parents=True)
    assert start(begin, root).returncode == 0
    assert not folder.exists()
    assert list(made.iterdir()) == []
    folder.mkdir()
    (folder / "pyvenv.cfg").write_text("home = /usr/bin\n", encoding="utf-8")
    assert start(begin, root).returncode == 0
    assert folder.exists()


@posix_only
@pytest.mark.parametrize("own", ["pyvenv.cfg", "bin/python"])
def test_an_environment_that_the_runner_did_not_make_is_neither_removed_nor_emptied(
    root: Path, site: Site, uv: Callable[..., None], own: str
) -> None:
    uv()
    preparation = kind(SPEC).prepare(SPEC, ["python"], site)
    assert preparation is not None
    begin = preparation.commands[0]
    folder = root / "home" / ".run-pipeline" / "envs" / begin.argv[-1].rsplit("/", 1)[1]
    (folder / own).parent.mkdir(parents=True)
    (folder / own).write_text("home = /usr/bin\n", encoding="utf-8")
    done = start(begin, root)
    assert (done.returncode, b"in the way" in done.stderr) == (1, True)
    assert (folder / own).exists()


@posix_only
def test_an_edited_group_is_prepared_again(root: Path, site: Site, uv: Callable[..., None]) -> None:
    uv()
    preparation = kind(SPEC).prepare(SPEC, ["python"], site)
    assert preparation is not None
    carry_out(preparation, root)
    (root / "repo" / "pyproject.toml").write_text(PYPROJECT + "# edited\n", encoding="utf-8")
    assert kind(SPEC).prepare(SPEC, ["python"], site) is not None


@posix_only
def test_a_failed_sync_is_explained_and_leaves_no_stamp(root: Path, site: Site, uv: Callable[..., None]) -> None:
    uv()
    (root / "repo" / "uv.lock").unlink()
    preparation = kind(SPEC).prepare(SPEC, ["python"], site)
    assert preparation is not None
    begin, sync, _ = preparation.commands
    assert start(begin, root).returncode == 0
    done = start(sync, root)
    assert done.returncode != 0
    error = preparation.explain(sync, done.returncode, done.stderr.decode())
    assert isinstance(error, EnvironmentMissing)
    assert error.cure
    assert preparation.still_needed()


def test_a_distribution_without_uv_is_said_with_a_cure(site: Site) -> None:
    (finding,) = kind(SPEC).check(SPEC, ["python"], site)
    assert finding.key == "use-linux-distro"
    assert "no uv" in finding.message
    assert "Install uv" in finding.cure


def test_an_unknown_distribution_is_said_with_those_that_are_there(site: Site) -> None:
    spec = replace(SPEC, distro="Debian")
    (finding,) = kind(spec).check(spec, ["python"], site)
    assert "There is no distribution with the supplied name." in finding.message
    assert "Ubuntu, docker-desktop" in finding.cure


@posix_only
def test_a_share_that_is_not_mounted_is_said_with_the_command_that_mounts_it(
    site: Site, uv: Callable[..., None]
) -> None:
    uv()
    (finding,) = kind(SPEC).check(SPEC, ["python", r"\\nas\other\a.py"], site)
    assert r"\\nas\other" in finding.message
    assert r"mount -t drvfs '\\nas\other' '/mnt/other'" in finding.cure
    with pytest.raises(EnvironmentMissing, match="not mounted"):
        kind(SPEC).wrap(Request(SPEC, ["python", r"\\nas\other\a.py"], {}, "C:\\"), site)


def test_a_group_that_is_not_there_is_named(site: Site) -> None:
    spec = parse_environment("uv:mesure", "Ubuntu", "win32")
    (finding,) = kind(spec).check(spec, ["python"], site)
    assert finding.key == "environment"
    assert finding.cure == "Did you mean `uv:measure`?"


def test_names_of_distributions_may_have_blanks(site: Site) -> None:
    spec = replace(SPEC, distro="My Ubuntu")
    program = "wsl.exe"
    asked: list[tuple[str, ...]] = []

    def capture(argv: Sequence[str], **more: object) -> Captured:
        asked.append(tuple(argv))
        if "--list" in argv:
            return Captured(0, "Ubuntu 24.04 LTS\r\ndocker-desktop\r\n".encode("utf-16-le"), b"")
        return Captured(255, b"There is no distribution with the supplied name.", b"")

    there = Site(Host("win32", {}, site.host.home, lambda name: program, capture), site.repo, {}, site.repo)
    (finding,) = kind(spec).check(spec, ["python"], there)
    assert finding.cure == "There are: Ubuntu 24.04 LTS, docker-desktop."
    assert asked[0][:3] == (program, "--distribution", "My Ubuntu")


def test_wsl_itself_may_be_missing(site: Site) -> None:
    site = replace(site, host=replace(site.host, which=lambda name: None))
    (finding,) = kind(SPEC).check(SPEC, ["python"], site)
    assert finding.message == "use-linux-distro was requested, but wsl.exe was not found"
    assert "Install WSL" in finding.cure


def test_only_uv_groups_run_there(site: Site) -> None:
    spec = parse_environment("ernet-gpu", "Ubuntu", "win32")
    (finding,) = kind(spec).check(spec, ["python"], site)
    assert "uv groups only" in finding.message


def test_a_dry_run_asks_nothing(site: Site) -> None:
    def refused(*args: object, **more: object) -> Captured:
        raise AssertionError("asked")

    site = replace(site, host=replace(site.host, capture=refused))
    command = kind(SPEC).wrap(Request(SPEC, ["python", r"\\nas\x\a.py"], {"RP_A": "1"}, r"C:\repo", dry=True), site)
    assert command.argv[1:6] == ("--distribution", "Ubuntu", "--cd", "/mnt/c/repo", "--exec")
    assert "RP_A=1" in command.argv
    assert command.argv[-1] == "//nas/x/a.py"
    assert command.argv[-2].startswith("~/.run-pipeline/envs/measure-py3.")


def test_the_default_distribution_needs_no_name(site: Site) -> None:
    spec = replace(SPEC, distro="default")
    assert kind(spec).wrap(Request(spec, ["python"], {}, "C:\\", dry=True), site).argv[1] == "--cd"


def test_wsl_is_not_started_in_a_share(site: Site) -> None:
    site = replace(site, host=replace(site.host, environ={"SYSTEMROOT": r"C:\Windows"}))
    assert kind(SPEC).wrap(Request(SPEC, ["python"], {}, r"\\nas\lab", dry=True), site).cwd == r"C:\Windows"
    assert kind(SPEC).wrap(Request(SPEC, ["python"], {}, r"D:\lab", dry=True), site).cwd == r"D:\lab"
