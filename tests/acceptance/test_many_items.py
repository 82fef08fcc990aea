"""Segments that go over many items, by the command line: what runs, why, and what is told."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.lab import PYPROJECT, Lab, shell

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="programs of a Unix shell")

# notes that it was called, copies its first word to its last, and does what files named in its folder say
PROGRAM = """\
import os, sys
words = sys.argv[1:]
with open("calls.txt", "a") as file:
    file.write(" ".join(words) + "\\n")
if any(os.path.exists("bad-" + os.path.basename(word)) for word in words):
    print("cannot read", words[0])
    sys.exit(3)
if len(words) > 1 and words[-1].startswith("out/"):
    with open(words[-1], "w") as out:
        out.write(open(words[0]).read() if os.path.exists(words[0]) else words[0])
"""


class Plate:
    """A lab with one pipeline; its programs run in the folder of the data."""

    def __init__(self, lab: Lab) -> None:
        self.lab, self.data = lab, lab.data
        lab.script("work.py", PROGRAM)
        (lab.data / "in").mkdir()
        (lab.data / "out").mkdir()
        self.file = lab.data / "pipeline.yaml"

    def segment(self, name: str, *words: Any, **keys: Any) -> dict[str, Any]:
        commands = [sys.executable, "%REPO%/scripts/work.py", *words]
        return {"name": name, "environment": "cmd", "commands": commands, "cwd": "%YAML%", **keys}

    def write(self, *segments: Mapping[str, Any]) -> None:
        self.lab.pipeline(segments, self.file.name)

    def run(self, *options: str | Path, check: int = 0) -> list[dict[str, Any]]:
        done = self.lab.run(self.file, "--json", "--jobs", "2", *options, check=check)
        self.stderr = done.stderr
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    def calls(self) -> list[str]:
        """What was run since this was asked last, in the order of names."""
        path = self.data / "calls.txt"
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        path.unlink(missing_ok=True)
        return sorted(text.splitlines())

    def ran(self, *options: str | Path, check: int = 0) -> list[str]:
        self.run(*options, check=check)
        return self.calls()


@pytest.fixture
def plate(tmp_path: Path) -> Plate:
    """Its segments need no uv, so nothing is locked."""
    lab = Lab(tmp_path)
    for folder in (lab.repo / "scripts", lab.data, lab.home):
        folder.mkdir(parents=True)
    (lab.repo / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    return Plate(lab)


def of(events: Sequence[Mapping[str, Any]], kind: str) -> list[Mapping[str, Any]]:
    return [event for event in events if event["event"] == kind]


def rows(events: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    return [(row["state"], row["note"]) for row in of(events, "summary")[-1]["segments"]]


def test_a_later_segment_runs_again_for_the_items_that_an_earlier_one_made_anew(plate: Plate) -> None:
    for name in "ab":
        (plate.data / "in" / f"{name}.tif").write_text(name)
    over: dict[str, Any] = {"foreach": "in/*.tif"}
    first = plate.segment("first", "%ITEM%", "out/%STEM%.1", outputs="out/%STEM%.1", **over)
    plate.write(first, plate.segment("second", "2-%STEM%", **over))
    assert len(plate.ran()) == 4
    assert plate.ran() == []
    (plate.data / "out" / "a.1").unlink()  # the input is as it was, and yet the second one's result is old
    events = plate.run()
    assert [call.split("/")[-1] for call in plate.calls()] == ["a.1", "2-a"]
    assert [event["sentence"] for event in of(events, "items")] == [
        "2 items: 1 done, 1 outputs gone",
        "2 items: 1 done, 1 to be made anew",
    ]
    edited = {**first, "commands": [*first["commands"], "out/%STEM%.1"]}
    plate.write(edited, shell("look", "") | {"type": "pause"}, plate.segment("second", "2-%STEM%", **over))
    assert [step["reason"][:26] for step in of(plate.run("--dry-run"), "step")[:1]] == ["changed since it was done "]
    assert len(plate.ran()) == 2  # the pause holds, since nobody is there to answer
    assert plate.ran("--from", "second") == ["2-a", "2-b"]


def test_items_made_of_an_earlier_result_are_not_done_though_the_run_was_killed_before_they_ran(plate: Plate) -> None:
    line = 'echo %ITEM% >> calls.txt; [ ! -e kill ] || { kill -9 "$PPID"; sleep 9; }'
    each = shell("each", line, foreach=["a", "b", "c"], cwd="%YAML%")
    plate.write(plate.segment("model", "one"), each)
    assert plate.ran() == ["a", "b", "c", "one"]
    (plate.data / "kill").touch()
    plate.write(plate.segment("model", "two"), each)
    assert "two" in plate.ran("--jobs", "1", check=-9)
    (plate.data / "kill").unlink()
    assert plate.ran() == ["a", "b", "c"]
    assert plate.ran() == []


def test_what_follows_a_force_segment_runs_for_every_item(plate: Plate) -> None:
    force = shell("again", "") | {"type": "force"}
    plate.write(plate.segment("one", "one"), force, plate.segment("each", "%ITEM%", foreach=["a", "b"]))
    assert plate.ran() == ["a", "b", "one"]
    assert plate.ran() == ["a", "b"]


def test_equal_names_in_another_folder_are_other_items(plate: Plate) -> None:
    for folder in ("in", "more"):
        (plate.data / folder).mkdir(exist_ok=True)
        (plate.data / folder / "a.tif").write_text("a")
        os.utime(plate.data / folder / "a.tif", (1e9, 1e9))
    plate.write(plate.segment("each", "%ITEM%", foreach="in/*.tif"))
    plate.run()
    plate.write(plate.segment("each", "%ITEM%", foreach="more/*.tif"))
    assert [Path(call).parent.name for call in plate.ran()] == ["in", "more"]
    plate.write(plate.segment("each", "%ITEM%", foreach="%YAML%/more/**/a*.tif"))
    assert plate.ran() == []


def test_more_failures_than_may_be_end_the_segment_once_what_runs_has_ended(plate: Plate) -> None:
    for n in (1, 2, 4):
        (plate.data / f"bad-{n}").touch()
    plate.write(
        plate.segment("each", "%ITEM%", foreach={"range": 40}, **{"max-failures": 2}), plate.segment("after", "after")
    )
    events = plate.run(check=1)
    ran = plate.calls()
    assert {"1", "2", "4"} <= set(ran) and len(ran) < 12
    assert rows(events) == [
        ("failed", "3 of 40 items failed, more than `max-failures` allows: no other was started"),
        ("not run", "segment 1 failed"),
    ]
    ended = {event["item"] for event in of(events, "item-end")}
    assert ended == set(ran)
    again = of(events, "summary")[-1]["failed_items"]
    assert sorted(one["item"] for one in again) == ["1", "2", "4"]


def test_a_batch_holds_items_of_one_combination(plate: Plate) -> None:
    plate.write(
        plate.segment("s", "%COL:sigma%", "%ITEMS%", foreach={"range": 3}, matrix={"sigma": ["low", "high"]}, batch=4)
    )
    plate.run()
    calls = [line.split() for line in plate.calls()]
    assert sorted((words[0], item) for words in calls for item in words[1:]) == [
        (sigma, str(n)) for sigma in ("high", "low") for n in range(3)
    ]
    assert len(calls) <= 3


def test_a_plan_shows_how_many_items_run_and_the_first_ones_command_and_writes_nothing(plate: Plate) -> None:
    for name in ("a", "it's b"):
        (plate.data / "in" / f"{name}.tif").write_text(name)
    first = plate.segment("first", "%ITEM%", foreach="in/*.tif", env={"WHICH": "%INDEX%"})
    second = plate.segment("second", "2-%STEM%", foreach="in/*.tif")
    lists = plate.segment("lists", "%ITEMS_FILE%", foreach="in/*.tif", batch=10)
    later = plate.segment("later", "%ITEM%", foreach="out/*.none")
    plate.write(first, second, lists, later)
    before = sorted(path for path in plate.data.rglob("*"))
    steps = of(plate.run("--dry-run"), "step")
    assert [step["reason"] for step in steps[:2]] == ["2 items: 2 new", "follows segment 1, which runs"]
    assert [(step["items_to_run"], step["items"]) for step in steps] == [(2, 2), (2, 2), (2, 2), (0, 0)]
    assert str(plate.data / "in" / "a.tif") in steps[0]["argv"][-1] and steps[0]["env"] == {"WHICH": "1"}
    assert not any("%" in word for step in steps[:3] for word in step["argv"])
    shown = plate.lab.run(plate.file, "--dry-run").stdout
    assert "for each item, such as:" in shown and "no item is there yet" in shown
    assert sorted(path for path in plate.data.rglob("*")) == before
    plate.write(first, second)
    plate.run()
    (plate.data / "in" / "new.tif").write_text("new")
    steps = of(plate.run("--dry-run"), "step")
    assert [(step["items_to_run"], step["items"]) for step in steps] == [(1, 3), (1, 3)]
    assert str(plate.data / "in" / "new.tif") in steps[0]["argv"][-1]


def test_what_is_wrong_with_items_is_told_before_anything_runs_and_by_check(plate: Plate) -> None:
    (plate.data / "in" / "deep").mkdir()
    for name in ("a.tif", "deep/a.tif"):
        (plate.data / "in" / name).write_text("a")
    plate.write(
        plate.segment("before", "before"),
        plate.segment("same", "%ITEM%", foreach="in/**/*.tif", outputs="out/%STEM%.x"),
        plate.segment("big", "%ITEM%", foreach=[1], resources={"memory": "900 TB"}),
    )
    for command in ([plate.file], ["check", plate.file]):
        done = plate.lab.run(*command, check=2)
        assert "a.tif and deep/a.tif have the same output" in done.stdout + done.stderr
        assert "asks for" in done.stdout + done.stderr
    assert plate.calls() == [] and not (plate.data / ".run-pipeline").exists()
    plate.write(plate.segment("none", "%ITEM%", foreach="in/*.none"))
    assert "nothing matches" in plate.lab.run(plate.file, check=2).stderr
    # where something before it could make them, it fails at its turn
    plate.write(plate.segment("before", "before"), plate.segment("none", "%ITEM%", foreach="in/*.none"))
    assert rows(plate.run(check=1)) == [("succeeded", ""), ("failed", "there is no item: nothing matches in/*.none")]


def test_accept_with_item_accepts_no_other(plate: Plate) -> None:
    plate.write(plate.segment("each", "%ITEM%", foreach=["a", "b", "c"]))
    plate.run("--accept", "--item", "b")
    assert plate.ran() == ["a", "c"]
    plate.write(plate.segment("other", "%ITEM%", foreach=["a", "b", "c"]))
    plate.run("--accept")
    assert plate.ran() == []


def test_a_failed_item_and_what_follows_it_run_again_alone_and_a_plain_segment_waits_for_all(plate: Plate) -> None:
    odd = 'b\'ü $(x) "q" [1].tif'
    for name in ("a.tif", odd):
        (plate.data / "in" / name).write_text("x")
    (plate.data / f"bad-{odd}").touch()
    over: dict[str, Any] = {"foreach": "in/*.tif"}
    plate.write(
        plate.segment("first", "%ITEM%", **over),
        plate.segment("second", "2-%INDEX%", **over),
        plate.segment("sum", "sum"),
    )
    events = plate.run(check=1)
    assert rows(events) == [
        ("failed", "1 of 2 items failed"),
        ("failed", "1 of 2 items not run, since they failed before"),
        ("not run", "segment 2 failed"),
    ]
    assert plate.calls() == sorted([str(plate.data / "in" / "a.tif"), str(plate.data / "in" / odd), "2-1"])
    assert [one["item"] for one in of(events, "summary")[0]["failed_items"]] == [odd]
    again = of(events, "summary")[0]["failed_items"][0]["again"]
    (plate.data / f"bad-{odd}").unlink()
    name, *words = shlex.split(again)  # as a shell reads it
    assert name == "run-pipeline"
    plate.lab.run(*words)
    assert plate.calls() == [str(plate.data / "in" / odd)]
    assert plate.ran("--retry-failed") == ["2-2", "sum"]
    assert [entry["name"] for entry in plate.lab.status(plate.file)] == ["first", "second", "sum"]


def test_the_canary_goes_through_all_segments_first_and_is_not_run_twice(plate: Plate) -> None:
    over: dict[str, Any] = {"foreach": {"range": 4}}
    plate.write(
        plate.segment("first", "%ITEM%", "out/%ITEM%", outputs="out/%ITEM%", **over),
        plate.segment("second", "2-%ITEM%", **over),
        plate.segment("sum", "sum"),
    )
    events = plate.run("--canary", "--force")
    started = [(event["segment"], event["item"]) for event in of(events, "item-start")]
    assert started[:2] == [(1, "0"), (2, "0")] and len(set(started)) == len(started) == 8
    assert [event["event"] for event in events].index("forecast") < [event["event"] for event in events].index("end")
    (forecast,) = of(events, "forecast")
    assert (
        forecast["text"].startswith("1. first: 3 more items, about ") and " of outputs\n2. second" in forecast["text"]
    )
    plate.calls()
    assert len(plate.ran("--canary", "--force")) == 9
    (plate.data / "bad-2-0").touch()
    events = plate.run("--canary", "--force", check=1)
    assert plate.calls() == ["0 out/0", "2-0"]
    assert of(events, "summary")[0]["advice"].startswith("The canary failed, so no other item was run.")
    (plate.data / "bad-2-0").unlink()
    assert len(plate.ran("--canary")) == 8  # all but the one that segment 1 did


def test_a_batch_that_fails_is_gone_through_one_by_one_and_nothing_is_done_twice(plate: Plate) -> None:
    (plate.data / "bad-4").touch()
    plate.write(plate.segment("each", "%ITEMS%", foreach={"range": 6}, batch=3))
    events = plate.run(check=1)
    assert plate.calls() == ["0 1 2", "3", "3 4 5", "4", "5"]
    assert [one["item"] for one in of(events, "summary")[0]["failed_items"]] == ["4"]
    (plate.data / "bad-4").unlink()
    assert plate.ran() == ["4"]


def test_items_that_were_not_asked_for_stay_old_where_what_they_are_made_of_was_made_anew(plate: Plate) -> None:
    each = plate.segment("each", "%ITEM%", foreach=["a", "b", "c"])
    plate.write(plate.segment("model", "one"), each)
    plate.run()
    plate.calls()
    plate.write(plate.segment("model", "two"), each)
    assert plate.ran("--item", "a") == ["a", "two"]
    assert plate.ran() == ["b", "c"]


def test_what_an_earlier_segment_made_wrongly_fails_the_segment_over_it_and_no_other_branch(plate: Plate) -> None:
    plate.write(
        shell("make", "mkdir -p a b; echo id,x > t.csv; echo 1,2 >> t.csv; touch a/1.tif b/1.tif", cwd="%YAML%"),
        plate.segment("columns", "%ITEM%", "%COL:y%", foreach={"csv": "t.csv"}, needs=["make"]),
        plate.segment("clash", "%ITEM%", foreach="*/1.tif", outputs="out/%STEM%", needs=["make"]),
        plate.segment("other", "other", needs=["make"]),
        plate.segment("last", "last", needs=["clash"]),
    )
    events = plate.run(check=1)
    assert plate.calls() == ["other"]
    (_, no_column), (_, clash), other, last = rows(events)[1:]
    assert "there is no column `y`" in no_column and "a/1.tif and b/1.tif have the same output" in clash
    assert other[0] == "succeeded" and last == ("not run", "segment 3 failed")


def test_tokens_stand_in_words_variables_and_folders_and_a_line_of_a_table_is_known_by_its_cells(plate: Plate) -> None:
    (plate.data / "t.csv").write_text('id,file,n\nA1,in/a.tif,3\n"B 2","x, y",4\n')
    show = shell("show", 'echo "$WHAT" $(basename "$PWD") $PART >> ../calls.txt', foreach={"csv": "t.csv"})
    show |= {"env": {"WHAT": "%ITEM%<%COL:file%>", "PART": "n%COL:n%-%INDEX%"}, "cwd": "%YAML%/in%COL:n%"}
    for folder in ("in3", "in4"):
        (plate.data / folder).mkdir()
    plate.write(show)
    assert plate.ran() == ["A1<in/a.tif> in3 n3-1", "B 2<x, y> in4 n4-2"]
    (plate.data / "t.csv").write_text('id,file,n\n"B 2","x, y",4\nA1,in/b.tif,3\n')
    assert plate.ran() == ["A1<in/b.tif> in3 n3-2"]


def test_an_item_known_by_its_content_does_not_run_again_for_another_time(plate: Plate) -> None:
    for name in "ab":
        (plate.data / "in" / f"{name}.tif").write_text(name)
    plate.write(plate.segment("each", "%STEM%", foreach="in/*.tif", identity="content"), plate.segment("sum", "sum"))
    assert plate.ran() == ["a", "b", "sum"]
    os.utime(plate.data / "in" / "a.tif", (1, 1))
    assert plate.ran() == []
    (plate.data / "in" / "a.tif").write_text("x")
    os.utime(plate.data / "in" / "a.tif", (1, 1))
    assert plate.ran() == ["a", "sum"]
    (plate.data / "in" / "b.tif").unlink()
    assert plate.ran() == ["sum"]  # what is made of all is made of one fewer
    assert plate.ran() == []


def test_a_canary_that_failed_holds_up_the_others_once_and_not_for_good(plate: Plate) -> None:
    (plate.data / "bad-0").touch()
    plate.write(plate.segment("each", "%ITEM%", foreach={"range": 3}, canary=True))
    assert plate.ran(check=1) == ["0"]
    assert plate.ran(check=1) == ["0", "1", "2"]
    assert plate.ran(check=1) == ["0"]
    events = plate.run(check=1)
    assert "canary" not in of(events, "summary")[0]["advice"]
