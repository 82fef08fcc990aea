"""Adding one image to a folder is the commonest thing a lab does: it is never met by "all done"."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from tests.support.lab import Lab, shell

NOTHING = "Nothing to run"


def write(lab: Lab, name: str, text: str = "x") -> Path:
    path = lab.data / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def copies(lab: Lab, name: str, source: str, target: str, **keys: object) -> dict[str, object]:
    """A segment that copies a folder's files into another one, and counts how often it ran."""
    log = lab.data / "ran.txt"  # in the script: what its arguments name is an input
    lab.script("copy.sh", f'mkdir -p "$2" && cp "$1"/* "$2" && echo $3 >> \'{log}\'\n')
    words = ["sh", "%REPO%/scripts/copy.sh", source, target, name]
    return {"name": name, "environment": "cmd", "commands": words, "cwd": str(lab.data), **keys}


def ran(lab: Lab) -> list[str]:
    path = lab.data / "ran.txt"
    names = path.read_text(encoding="utf-8").split() if path.exists() else []
    path.unlink(missing_ok=True)
    return names


def steps(lab: Lab, pipeline: Path) -> list[tuple[str, str]]:
    """Action and reason of each segment in a dry run."""
    lines = map(json.loads, lab.run(pipeline, "--dry-run", "--json").stdout.splitlines())
    return [(line["action"], line["reason"]) for line in lines if line["event"] == "step"]


def test_an_image_that_was_added_is_told_and_nothing_runs_by_itself(lab: Lab) -> None:
    write(lab, "raw/a.tif")
    pipeline = lab.pipeline([copies(lab, "one", "raw", "tif"), shell("two", "echo two")])
    lab.run(pipeline)
    assert NOTHING in lab.run(pipeline).stdout
    write(lab, "raw/b.tif")
    told = "1 file in raw/ is new since segment 1 was done: `--from 1` (b.tif)"
    done = lab.run(pipeline)
    assert told in done.stdout
    assert NOTHING not in done.stdout
    assert told in lab.run("status", pipeline).stdout
    assert told in lab.run(pipeline, "--dry-run").stdout
    for command in ([pipeline, "--json"], [pipeline, "--json", "--dry-run"], ["status", pipeline, "--json"]):
        lines = list(map(json.loads, lab.run(*command).stdout.splitlines()))
        assert [line["text"] for line in lines if line["event"] == "note"] == [told]
    assert ran(lab) == ["one"]
    lab.run(pipeline, "--from", "1")
    assert ran(lab) == ["one"]
    assert NOTHING in lab.run(pipeline).stdout


def test_with_declared_inputs_it_runs_again_and_says_why_in_all_places(lab: Lab) -> None:
    write(lab, "raw/a.tif")
    inputs = ["%YAML%/raw/*.tif"]
    pipeline = lab.pipeline([copies(lab, "one", "raw", "tif", inputs=inputs), copies(lab, "two", "tif", "end")])
    lab.run(pipeline)
    assert ran(lab) == ["one", "two"]
    assert NOTHING in lab.run(pipeline).stdout
    write(lab, "raw/b.tif")
    write(lab, "raw/notes.txt")
    why = "1 file in raw/ is new (b.tif)"
    again = [("run", why), ("run", "follows segment 1, which runs")]
    assert steps(lab, pipeline) == again
    assert why in lab.run("status", pipeline).stdout
    assert why in lab.run(pipeline, "--dry-run").stdout
    assert ran(lab) == []
    lab.run(pipeline)
    assert ran(lab) == ["one", "two"]
    plan = json.loads((lab.runs(pipeline)[-1] / "plan.json").read_text(encoding="utf-8"))
    assert [(step["action"], step["reason"]) for step in plan["steps"]] == again
    (lab.data / "raw/a.tif").unlink()
    assert steps(lab, pipeline)[0] == ("run", "1 file in raw/ is gone (a.tif)")


def test_an_earlier_segments_outputs_that_were_changed_by_hand_are_a_reason(lab: Lab) -> None:
    write(lab, "raw/a.tif")
    pipeline = lab.pipeline(
        [copies(lab, "one", "raw", "tif", outputs=["%YAML%/tif/*.tif"]), copies(lab, "two", "tif", "end")]
    )
    lab.run(pipeline)
    assert NOTHING in lab.run(pipeline).stdout
    write(lab, "tif/a.tif", "mended by hand")
    assert [action for action, _ in steps(lab, pipeline)] == ["skip", "run"]
    assert steps(lab, pipeline)[1][1] == "1 file in tif/ was changed (a.tif)"
    lab.run(pipeline)
    assert ran(lab) == ["one", "two", "two"]
    assert NOTHING in lab.run(pipeline).stdout


def test_a_mended_script_is_told_and_one_that_was_touched_is_not(lab: Lab) -> None:
    script = lab.script("work.sh", "echo 1\n")
    pipeline = lab.pipeline([{"name": "one", "environment": "cmd", "commands": ["sh", "%REPO%/scripts/work.sh"]}])
    lab.run(pipeline)
    os.utime(script, (time.time() + 10, time.time() + 10))
    assert NOTHING in lab.run(pipeline).stdout
    lab.script("work.sh", "echo 2\n")
    assert "work.sh was changed since segment 1 was done: `--from 1`" in lab.run(pipeline).stdout


