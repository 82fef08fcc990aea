"""Sequences of edits and runs, as recorded from the Go runner: what ran each time, and the status file after it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.lab import Lab

SCENARIOS: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parents[1] / "examples/go_runner/scenarios.json").read_text(encoding="utf-8")
)
# without a terminal we stop at a `pause` instead of going on: see docs/coming-from-go.md
OURS = {"pause_segment_at_eof": [["A.py"], ["B.py"]]}
SCRIPT = "import pathlib, sys\nwith open('executed.txt', 'a') as f: f.write(pathlib.Path(sys.argv[0]).name + '\\n')\n"


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_runs_what_go_ran_and_leaves_the_same_status(name: str, lab: Lab) -> None:
    for script in ("A", "B", "B2", "C"):
        (lab.repo / f"{script}.py").write_text(SCRIPT)
    (lab.repo / "fail.py").write_text(SCRIPT + "sys.exit(3)\n")
    pipeline = lab.data / "p.yaml"
    status = lab.data / "p_status.yaml"
    executed = lab.repo / "executed.txt"
    turn = 0
    for step in SCENARIOS[name]:
        if "edit_status" in step:
            edit(status, step["edit_status"])
            continue
        pipeline.write_text(json.dumps({"run": step["run"]}))
        executed.write_text("")
        flags = list(step["flags"])
        if name in OURS and turn == 1:
            flags += ["--from", "3"]
        done = lab.run(pipeline, *flags, check=step["exit"])
        expected = OURS[name][turn] if name in OURS else step["executed"]
        assert executed.read_text().split() == expected, done.stdout
        if name not in OURS or turn == 1:
            held = yaml.safe_load(status.read_text())
            shown = [
                {"name": e["name"], "content_hash": e["content_hash"], "done": "last_processed" in e}
                for e in held["segments"]
            ]
            assert shown == step["status"]
            assert sorted(set(held) - {"segments"}) == step["extra_status_keys"]
        turn += 1


def edit(status: Path, how: str) -> None:
    if how == "replaced by text that is not YAML":
        status.write_text("segments: [this is: not: yaml\n\t- at all")
        return
    held = yaml.safe_load(status.read_text())
    if how == "last_processed removed from the first entry":
        del held["segments"][0]["last_processed"]
    else:
        assert how == "keys host (first entry) and x (top level) added"
        held["segments"][0]["host"] = "PC-7"
        held["x"] = 1
    status.write_text(yaml.safe_dump(held, sort_keys=False))
