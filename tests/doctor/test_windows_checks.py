"""What is looked at on Windows alone: registry, virus scanner, WSL, batch files and paths, all as values."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path, PureWindowsPath

import pytest

from runner.doctor import Context, State
from runner.doctor.batch import batch_files
from runner.doctor.paths import awkward_paths, network_drives, network_type, on_network, places
from runner.ground.registry import read_registry
from runner.model import FlagMap, Pipeline, Segment, SegmentType
from runner.tasks import make_task
from tests.doctor.machine import SLEEPS, Machine, only
from tests.support.programs import stand_in

FAKE_WSL = Path(__file__).parent.parent / "wsl" / "fake_wsl.py"
LONG_PATHS = r"SYSTEM\CurrentControlSet\Control\FileSystem"
DEFENDER = r"SOFTWARE\Microsoft\Windows Defender"


@pytest.fixture
def windows(machine: Machine) -> Machine:
    machine.platform = "win32"
    machine.registry = {}.get
    machine.environ["SYSTEMROOT"] = str(machine.home)  # its own programs are not asked
    return machine


def in_folder(machine: Machine, folder: str, **environ: str) -> Context:
    """The same machine with its repository in a folder of Windows."""
    context = machine.context()
    repo = PureWindowsPath(folder)
    host = replace(context.site.host, environ={**context.site.host.environ, **environ})
    return replace(context, site=replace(context.site, host=host, repo=repo, environments=repo / ".venvs"))


@pytest.mark.parametrize(
    ("folder", "text"),
    [
        (r"C:\Users\Jörg\pipelines", "letters beyond ASCII"),
        (r"C:\Users\ada\OneDrive - Institute\pipelines", "synchronised by a cloud"),
        (r"D:\sync\pipelines", "synchronised by a cloud"),
        (r"C:\100%\pipelines", "`%` in its path"),
        ("C:\\" + "a" * 80 + "\\pipelines", "of 100 characters"),
    ],
)
def test_a_folder_that_makes_trouble_is_named(windows: Machine, folder: str, text: str) -> None:
    line = only(awkward_paths.run(in_folder(windows, folder, OneDriveCommercial=r"D:\sync")))
    assert line.state is State.WARNING
    assert text in line.text
    assert line.cure


def test_long_paths_are_fine_once_windows_allows_them(windows: Machine) -> None:
    windows.registry = {LONG_PATHS: {"LongPathsEnabled": 1}}.get
    assert only(awkward_paths.run(in_folder(windows, "C:\\" + "a" * 80))).state is State.OK


def test_plain_folders_and_folders_of_other_systems_are_fine(windows: Machine) -> None:
    line = only(awkward_paths.run(in_folder(windows, r"C:\pipelines")))
    assert (line.state, "in plain letters" in line.text) == (State.OK, True)
    windows.platform = "linux"
    line = only(awkward_paths.run(windows.context()))  # with an umlaut
    assert (line.state, "in plain letters" in line.text) == (State.OK, False)


def test_environments_on_a_share_are_a_warning_and_data_there_is_said(windows: Machine) -> None:
    said = network_drives.run(in_folder(windows, r"\\nas\lab\pipelines"))
    assert [line.state for line in said] == [State.OK, State.WARNING]
    assert "RUN_PIPELINE_ENVS" in said[1].cure
    assert only(network_drives.run(in_folder(windows, r"C:\pipelines"))).state is State.OK


def test_network_file_systems_are_known_by_their_type(machine: Machine) -> None:
    host = machine.context().site.host
    assert on_network(machine.repo, host) == ""


def test_a_pending_restart_is_a_warning(windows: Machine) -> None:
    assert windows.said("restart") == [("ok", "Windows does not wait for a restart")]
    windows.registry = {
        r"SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update\RebootRequired": {"x": 1}
    }.get
    line = only(windows.lines("restart"))
    assert line.state is State.WARNING
    assert "Restart the computer" in line.cure


def scanners(machine: Machine, *found: tuple[str, int]) -> None:
    data = [{"displayName": name, "productState": state} for name, state in found]
    machine.program("powershell.exe", f"print({json.dumps(data if len(data) != 1 else data[0])!r})")


def test_virus_scanners_are_told_apart(windows: Machine) -> None:
    assert "does not tell" in only(windows.lines("virus scanner")).text
    scanners(windows, ("Windows Defender", 0x061100))
    line = only(windows.lines("virus scanner"))
    assert (line.state, "Defender is on" in line.text) == (State.OK, True)
    assert ".venvs" in line.cure
    scanners(windows, ("Windows Defender", 0x060100), ("Guard It All", 0x041000))
    line = only(windows.lines("virus scanner"))
    assert line.state is State.WARNING
    assert line.text.startswith("Guard It All looks at")
    scanners(windows, ("Windows Defender", 0x060100))
    assert "no virus scanner" in only(windows.lines("virus scanner")).text


def test_a_folder_that_defender_leaves_alone_is_fine(windows: Machine) -> None:
    scanners(windows, ("Windows Defender", 0x061100))
    windows.registry = {rf"{DEFENDER}\Exclusions\Paths": {str(PureWindowsPath(windows.repo)).upper(): 0}}.get
    assert "leaves the environments' folder alone" in only(windows.lines("virus scanner")).text


def test_wsl_is_listed_and_one_that_is_needed_is_looked_into(windows: Machine, tmp_path: Path) -> None:
    assert windows.said("WSL") == [("ok", "WSL is not installed")]
    linux = tmp_path / "linux"
    for folder in ("home", "c", "bin"):
        (linux / folder).mkdir(parents=True)
    stand_in(windows.programs / "wsl.exe", FAKE_WSL, linux)
    assert windows.said("WSL") == [("ok", "distributions: Ubuntu, docker-desktop")]
    segment = {"name": "a", "environment": "uv:plain", "commands": ["python"], "use-linux-distro": "Ubuntu"}
    windows.pipeline(segment)
    assert windows.said("WSL")[1] == ("problem", "there is no uv in Ubuntu")
    there = windows.program("uv", "", folder=linux / "bin")
    assert windows.said("WSL")[1] == ("ok", f"Ubuntu has uv: {there}")
    windows.pipeline({**segment, "use-linux-distro": "Suse"})
    assert windows.lines("WSL")[1].state is State.PROBLEM
    windows.program("wsl.exe", SLEEPS)
    line = only(windows.lines("WSL", longest=0.5))
    assert line.state is State.WARNING
    assert "wsl --shutdown" in line.cure


def test_no_wsl_is_a_problem_for_a_pipeline_that_names_a_distribution(windows: Machine) -> None:
    windows.pipeline({"name": "a", "environment": "uv:plain", "commands": ["python"], "use-linux-distro": "Ubuntu"})
    assert only(windows.lines("WSL")).state is State.PROBLEM


def test_a_batch_file_with_a_percent_sign_is_a_warning(windows: Machine) -> None:
    context = windows.context()
    commands = (r"C:\tools\convert.bat", FlagMap((("--scale", "50%"),)))
    environment = "cells"
    segments = [
        Segment(1, "a", SegmentType.NORMAL, "", environment=environment, commands=commands),
        Segment(2, "b", SegmentType.NORMAL, "", environment=environment, commands=(r"C:\tools\convert.exe", "50%")),
        Segment(3, "c", SegmentType.NORMAL, "", environment="cmd", commands=("report.cmd now", "plain")),
    ]
    pipeline = Pipeline(PureWindowsPath(r"C:\data\p.yaml"), "", tuple(segments))
    jobs = tuple(make_task(one, pipeline, context.site) for one in segments)
    line = only(batch_files.run(replace(context, pipeline=pipeline, jobs=jobs)))
    assert line.state is State.WARNING
    assert "segment 1" in line.text
    assert "50%" in line.text
    assert only(batch_files.run(replace(context, pipeline=pipeline, jobs=jobs[1:]))).state is State.OK


def test_other_systems_have_no_registry_and_none_of_these_lines(machine: Machine) -> None:
    machine.platform = "linux"
    for title in ("restart", "virus scanner", "WSL", "batch files"):
        assert machine.said(title) == []
    if sys.platform != "win32":
        assert read_registry("a") is None
    else:
        assert (read_registry(r"SOFTWARE\Microsoft\Windows NT\CurrentVersion") or {})["CurrentBuild"]


def test_the_nearest_mount_above_a_path_decides_whether_it_is_on_the_network() -> None:
    mounts = [("/", "ext4"), ("/mnt/lab", "cifs"), ("/mnt/lab/fast", "xfs"), ("/home", "nfs4"), ("/n", "fuse.sshfs")]
    assert network_type("/mnt/lab/a b", mounts) == "cifs"
    assert network_type("/mnt/lab/fast/x", mounts) == ""
    assert network_type("/mnt/laboratory", mounts) == ""
    assert network_type("/home", mounts) == "nfs4"
    assert network_type("/n/x", mounts) == "fuse.sshfs"
    assert network_type("/x", []) == ""


def test_outputs_with_patterns_are_looked_at_by_their_fixed_part(windows: Machine) -> None:
    context = windows.context()
    found = set()
    for pattern in (r"D:\data\out\**\*.tif", r"\\?\D:\data\*.tif", "*/a.tif"):
        segment = Segment(1, "a", SegmentType.NORMAL, "", environment="cmd", commands=("x",), outputs=(pattern,))
        pipeline = Pipeline(PureWindowsPath(r"C:\data\p.yaml"), "", (segment,))
        jobs = (make_task(segment, pipeline, context.site),)
        found |= {str(place.path) for place in places(replace(context, pipeline=pipeline, jobs=jobs))}
    assert {r"D:\data\out", r"\\?\D:\data"} <= found
