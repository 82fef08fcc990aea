"""Offline mode and Jupyter kernels on the page of the doctor."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from runner.kernels import install, installed, kernels_folder
from tests.doctor.machine import Machine
from tests.uv.index import Index


def test_offline_mode_is_told_with_what_is_missing_for_the_environments_that_are_there(
    machine: Machine, tmp_path: Path
) -> None:
    assert machine.said("offline") == [("ok", "no network is used (UV_OFFLINE)")]
    index = Index(tmp_path / "index")
    try:
        machine.shop.prepare("uv:plain")
        machine.shop.environ["UV_OFFLINE"] = "0"
        machine.shop.more += f'[[tool.uv.index]]\nurl = "{index.url}"\ndefault = true\n'
        machine.shop.write(plain=["alpha"])
        assert machine.said("offline") == []
    finally:
        index.close()
    machine.shop.environ["UV_OFFLINE"] = "1"
    _, (state, text) = machine.said("offline")
    assert state == "problem"
    assert text.endswith("1 package in neither uv's cache nor a folder of wheels: alpha==1.0")


def test_a_kernel_whose_repository_or_runner_is_gone_is_told_with_its_cure(machine: Machine, tmp_path: Path) -> None:
    context = machine.context()
    folder = Path(kernels_folder(context.site.host))
    other, python = tmp_path / "other", tmp_path / "python"
    shutil.copytree(machine.repo, other)
    python.write_text("", encoding="utf-8")
    install(folder, "whole", "uv:plain", machine.repo, (sys.executable,), {})
    install(folder, "no repository", "uv:plain", other, (sys.executable,), {})
    install(folder, "no runner", "uv:plain", machine.repo, (str(python),), {})
    install(folder, "no group", "uv:none", machine.repo, (sys.executable,), {})
    assert len(list(installed(folder))) == 4
    shutil.rmtree(other)
    python.unlink()
    first, *rest = machine.said("Jupyter kernels")
    assert first == ("ok", "can start: whole")
    said = {text.split(" cannot start: ")[0]: text for state, text in rest if state == "warning"}
    assert f"there is no {other / 'pyproject.toml'} any more" in said["no-repository"]
    assert f"there is no {python} any more, with which the runner was started" in said["no-runner"]
    assert "has no dependency group `none`" in said["no-group"]
