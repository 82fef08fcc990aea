"""The Tab key: what each shell's own script is told."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.docs.pages import REPO
from tests.support.lab import Lab, segment


def offered(lab: Lab, *words: str, cwd: Path | None = None, **extra: str) -> list[str]:
    """What bash is offered for the last word."""
    line = " ".join(["run-pipeline", *words])
    asked = {"_RUN_PIPELINE_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words))}
    done = subprocess.run(
        lab.argv(), env=lab.environ(**asked, **extra), cwd=cwd or lab.data, capture_output=True, encoding="utf-8"
    )
    assert not done.stderr, done.stderr
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


@pytest.fixture
def pipeline(lab: Lab) -> Path:
    (lab.data / "more").mkdir()
    run = [segment("Convert it", "x"), {"type": "pause"}, segment("Measure", "x")]
    (lab.data / "pipeline_status.yaml").touch()
    return lab.pipeline(run)


def test_files_are_offered_without_their_status_files_and_with_folders(lab: Lab, pipeline: Path) -> None:
    assert offered(lab, "pi") == ["pipeline.yaml"]
    assert {"run", "check", "new", "pipeline.yaml", "more/"} <= set(offered(lab, ""))
    for command in ("run", "check", "status", "doctor", "compare"):
        assert offered(lab, command, "") == ["more/", "pipeline.yaml"]
    assert offered(lab, "check", str(lab.data).replace(" ", "\\ ") + "/pi") == [str(pipeline)]


@pytest.mark.parametrize("option", ["--from", "--only"])
def test_segments_are_offered_by_number_and_a_name_once_it_is_begun(lab: Lab, pipeline: Path, option: str) -> None:
    assert offered(lab, "pipeline.yaml", option, "") == ["1", "3"]
    assert offered(lab, "run", "pipeline.yaml", "--force", option, "3") == ["3"]
    assert offered(lab, "pipeline.yaml", option, "mea") == ["Measure"]
    assert offered(lab, "pipeline.yaml", option, "Con") == ["Convert it"]


def test_groups_tasks_and_programs_are_offered(lab: Lab, pipeline: Path) -> None:
    assert offered(lab, "env", "remove", "d") == ["default"]
    assert offered(lab, "env", "sync", "") == ["default", "other", "more/", "pipeline.yaml"]
    # bash takes a word apart at its colon
    assert offered(lab, "new", "more", "--environment", "uv", ":", "o") == ["other"]
    assert offered(lab, "new", "more", "--environment", "u") == ["uv:default", "uv:other"]
    both = ["x + script", "x + uv:default", "x + uv:other"]
    assert sorted(offered(lab, "new", "more", "--environment", "conda:x\\ +\\ ")) == both
    assert offered(lab, "new", "more", "--task", "t") == ["threshold"]
    assert offered(lab, "programs", "segment_t", RUN_PIPELINE_REPO=str(REPO)) == ["segment_threshold"]


def test_what_cannot_be_read_offers_nothing_and_says_nothing(lab: Lab, pipeline: Path) -> None:
    pipeline.write_text("run: [", encoding="utf-8")
    assert offered(lab, "pipeline.yaml", "--from", "") == []
    assert offered(lab, "nowhere.yaml", "--from", "") == []
    assert offered(lab, "check", "nowhere/") == []
    assert offered(lab, "env", "remove", "", RUN_PIPELINE_REPO=str(lab.home)) == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_a_script_is_printed_for_each_shell(lab: Lab, shell: str) -> None:
    assert "_RUN_PIPELINE_COMPLETE" in lab.run("completion", shell).stdout


def test_powershell_is_told_values_with_their_help(lab: Lab, pipeline: Path) -> None:
    def told(line: str) -> str:
        asked = {"_RUN_PIPELINE_COMPLETE": "powershell_complete", "_RUN_PIPELINE_WORDS": line}
        return subprocess.run(
            lab.argv(), env=lab.environ(**asked), cwd=lab.data, capture_output=True, encoding="utf-8", check=True
        ).stdout

    assert told("run-pipeline pi") == "pipeline.yaml\tpipeline.yaml\n"
    assert told("run-pipeline .\\pi") == ".\\pipeline.yaml\t.\\pipeline.yaml\n"
    assert told("run-pipeline 'pipeline.yaml' --from ") == "1\tConvert it\n3\tMeasure\n"


@pytest.mark.skipif(sys.platform == "win32" or not shutil.which("bash"), reason="needs bash")
@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("run-pipeline pipe", "run-pipeline pipeline.yaml "),
        ("run-pipeline pipeline.yaml --from Con", "run-pipeline pipeline.yaml --from Convert\\ it "),
        ("run-pipeline check my\\ fol", "run-pipeline check my\\ folder/"),
        ("run-pipeline check my\\ folder/on", "run-pipeline check my\\ folder/only\\ one.yaml "),
        ("run-pipeline new x --environment uv:oth", "run-pipeline new x --environment uv:other "),
        ("run-pipeline comple", "run-pipeline completion "),
    ],
)
def test_the_tab_key_of_a_real_bash_completes_with_the_script(
    lab: Lab, pipeline: Path, typed: str, completed: str
) -> None:
    import pty

    (lab.data / "my folder").mkdir()
    (lab.data / "my folder" / "only one.yaml").write_text("run: []\n", encoding="utf-8")
    folder = lab.root / "bin"
    folder.mkdir()
    program = folder / "run-pipeline"
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{REPO}" exec "{sys.executable}" -m runner "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    script = lab.root / "script"
    script.write_text(
        lab.run("completion", "bash").stdout + "\nbind 'set bell-style none'; PS1='ready> '\n", encoding="utf-8"
    )
    environ = lab.environ(TERM="dumb", LANG="C.UTF-8", LC_ALL="C.UTF-8", COLUMNS="300")
    environ["PATH"] = f"{folder}:{environ['PATH']}"
    master, slave = pty.openpty()
    process = subprocess.Popen(
        ["bash", "--noprofile", "--rcfile", str(script), "-i"],
        env=environ, cwd=lab.data, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    try:
        shown = read_until(master, "ready> ")
        os.write(master, f"{typed}\t".encode())
        shown = read_until(master, completed)
        assert completed in shown, shown
    finally:
        process.kill()
        process.wait()
        os.close(master)


def read_until(terminal: int, text: str, patience: float = 30) -> str:
    """What the terminal shows until `text` is there, or nothing more comes."""
    shown, end = "", time.monotonic() + patience
    while text not in shown and time.monotonic() < end:
        if select.select([terminal], [], [], 0.2)[0]:
            shown += os.read(terminal, 65536).decode("utf-8", "replace")
    return shown
