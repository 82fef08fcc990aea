"""`run-pipeline env` as it is typed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import Any

import pytest

from runner.state.holder import this_process
from tests.support.lab import Lab, segment


def rows(lab: Lab) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lab.run("env", "list", "--json").stdout.splitlines()]


def drop_group(lab: Lab, name: str) -> None:
    path = lab.repo / "pyproject.toml"
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith(f"{name} =")]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    lab.uv("lock", "--quiet")


def program_in_the_environment(lab: Lab) -> subprocess.Popen[bytes]:
    """A Python of the group `default` that waits for a line."""
    folder = lab.repo / ".venvs" / "default"
    python = folder / "Scripts" / "python.exe" if sys.platform == "win32" else folder / "bin" / "python"
    return subprocess.Popen([python, "-c", "input()"], stdin=subprocess.PIPE)


def test_sync_makes_the_environments_of_groups_and_list_shows_them(lab: Lab) -> None:
    assert "No environments yet" in lab.run("env", "list").stdout
    assert "uv group other: in step" in lab.run("env", "sync", "default", "uv@3.11:other").stderr
    table = lab.run("env", "list").stdout
    assert "default " in table
    assert "other-py3.11" in table
    assert table.count("in step") == 2
    found = {row["name"]: row for row in rows(lab)}
    assert found["other-py3.11"]["python"] == "3.11"
    assert found["default"]["bytes"] > 1000
    assert found["default"]["in_step"] is True
    assert "uv:default: in step" in lab.run("env", "sync", "default").stderr


def test_sync_of_a_pipeline_makes_what_it_needs(lab: Lab) -> None:
    pipeline = lab.pipeline([segment("a", "-c", "pass", environment="uv:other"), segment("b", "x", environment="cmd")])
    lab.run("env", "sync", pipeline)
    assert [row["name"] for row in rows(lab)] == ["other"]


def test_sync_of_all_makes_every_group(lab: Lab) -> None:
    lab.run("env", "sync", "--all")
    assert [row["name"] for row in rows(lab)] == ["default", "other"]


def test_an_unknown_group_is_refused_with_the_near_name(lab: Lab) -> None:
    said = lab.run("env", "sync", "defualt", check=3).stderr
    assert "no dependency group `defualt`" in said
    assert "uv:default" in said


def test_remove_asks_first_and_without_a_terminal_wants_yes(lab: Lab) -> None:
    lab.run("env", "sync", "--all")
    assert "--yes" in lab.run("env", "remove", "default", check=2).stderr
    assert "Removed 1 environment" in lab.run("env", "remove", "default", "--yes").stdout
    assert [row["name"] for row in rows(lab)] == ["other"]
    assert sorted(path.name for path in (lab.repo / ".venvs").iterdir()) == ["other", "other.json"]
    assert "There are: other" in lab.run("env", "remove", "gone", "--yes", check=2).stderr


def test_an_environment_whose_group_is_gone_is_unused_and_can_be_removed(lab: Lab) -> None:
    lab.run("env", "sync", "--all")
    drop_group(lab, "other")
    assert {row["name"]: row["unused"] for row in rows(lab)} == {"default": False, "other": True}
    assert "no longer in pyproject.toml" in lab.run("env", "list").stdout
    lab.run("env", "remove", "--unused", "--yes")
    assert [row["name"] for row in rows(lab)] == ["default"]
    assert "Nothing to remove" in lab.run("env", "remove", "--unused").stdout


def test_one_that_is_in_use_is_not_removed(lab: Lab) -> None:
    lab.run("env", "sync", "default")
    holder = this_process("uv group default")
    lock = lab.repo / ".venvs" / "default.lock"
    lock.write_bytes(holder.to_bytes())
    assert f"process {holder.pid}" in lab.run("env", "remove", "default", "--yes", check=2).stderr
    assert "being prepared by" in lab.run("env", "list").stdout
    lock.unlink()
    program = program_in_the_environment(lab)
    said = lab.run("env", "remove", "default", "--yes", check=2).stderr
    program.communicate(b"\n")
    assert f"process {program.pid}" in said
    lab.run("env", "remove", "default", "--yes")


def test_one_that_is_in_use_is_changed_only_when_the_program_has_ended(lab: Lab) -> None:
    lab.run("env", "sync", "default")
    (lab.repo / ".venvs" / "default.json").unlink()
    program = program_in_the_environment(lab)
    sync = lab.popen("env", "sync", "default", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert sync.stderr
    said = b""
    while b"still runs from it" not in said:
        line = sync.stderr.readline()
        assert line, said
        said += line
    assert f"process {program.pid}".encode() in said
    assert not (lab.repo / ".venvs" / "default.json").exists()
    program.communicate(b"\n")
    rest = sync.communicate(timeout=60)[1]
    assert (sync.returncode, b"uv group default: in step" in rest) == (0, True)


@pytest.mark.skipif(sys.platform == "win32", reason="a signal of POSIX")
def test_waiting_for_a_program_in_an_environment_can_be_stopped(lab: Lab) -> None:
    lab.run("env", "sync", "default")
    (lab.repo / ".venvs" / "default.json").unlink()
    program = program_in_the_environment(lab)
    pipeline = lab.pipeline([segment("one", "python", "-c", "print(1)")])
    run = lab.popen(pipeline, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    assert run.stdout
    while b"still runs from it" not in run.stdout.readline():
        pass
    run.send_signal(signal.SIGINT)
    said = run.communicate(timeout=60)[0]
    assert (run.returncode, b"stopped while waiting" in said) == (130, True)
    program.communicate(b"\n")
    lab.run(pipeline)


def test_what_the_go_runner_left_is_mentioned_and_never_touched(lab: Lab) -> None:
    old = lab.repo / ".venv_default_py3_11"
    old.mkdir()
    (old / "file").write_bytes(b"x" * 2048)
    said = lab.run("env", "list").stdout
    assert "Left by the Go runner" in said
    assert ".venv_default_py3_11  2 KiB" in said
    assert "Go runner" in lab.run("env", "remove", old.name, "--yes", check=2).stderr
    lab.run("env", "sync", "default")
    assert (old / "file").exists()


def test_a_folder_that_is_no_environment_is_neither_shown_nor_removed(lab: Lab) -> None:
    mine = lab.repo / ".venvs" / "my notes"
    mine.mkdir(parents=True)
    (mine / "a.txt").write_text("x", encoding="utf-8")
    assert rows(lab) == []
    assert "Nothing to remove" in lab.run("env", "remove", "--unused", "--yes").stdout
    assert (mine / "a.txt").exists()


def test_a_lock_that_is_out_of_date_is_an_environment_error_with_its_cure(lab: Lab) -> None:
    path = lab.repo / "pyproject.toml"
    text = path.read_text(encoding="utf-8").replace("default = []", 'default = ["no-such-package-here"]')
    path.write_text(text, encoding="utf-8")
    said = lab.run("env", "sync", "default", check=3, UV_OFFLINE="1").stderr
    assert "error: uv group default: uv.lock is not up to date" in said
    assert rows(lab) == []


def test_a_virtual_environment_of_the_users_own_is_neither_shown_nor_removed(lab: Lab) -> None:
    lab.run("env", "sync", "default")
    folder = lab.repo / ".venvs"
    for name in ("other", "mine"):
        (folder / name).mkdir()
        (folder / name / "pyvenv.cfg").write_text("home = /usr/bin\n", encoding="utf-8")
    (folder / "mine.json").write_text('{"my": "settings"}', encoding="utf-8")
    (folder / "odd.json").write_text('{"format": 1, "group": 5, "files": []}', encoding="utf-8")
    (folder / "odd").mkdir()
    assert [row["name"] for row in rows(lab)] == ["default"]
    for word in ("other", "mine", "odd"):
        lab.run("env", "remove", word, "--yes", check=2)
    assert "Nothing to remove" in lab.run("env", "remove", "--unused", "--yes").stdout
    assert (folder / "other" / "pyvenv.cfg").exists()
    assert (folder / "mine.json").exists()


def test_what_goes_is_listed_with_its_folder_and_one_without_a_stamp_is_still_ours(lab: Lab) -> None:
    lab.run("env", "sync", "--all")
    folder = lab.repo / ".venvs"
    (folder / "default.json").unlink()
    assert str(folder / "default") in lab.run("env", "remove", "default", check=2).stdout
    in_the_way = folder / ".removing-default"
    in_the_way.mkdir()
    (in_the_way / "mine.txt").write_text("x", encoding="utf-8")
    assert "is in the way" in lab.run("env", "remove", "default", "--yes", check=4).stderr
    assert (in_the_way / "mine.txt").exists()
    (folder / ".removing-default.json").write_text('{"format": 1, "group": "default"}', encoding="utf-8")
    lab.run("env", "remove", "default", "--yes")
    assert sorted(path.name for path in folder.iterdir()) == ["other", "other.json"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_a_link_to_an_environment_is_not_ours_and_no_link_inside_is_followed(lab: Lab) -> None:
    lab.run("env", "sync", "default")
    folder = lab.repo / ".venvs"
    (folder / "other").symlink_to(folder / "default")
    (lab.root / "data.txt").write_text("mine", encoding="utf-8")
    (folder / "default" / "data").symlink_to(lab.root)
    assert [row["name"] for row in rows(lab)] == ["default"]
    lab.run("env", "remove", "other", "--yes", check=2)
    lab.run("env", "remove", "default", "--yes")
    assert (lab.root / "data.txt").read_text(encoding="utf-8") == "mine"
    assert (folder / "other").is_symlink()
