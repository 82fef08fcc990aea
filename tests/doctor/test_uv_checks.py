"""uv, its Pythons, the lock and the environments: all with the real uv."""

from __future__ import annotations

import os
from pathlib import Path

from runner.doctor import State
from runner.environments.uv.binary import find_uv
from runner.state.locks import LockFile
from tests.doctor.machine import SLEEPS, Machine, only


def segment(name: str, environment: str, *commands: object, **keys: object) -> dict[str, object]:
    return {"name": name, "environment": environment, "commands": list(commands), **keys}


def test_uv_is_shown_with_its_version_and_where_it_comes_from(machine: Machine) -> None:
    line = only(machine.lines("uv"))
    assert line.state is State.OK
    assert line.text.endswith(("(of the Python package uv)", "(on PATH)"))


def test_a_uv_that_is_too_old_or_does_not_answer_is_named(machine: Machine) -> None:
    old = machine.program("old-uv", "print('uv 0.4.0')")
    machine.environ["RUN_PIPELINE_UV"] = str(old)
    line = only(machine.lines("uv"))
    assert line.state is State.PROBLEM
    assert "older than" in line.text
    machine.environ["RUN_PIPELINE_UV"] = str(machine.program("mute-uv", SLEEPS))
    line = only(machine.lines("uv", longest=0.5))
    assert line.state is State.PROBLEM
    assert "did not answer" in line.text


def test_a_pipeline_without_uv_groups_does_not_ask_for_uv(machine: Machine) -> None:
    machine.environ["RUN_PIPELINE_UV"] = str(machine.home / "no-such-uv")
    assert only(machine.lines("uv")).state is State.PROBLEM
    machine.pipeline(segment("a", "cmd", "true"))
    assert machine.said("uv") == [("ok", "not found, and this pipeline does not need it")]
    assert machine.said("lock") == []
    assert machine.said("Python versions") == []


def test_a_lock_in_step_needs_no_network_and_one_out_of_step_is_a_problem(machine: Machine) -> None:
    assert machine.said("lock") == [("ok", "uv.lock is in step with pyproject.toml")]
    path = machine.repo / "pyproject.toml"
    path.write_text(path.read_text("utf-8").replace("plain = []", 'plain = ["no-such-thing-here"]'), encoding="utf-8")
    line = only(machine.lines("lock"))
    assert line.state is State.PROBLEM
    assert "not in step" in line.text
    assert "lock` in" in line.cure
    (machine.repo / "uv.lock").unlink()
    assert "there is no uv.lock" in only(machine.lines("lock")).text


def test_a_cure_names_the_uv_that_the_user_can_start(machine: Machine) -> None:
    """uv of the Python package is mostly not on PATH; `uv lock` would not be found."""
    (machine.repo / "uv.lock").unlink()
    own = find_uv(machine.context().site).path
    assert own in only(machine.lines("lock")).cure
    on_path = machine.program(
        Path(own).name, f"import subprocess; sys.exit(subprocess.call([{str(own)!r}, *sys.argv[1:]]))"
    )
    machine.environ["RUN_PIPELINE_UV"] = str(on_path)
    assert only(machine.lines("lock")).cure.startswith("Run `uv lock` in ")


def test_what_all_environments_have_wrong_is_told_once(machine: Machine) -> None:
    machine.pipeline(segment("a", "uv:plain", "python"), segment("b", "uv:other", "python"))
    (machine.repo / "uv.lock").unlink()
    assert len(machine.context().uv_groups()) == 2
    assert "there is no uv.lock" in only(machine.lines("uv environments")).text


def test_a_lock_that_is_no_toml_is_explained(machine: Machine) -> None:
    (machine.repo / "uv.lock").write_text("version = = 1\n", encoding="utf-8")
    line = only(machine.lines("lock"))
    assert line.state is State.PROBLEM
    assert "uv.lock" in line.text


def test_a_python_that_is_missing_is_a_problem_only_where_none_may_be_downloaded(machine: Machine) -> None:
    machine.shop.more += 'newer = { requires-python = "==3.99.*" }\n'
    machine.shop.write(newer=[])
    found, missing = machine.lines("Python versions")
    assert found.state is State.OK
    assert found.text.startswith(">=3.11: ")
    assert missing.state is State.PROBLEM
    assert "==3.99.*" in missing.text
    del machine.shop.environ["UV_PYTHON_DOWNLOADS"], machine.shop.environ["UV_OFFLINE"]
    _, missing = machine.lines("Python versions")
    assert missing.state is State.OK
    assert "uv downloads it" in missing.text


def test_environments_are_missing_then_in_step_then_behind(machine: Machine) -> None:
    assert machine.said("uv environments") == [("ok", "none yet; a run makes those that it needs")]
    machine.pipeline(segment("a", "uv:plain", "python", "-c", "pass"))
    line = only(machine.lines("uv environments"))
    assert (line.state, line.text) == (State.WARNING, "plain is not made yet")
    assert "env sync plain`" in line.cure
    machine.shop.prepare("uv:plain")
    assert machine.said("uv environments") == [("ok", "in step: plain")]
    machine.shop.wheel("small").write(plain=["small"])
    line = only(machine.lines("uv environments"))
    assert line.state is State.WARNING
    assert "not in step" in line.text


def test_an_environment_of_no_group_and_one_being_prepared_are_told_apart(machine: Machine) -> None:
    machine.shop.prepare("uv:plain")
    spare = machine.repo / ".venvs" / "spare"
    spare.mkdir()
    (spare / "pyvenv.cfg").write_text("home = /gone\n", encoding="utf-8")
    stamp = (machine.repo / ".venvs" / "plain.json").read_text("utf-8").replace('"plain"', '"spare"')
    spare.with_name("spare.json").write_text(stamp, "utf-8")  # ours, by the runner's own note
    with LockFile(machine.repo / ".venvs" / "plain.lock", "uv group plain").acquire(0):
        said = machine.lines("uv environments")
    assert [line.state for line in said] == [State.WARNING, State.OK]
    assert f"process {os.getpid()}" in said[0].text
    assert said[1].text == "of no group any more: spare"
    assert "env remove --unused" in said[1].cure