def test_what_another_runner_did_stays_done_and_from_then_on_what_comes_is_told(lab: Lab) -> None:
    write(lab, "raw/a.tif")
    pipeline = lab.pipeline(
        [copies(lab, "one", "raw", "tif", inputs=["%YAML%/raw/*"]), copies(lab, "two", "other", "x")]
    )
    write(lab, "other/a.tif")
    lab.run(pipeline, "--accept")
    (lab.data / ".run-pipeline" / pipeline.name / "inputs.jsonl").unlink()  # as the Go runner leaves it
    write(lab, "raw/b.tif")
    assert NOTHING in lab.run(pipeline).stdout
    write(lab, "other/c.tif")
    assert "1 file in other/ is new since segment 2 was done: `--from 2` (c.tif)" in lab.run(pipeline).stdout
    assert ran(lab) == []


def test_accepting_takes_the_inputs_as_they_are(lab: Lab) -> None:
    write(lab, "raw/a.tif")
    pipeline = lab.pipeline([copies(lab, "one", "raw", "tif", inputs=["%YAML%/raw/*"])])
    lab.run(pipeline)
    write(lab, "raw/b.tif")
    lab.run(pipeline, "--accept")
    assert ran(lab) == ["one"]
    assert NOTHING in lab.run(pipeline).stdout


def test_news_of_what_stays_done_is_told_when_something_else_runs(lab: Lab) -> None:
    write(lab, "raw/a.tif")
    first = copies(lab, "one", "raw", "tif")
    lab.run(lab.pipeline([first]))
    write(lab, "raw/b.tif")
    done = lab.run(lab.pipeline([first, shell("two", "echo two")]))
    assert "1 file in raw/ is new since segment 1 was done: `--from 1` (b.tif)" in done.stdout


def test_a_run_that_was_killed_in_between_loses_nothing_of_it(lab: Lab) -> None:
    write(lab, "raw/a.tif")
    hold = lab.data / "hold"
    hold.touch()
    waits = f"touch '{lab.data}/there'; while [ -e '{hold}' ]; do sleep 0.05; done"
    second = {"name": "two", "environment": "cmd", "commands": ["sh", "-c", waits]}
    pipeline = lab.pipeline([copies(lab, "one", "raw", "tif"), second])
    process = lab.popen(pipeline)
    end = time.monotonic() + 60
    while not (lab.data / "there").exists() and time.monotonic() < end:
        time.sleep(0.05)
    process.kill()
    process.communicate()
    hold.unlink()
    ledger = lab.data / ".run-pipeline" / pipeline.name / "inputs.jsonl"
    with ledger.open("ab") as stream:
        stream.write(b'{"hash":"torn')
    lab.run(pipeline)
    assert ran(lab) == ["one"]
    assert NOTHING in lab.run(pipeline).stdout
    write(lab, "raw/b.tif")
    assert "1 file in raw/ is new since segment 1" in lab.run(pipeline).stdout


@pytest.mark.parametrize("folder", ["raw data", "Größe der Zellen", "it's [1] & more"])
def test_folders_and_images_of_odd_names_are_told(lab: Lab, folder: str) -> None:
    write(lab, f"{folder}/a.tif")
    reads = {"name": "one", "environment": "cmd", "commands": ["ls", f"%YAML%/{folder}"]}
    pipeline = lab.pipeline([reads])
    lab.run(pipeline)
    assert NOTHING in lab.run(pipeline).stdout
    write(lab, f"{folder}/Bild größer 2.tif")
    assert f"1 file in {folder}/ is new since segment 1 was done: `--from 1` (Bild größer 2.tif)" in (
        lab.run(pipeline).stdout
    )


def test_the_pipelines_own_folder_makes_no_news_of_the_runners_files(lab: Lab) -> None:
    pipeline = lab.pipeline([{"name": "one", "environment": "cmd", "commands": ["ls", "%YAML%"]}])
    lab.run(pipeline)
    assert NOTHING in lab.run(pipeline).stdout


def test_values_of_dotenv_are_not_written_down(lab: Lab) -> None:
    store = lab.root / "secret store"
    (store / "raw").mkdir(parents=True)
    (lab.repo / ".env").write_text(f"STORE={store}\n", encoding="utf-8")
    pipeline = lab.pipeline([{"name": "one", "environment": "cmd", "commands": ["ls", "%STORE%/raw"]}])
    lab.run(pipeline)
    text = (lab.data / ".run-pipeline" / pipeline.name / "inputs.jsonl").read_text(encoding="utf-8")
    assert "%STORE%/raw" in text
    assert "secret store" not in text
    (store / "raw" / "a.tif").touch()
    assert "1 file in %STORE%/raw/ is new since segment 1" in lab.run(pipeline).stdout
    assert "secret store" not in (lab.data / ".run-pipeline" / pipeline.name / "inputs.jsonl").read_text("utf-8")
