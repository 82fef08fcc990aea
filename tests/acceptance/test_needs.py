"""`needs` and `resources` by the command line: what runs side by side, and what it gets of the machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.lab import PYPROJECT, Lab, segment
from tests.support.nvidia import nvidia_smi

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="programs of a Unix shell")

# notes when it began and ended, how many were there meanwhile, and what it was told of the machine
PROGRAM = """\
import json, os, signal, sys, time
name = sys.argv[1]
begin = time.monotonic()
open("here-" + name, "w").close()
deadline = begin + (20 if os.path.exists("together") else 0.15)
most = 0
while time.monotonic() < deadline:
    most = max(most, sum(one.startswith("here-") for one in os.listdir(".")))
    if os.path.exists("together") and most >= int(open("together").read()):
        time.sleep(0.3)
        break
    time.sleep(0.01)
os.remove("here-" + name)
told = {key: os.environ[key] for key in os.environ if key.endswith("_THREADS") or key.startswith("CUDA_VISIBLE")}
line = {"name": name, "begin": begin, "end": time.monotonic(), "most": most, "told": told}
with open("calls.jsonl", "a") as file:
    file.write(json.dumps(line) + "\\n")
if os.path.exists("hungry-" + name):
    os.remove("hungry-" + name)
    with open("kills", "r+") as file:
        count = int(file.read())
        file.seek(0)
        file.write(str(count + 1))
    os.kill(os.getpid(), signal.SIGKILL)
if os.path.exists("shot-" + name):
    os.kill(os.getpid(), signal.SIGKILL)
