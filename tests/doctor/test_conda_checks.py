"""conda, its channels, and Fiji: real folders as conda and Fiji lay them out, programs that answer as theirs do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runner.doctor import State
from tests.conda.conda_layout import make_base, make_environment
from tests.doctor.machine import SLEEPS, Machine, only

FAKE_TORCH = Path(__file__).with_name("fake_torch.py")
SEGMENT = {"name": "a", "environment": "cells", "commands": ["python", "-c", "pass"]}


@pytest.fixture
def base(machine: Machine) -> Path:
    folder = make_base(machine.home / "mini forge")
    machine.dotenv["CONDA_PATH"] = str(folder)
    return folder


def test_no_conda_is_a_problem_only_for_a_pipeline_that_needs_it(machine: Machine) -> None:
    assert machine.said("conda") == [("ok", "conda was not found")]
    machine.pipeline({"name": "a", "environment": "uv:plain", "commands": ["python"]})
    assert machine.said("conda") == [("ok", "conda was not found, and this pipeline does not need it")]
    machine.pipeline(SEGMENT)
    line = only(machine.lines("conda"))
    assert line.state is State.PROBLEM
    assert "which cells needs" in line.text
    assert "CONDA_PATH" in line.cure


def test_conda_and_mamba_are_shown_with_version_and_place(machine: Machine, base: Path) -> None:
    assert machine.said("conda") == [("ok", f"environments of micromamba in {base}")]
    conda = machine.program("conda", "print('conda 26.7.1')", folder=base / "bin")
    mamba = machine.program("mamba", "print('2.3.0')")
    assert machine.said("conda") == [("ok", f"conda 26.7.1, {conda}"), ("ok", f"2.3.0, {mamba}")]


def test_a_conda_that_hangs_or_fails_is_a_warning(machine: Machine, base: Path) -> None:
    machine.program("conda", SLEEPS, folder=base / "bin")
    line = only(machine.lines("conda", longest=0.5))
    assert line.state is State.WARNING
    assert "did not answer" in line.text
    machine.program("conda", "sys.exit(1)", folder=base / "bin")
    assert "exit code 1" in only(machine.lines("conda")).text


def test_the_defaults_channel_is_found_in_settings_recipes_and_environments(machine: Machine, base: Path) -> None:
    assert machine.said("conda channels") == [("ok", "the `defaults` channel is not used")]
    (machine.home / ".condarc").write_text("channels:\n  - defaults\n  - conda-forge\n", encoding="utf-8")
    recipes = machine.repo / "conda_envs"
    recipes.mkdir()
    (recipes / "a.yml").write_text("name: a\nchannels: [anaconda, conda-forge]\n", encoding="utf-8")
    (recipes / "b.yml").write_text("name: b\nchannels: [conda-forge]\n", encoding="utf-8")
    (recipes / "c.yml").write_text("name: c\nchannels: [conda-forge, nodefaults, bioconda]\n", encoding="utf-8")
    (recipes / "d.yml").write_text("name: d\nchannels: [", encoding="utf-8")
    meta = make_environment(base / "envs" / "cells") / "conda-meta"
    record = {"name": "zlib", "version": "1", "build": "0", "channel": "https://example.org/pkgs/main/linux-64"}
    (meta / "zlib-1-0.json").write_text(json.dumps(record), encoding="utf-8")
    machine.pipeline(SEGMENT)
    lines = machine.lines("conda channels")
    assert all(line.state is State.WARNING for line in lines)
    texts = [line.text for line in lines]
    assert texts == [
        f"{machine.home / '.condarc'} names the channel defaults",
        "a.yml takes packages from the `defaults` channel",
        "b.yml does not keep the `defaults` channel out",
        "d.yml does not keep the `defaults` channel out",
        "environment cells holds 1 package of the `defaults` channel",
    ]


def test_the_cure_for_a_channel_names_the_channel_and_the_file_that_holds_it(machine: Machine, base: Path) -> None:
    """`conda config --remove channels defaults` alone would look into the user's own file."""
    settings = base / ".condarc"
    channel = "https://repo.example.org/pkgs/main"
    settings.write_text(f"channels:\n  - {channel}\n", encoding="utf-8")
    line = only(machine.lines("conda channels"))
    assert line.text == f"{settings} names the channel {channel}"
    for command in ("--add channels conda-forge", f"--remove channels {channel}"):
        assert f'`conda config --file "{settings}" {command}`' in line.cure
    settings.write_text(f"channels:\n  - {channel}\n  - conda-forge\n", encoding="utf-8")
    assert "--add" not in only(machine.lines("conda channels")).cure


def test_conda_without_settings_takes_packages_from_defaults(machine: Machine, base: Path) -> None:
    machine.program("conda", "print('conda 26.7.1')", folder=base / "bin")
    assert "name no channel" in only(machine.lines("conda channels")).text
    (base / ".condarc").write_text("channels:\n  - conda-forge\n", encoding="utf-8")
    assert machine.said("conda channels") == [("ok", "the `defaults` channel is not used")]


def test_cuda_of_a_conda_environment_is_seen_and_tried(machine: Machine, base: Path) -> None:
    prefix = make_environment(base / "envs" / "cells")
    (prefix / "conda-meta" / "pytorch-cuda-12.4-0.json").write_text("{}", encoding="utf-8")
    (packages,) = (prefix / "lib").glob("python*/site-packages")
    (packages / "torch.py").write_text(FAKE_TORCH.read_text(encoding="utf-8"), encoding="utf-8")
    machine.pipeline(SEGMENT)
    assert "conda environment cells brings CUDA" in only(machine.lines("GPU")).text
    machine.gpu = True
    machine.environ["FAKE_TORCH"] = "fine"
    line = only(machine.lines("GPU test"))
    assert line.state is State.OK, line.text
    assert line.text.startswith("cells: PyTorch")


def test_fiji_is_a_problem_only_where_it_is_needed(machine: Machine) -> None:
    assert machine.said("Fiji") == [("ok", "Fiji was not found")]
    machine.pipeline({"name": "a", "environment": "imagej", "commands": ["%REPO%/a.ijm"]})
    line = only(machine.lines("Fiji"))
    assert line.state is State.PROBLEM
    assert "IMAGEJ_PATH" in line.cure


def test_the_kind_of_fijis_launcher_is_shown(machine: Machine) -> None:
    folder = machine.home / "Fiji.app"
    old = machine.program("ImageJ-linux64", "", folder=folder)
    machine.platform = "linux"
    assert machine.said("Fiji") == [("ok", f"{old}, old launcher (`--ij2 --console --run`)")]
    new = machine.program("fiji-linux-x64", "", folder=folder)
    assert machine.said("Fiji") == [("ok", f"{new}, new launcher (`--run`)")]
    own = machine.program("my-fiji", "print('usage: run a plugin')", folder=machine.home)
    machine.dotenv["IMAGEJ_PATH"] = str(own)
    assert machine.said("Fiji") == [("ok", f"{own}, new launcher (`--run`)")]
    machine.program("my-fiji", SLEEPS, folder=machine.home)
    line = only(machine.lines("Fiji", longest=0.5))
    assert line.state is State.WARNING
    assert "does not answer" in line.text
