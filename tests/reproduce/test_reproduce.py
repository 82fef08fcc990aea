"""`run-pipeline reproduce`: real runs in real uv groups, and what was changed since."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.reproduce.conftest import Again
from tests.support.lab import segment


def test_a_run_is_the_same_again_and_its_results_are_not_touched(lab: Again, counted: Path) -> None:
    before = (lab.data / "out" / "a.txt").stat().st_mtime_ns
    told, found = lab.again(counted)
    assert told == {}
    assert found["verdict"] == "B gives the same results as A: the same bytes."
    assert (lab.data / "out" / "a.txt").stat().st_mtime_ns == before
    assert len(lab.runs(counted)) == 1
    # for people, by the folder of the run
    done = lab.run("reproduce", lab.runs(counted)[0])
    assert "nothing that is known differs from then" in done.stdout
    assert "B gives the same results as A" in done.stdout


def test_packages_are_those_of_the_recorded_lock_and_the_present_environment_stays(lab: Again, counted: Path) -> None:
    lab.alpha("2.0")
    lab.run("env", "sync", "count")
    told, found = lab.again(counted)
    assert told["note"][0].endswith("holds alpha 2.0 (then 1.0); the run makes that of then, from its lock")
    assert found["same"]
    package = next((lab.repo / ".venvs").glob("count*/lib/*/site-packages/alpha.py"))
    assert "2.0" in package.read_text()
    # and with today's, if that is asked for
    told, found = lab.again(counted, "--todays-lock", check=1)
    assert "the environment of today holds alpha 2.0 (then 1.0)" in told["note"][0]
    assert found["parts"][0]["files"][0]["rung"] == "different"


def test_an_edited_script_is_told_before_anything_runs(lab: Again, counted: Path) -> None:
    lab.script("helping.py", "WORD = 'now'\n")
    done = lab.run("reproduce", counted, check=2)
    assert "helping.py was edited since" in done.stdout
    assert "it would not be the same run; nothing was run" in done.stderr
    assert not (counted.parent / ".run-pipeline" / "reproduce").exists()
    told, found = lab.again(counted, "--anyway", check=1)
    assert len(told["changes the result"]) == 1
    assert not found["same"]


def test_what_cannot_be_had_again_is_named_with_its_place(lab: Again, counted: Path) -> None:
    (lab.repo / "scripts" / "helping.py").unlink()
    (lab.repo / "wheels" / "alpha-1.0-py3-none-any.whl").unlink()
    shutil.rmtree(lab.data / "raw")
    done = lab.run("reproduce", counted, "--anyway", check=2)
    for place in (lab.repo / "scripts" / "helping.py", lab.repo / "wheels", lab.data / "raw"):
        assert str(place) in done.stdout
    assert "3 things of then cannot be had again; nothing was run" in done.stderr
    assert not (counted.parent / ".run-pipeline" / "reproduce").exists()
    assert lab.results() == {"a.txt": "cells by 1.0 then\n"}


def test_an_input_that_was_changed_or_came_later_is_told(lab: Again, counted: Path) -> None:
    lab.raw(text="other cells")
    lab.raw("b")
    told, _ = lab.again(counted, "-n")
    assert told["changes the result"] == [
        "1 file in raw/ is new (b.raw), since segment 1 ran",
        "1 file in raw/ was changed (a.raw), since segment 1 ran",
    ]
    _, found = lab.again(counted, "--anyway", check=1)
    assert sorted((file["name"], file["rung"]) for file in found["parts"][0]["files"]) == [
        ("a.txt", "different"),
        ("b.txt", "extra"),
    ]


def test_the_text_of_then_is_run_where_the_pipeline_was_edited_or_deleted(lab: Again, counted: Path) -> None:
    text = counted.read_text(encoding="utf-8")
    counted.write_text(text.replace("Count", "Recount").replace("/raw", "/nowhere"), encoding="utf-8")
    told, found = lab.again(counted)
    assert told["note"] == [
        "pipeline.yaml was edited since (segment 1 (Count)); the text of then is run, from the record"
    ]
    assert found["same"]
    counted.unlink()
    told, found = lab.again(counted, "last", "--fresh")
    assert told["note"] == [f"{counted} is gone; the text of then is run, from the record"]
    assert found["same"]


def test_each_run_has_the_lock_of_its_time_and_a_run_of_before_counts_for_what_was_done(
    lab: Again, counted: Path
) -> None:
    lab.alpha("2.0")
    flags = {"--input-folder": "%YAML%/out", "--output-folder": "%YAML%/more"}
    first = segment(
        "Count",
        "%REPO%/scripts/count.py",
        {"--input-folder": "%YAML%/raw", "--output-folder": "%YAML%/out"},
        environment="uv:count",
    )
    lab.pipeline([first, segment("More", "%REPO%/scripts/count.py", flags, environment="uv:count")])
    lab.run(counted)
    assert (lab.data / "more" / "a.txt").read_text() == "cells by 1.0 then\n by 2.0 then\n"
    _, found = lab.again(counted, "2")
    assert found["verdict"] == "B gives the same results as A in both segments: the same bytes."
    again = next((counted.parent / ".run-pipeline" / "reproduce").glob("*/000002/out/more/a.txt"))
    assert again.read_text() == "cells by 1.0 then\n by 2.0 then\n"
    told, found = lab.again(counted, "1")
    assert found["same"], told


def test_a_record_of_before_says_so_and_offers_the_lock_of_today(lab: Again, counted: Path) -> None:
    (lab.runs(counted)[0] / "kept.json").unlink()
    done = lab.run("reproduce", counted, check=3)
    assert "its record holds no lock: it was made by a runner of before" in done.stdout
    assert "--todays-lock" in done.stderr
    told, found = lab.again(counted, "--todays-lock")
    assert found["same"]
    # the script is known by what was read
    lab.script("count.py", (lab.repo / "scripts" / "count.py").read_text() + "\n")
    told, _ = lab.again(counted, "--todays-lock", "-n")
    assert told["changes the result"] == ["count.py was changed, since segment 1 ran"]


def test_a_damaged_lock_of_then_is_no_lock(lab: Again, counted: Path) -> None:
    for path in (counted.parent / ".run-pipeline" / counted.name / "locks").iterdir():
        path.write_bytes(path.read_bytes() + b"\n")
    told, _ = lab.again(counted, "-n")
    assert "is gone from" in told["no lock"][0]


def test_a_lock_is_kept_once_and_removed_with_the_last_run_that_needs_it(lab: Again, counted: Path) -> None:
    folder = counted.parent / ".run-pipeline" / counted.name / "locks"

    def needed() -> set[str]:
        kept = json.loads((lab.runs(counted)[-1] / "kept.json").read_text())
        made = json.loads((folder / kept["segments"]["1"]).read_text())
        return {kept["segments"]["1"], kept["inputs"], *made["environment"].values()}

    def there() -> set[str]:
        return {path.name for path in folder.iterdir()}

    first = needed()
    assert there() == first
    lab.run(counted, "--force")
    assert len(there() - first) <= 1  # what was read, where the time of something is another
    (folder / "notes.txt").write_text("of a person")
    lab.alpha("2.0")
    lab.run(counted, "--force", RUN_PIPELINE_KEEP_RUNS="1")
    assert len(lab.runs(counted)) == 1
    assert there() == {*needed(), "notes.txt"}


def test_a_run_that_is_not_there_is_named(lab: Again, counted: Path) -> None:
    done = lab.run("reproduce", counted, "7", check=2)
    assert "there is no run 7 of pipeline.yaml" in done.stderr
    assert "The latest are 1" in done.stderr
    done = lab.run("reproduce", lab.data / "other.yaml", check=2)
    assert "there is no record of a run of other.yaml" in done.stderr


def test_another_machine_and_another_python_are_told(lab: Again, counted: Path) -> None:
    run = lab.runs(counted)[0]
    kept = json.loads((run / "kept.json").read_text())
    kept["machine"] |= {"host": "microscope-pc", "gpu": "NVIDIA RTX A6000", "driver": "535.1"}
    (run / "kept.json").write_text(json.dumps(kept))
    receipt = json.loads((run / "01-count" / "receipt.json").read_text())
    receipt["environment"]["python"] = "3.11.999"
    (run / "01-count" / "receipt.json").write_text(json.dumps(receipt))
    told, _ = lab.again(counted, "-n")
    assert [text.partition(" now")[0] for text in told["note"]][1:3] == [
        "another GPU: NVIDIA RTX A6000 then, none",
        "another GPU driver: 535.1 then, none",
    ]
    assert told["note"][0].startswith("another computer: microscope-pc then, ")
    assert told["changes the result"] == [
        "segment 1 (Count): Python 3.11.999 of then is not on this machine, and downloads are off; 3.11 is taken"
    ]
    _, found = lab.again(counted, "--anyway")
    assert found["same"]
    assert "its environment came out as python" in found["notes"][0]