sys.exit(5 if os.path.exists("bad-" + name) else 0)
"""


@pytest.fixture
def bare(tmp_path: Path) -> Lab:
    """Its segments need no uv, so nothing is locked."""
    lab = Lab(tmp_path)
    for folder in (lab.repo / "scripts", lab.data, lab.home):
        folder.mkdir(parents=True)
    (lab.repo / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    lab.script("work.py", PROGRAM)
    return lab


def work(name: str, *words: str, **keys: Any) -> dict[str, Any]:
    commands = [sys.executable, "%REPO%/scripts/work.py", *(words or (name,))]
    return {"name": name, "environment": "cmd", "commands": commands, "cwd": "%YAML%", **keys}


def calls(lab: Lab) -> dict[str, dict[str, Any]]:
    """What ran since this was asked last, by name."""
    path = lab.data / "calls.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    told = [json.loads(line) for line in lines]
    assert len({one["name"] for one in told}) == len(told), "something ran twice"
    return {one["name"]: one for one in told}


def events(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def rows(done: subprocess.CompletedProcess[str]) -> list[tuple[str, str]]:
    return [(row["state"], row["note"]) for row in events(done)[-1]["segments"]]


def test_what_needs_nothing_of_each_other_runs_side_by_side_and_a_failed_branch_stops_no_other(bare: Lab) -> None:
    diamond = [
        work("a"),
        work("b", needs=["a"]),
        work("c", needs=["a"]),
        work("d", needs=["b", "c"]),
        work("e", needs=["c"]),
    ]
    path = bare.pipeline(diamond)
    (bare.data / "bad-b").touch()
    done = bare.run(path, "--json", "--jobs", "2", check=1)
    ran = calls(bare)
    assert sorted(ran) == ["a", "b", "c", "e"]
    assert ran["b"]["begin"] < ran["c"]["end"] and ran["c"]["begin"] < ran["b"]["end"]
    assert min(ran["b"]["begin"], ran["c"]["begin"]) >= ran["a"]["end"] and ran["e"]["begin"] >= ran["c"]["end"]
    states = [state for state, _ in rows(done)]
    assert states == ["succeeded", "failed", "succeeded", "not run", "succeeded"]
    assert rows(done)[3][1] == "segment 2 failed"
    assert [entry["name"] for entry in bare.status(path)] == ["a", "c", "e"]
    shown = bare.run(path, "--dry-run").stdout
    assert "2 of 5 segments would run" in shown and "d – follows segment 2, which runs" in shown
    (bare.data / "bad-b").unlink()
    bare.run(path)
    assert sorted(calls(bare)) == ["b", "d"]
    bare.run(path, "--from", "b")
    assert sorted(calls(bare)) == ["b", "d"]
    bare.run(path, "--only", "c")
    assert sorted(calls(bare)) == ["c"]
    bare.run(path)
    assert calls(bare) == {}


def test_an_item_starts_once_its_own_forerunner_ended_where_needs_says_so(bare: Lab) -> None:
    over = {"foreach": ["1", "2", "3"]}
    path = bare.pipeline(
        [
            work("m", "m%ITEM%", **over),
            work("n", "n%ITEM%", needs=[{"items": "m"}], **over),
            work("sum", needs=["m"]),
            work("alone", needs=[]),
        ]
    )
    (bare.data / "bad-m2").touch()
    done = bare.run(path, "--json", "--jobs", "2", check=1)
    ran = calls(bare)
    assert sorted(ran) == ["alone", "m1", "m2", "m3", "n1", "n3"]
    assert ran["n1"]["begin"] < ran["m3"]["end"]
    assert [state for state, _ in rows(done)] == ["failed", "failed", "not run", "succeeded"]
    (left,) = [one for one in events(done) if one["event"] == "item-end" and one["state"] == "not run"]
    assert (left["segment"], left["item"], left["explanation"]) == (2, "2", "it failed in segment 1")
    (bare.data / "bad-m2").unlink()
    bare.run(path)
    assert sorted(calls(bare)) == ["m2", "n2", "sum"]


def test_never_more_runs_at_once_than_jobs_or_cores_or_memory_allow(bare: Lab) -> None:
    over = {"foreach": {"range": 6}}
    path = bare.pipeline([work("each", "%ITEM%", **over)])
    (bare.data / "together").write_text("3")
    bare.run(path, "--jobs", "3")
    assert max(one["most"] for one in calls(bare).values()) == 3
    (bare.data / "together").unlink()
    bare.run(path, "--jobs", "1", "--force")
    assert {one["most"] for one in calls(bare).values()} == {1}
    path = bare.pipeline([work("wide", "%ITEM%", resources={"cpus": 4096}, **over)])
    done = bare.run(path, "--jobs", "3")
    assert "warning: the segment asks for 4096 cores; this machine has" in done.stderr
    assert {one["most"] for one in calls(bare).values()} == {1}
    path = bare.pipeline([work("before"), work("big", "%ITEM%", resources={"memory": "4000 TB"}, **over)])
    assert "asks for" in bare.run(path, check=2).stderr
    assert calls(bare) == {}


@pytest.mark.skipif(Path("/proc/driver/nvidia").exists(), reason="a machine with GPUs of its own")
def test_gpus_are_handed_out_one_each_and_threads_are_told_unless_the_segment_says_otherwise(bare: Lab) -> None:
    nvidia_smi(
        bare.root / "tools" / "nvidia-smi", {"uuid": "GPU-aaaa"}, {"uuid": "GPU-bbbb", "parts": ["MIG-b1", "MIG-b2"]}
    )
    found = f"{bare.root / 'tools'}{os.pathsep}{os.environ['PATH']}"
    own = {"CUDA_VISIBLE_DEVICES": "7", "OMP_NUM_THREADS": "9"}
    one = {"gpus": 1}
    path = bare.pipeline(
        [
            work("each", "%ITEM%", foreach={"range": 6}, resources=one),
            work("plain"),
            work("own", "%ITEM%", foreach=["own"], resources=one, env=own),
            work("two", resources={"gpus": 2, "cpus": 2}),
        ]
    )
    (bare.data / "together").write_text("3")
    done = bare.run(path, "--jobs", "5", "--only", "each", "--json", PATH=found)
    ran = calls(bare)
    assert {ran[str(n)]["told"]["CUDA_VISIBLE_DEVICES"] for n in range(6)} == {"GPU-aaaa", "MIG-b1", "MIG-b2"}
    assert max(one["most"] for one in ran.values()) == 3
    assert {tuple(one["gpus"]) for one in events(done) if one["event"] == "item-start"} == {
        ("GPU-aaaa",),
        ("MIG-b1",),
        ("MIG-b2",),
    }
    (bare.data / "together").unlink()
    bare.run(path, "--from", "plain", PATH=found)
    ran = calls(bare)
    assert ran["plain"]["told"] == {}
    assert ran["own"]["told"]["CUDA_VISIBLE_DEVICES"] == "7" and ran["own"]["told"]["OMP_NUM_THREADS"] == "9"
    assert ran["own"]["told"]["OPENBLAS_NUM_THREADS"] == "1"
    assert ran["two"]["told"]["CUDA_VISIBLE_DEVICES"] == "GPU-aaaa,MIG-b1"
    bare.run(path, "--only", "each", PATH=found, CUDA_VISIBLE_DEVICES="0")
    assert {one["told"]["CUDA_VISIBLE_DEVICES"] for one in calls(bare).values()} == {"GPU-aaaa"}
    assert "asks for 1 GPU, but this machine has none" in bare.run(path, "--force", check=2).stderr


COUNTED = """\
import sys
from runner.process import memory_limits
memory_limits.KILLS.count = lambda: int(open("kills").read() or 0)
sys.argv[0] = "run-pipeline"
from runner.__main__ import main
main()
"""


def test_a_kill_for_memory_is_tried_again_with_more_and_any_other_kill_is_not(bare: Lab) -> None:
    (bare.data / "kills").write_text("0")
    keys = {"retries": 2, "retry-delay": "0.1s", "retry-memory": "x2", "resources": {"memory": "1 MB"}}
    path = bare.pipeline([work("each", "%ITEM%", foreach=["a", "b", "c"], **keys)])
    (bare.data / "hungry-a").touch()
    (bare.data / "shot-b").touch()
    argv = [sys.executable, "-c", COUNTED, str(path), "--json", "--jobs", "1"]
    done = subprocess.run(argv, cwd=bare.data, env=bare.environ(PYTHONPATH=str(Path.cwd())), capture_output=True)
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith(b"{")]
    ends = {one["item"]: (one["state"], one["attempts"]) for one in told if one["event"] == "item-end"}
    assert ends == {"a": ("succeeded", 2), "b": ("failed", 3), "c": ("succeeded", 1)}, done.stderr
    notes = [one["text"].strip() for one in told if one["event"] == "note"]
    assert notes[0] == "a: memory ran out; once more with 2 times as much"
    assert not any("memory ran out" in note for note in notes[1:])


def test_items_of_a_group_share_one_environment_and_start_its_program_directly(lab: Lab) -> None:
    lab.script("say.py", "import sys; print(sys.argv[1], sys.prefix)")
    alone = lab.script(
        "alone.py", "# /// script\n# dependencies = []\n# ///\nimport sys; print(sys.argv[1], sys.prefix)"
    )
    over = {"foreach": {"range": 3}}
    path = lab.pipeline(
        [
            segment("group", "python", "%REPO%/scripts/say.py", "%ITEM%", **over),
            segment("script", "python", f"%REPO%/scripts/{alone.name}", "%ITEM%", environment="script", **over),
        ]
    )
    told = events(lab.run(path, "--json"))
    assert [one["event"] for one in told].count("prepared") == 2
    for folder in sorted(lab.runs(path)[-1].glob("0*")):
        lines = [line.split(" ", 1) for log in folder.glob("log-*.txt") for line in log.read_text().splitlines()]
        assert sorted(number for number, _ in lines) == ["0", "1", "2"] and len({prefix for _, prefix in lines}) == 1
