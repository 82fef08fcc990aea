"""What a segment makes anew is gone through anew by those that follow: no old result is taken for a new one."""

import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.lab import Lab


@pytest.fixture
def raw(lab: Lab) -> Path:
    folder = lab.data / "raw"
    folder.mkdir()
    for name in ("a", "b", "c"):
        (folder / f"{name}.txt").write_text(name)
    return folder


def over(name: str, log: Path, more: str = "", **keys: Any) -> dict[str, Any]:
    """A segment that notes each of its items."""
    line = f"echo %STEM% >> '{log}'; {more}"
    return {"name": name, "environment": "cmd", "foreach": "%YAML%/raw/*.txt", "commands": [line], **keys}


def noted(log: Path) -> list[str]:
    return sorted(log.read_text().split()) if log.exists() else []


def test_of_segments_over_the_same_items_a_changed_one_runs_alone_all_along(lab: Lab, raw: Path) -> None:
    one, two, three = (lab.root / name for name in ("one", "two", "three"))
    pipeline = lab.pipeline([over("one", one), over("two", two), over("three", three)])
    lab.run(pipeline)
    assert noted(one) == noted(two) == noted(three) == ["a", "b", "c"]
    (raw / "b.txt").write_text("another text")
    (raw / "d.txt").write_text("d")
    lab.run(pipeline)
    assert noted(one) == noted(two) == noted(three) == ["a", "b", "b", "c", "d"]


def test_another_command_of_the_first_runs_all_that_follows(lab: Lab, raw: Path) -> None:
    one, two = lab.root / "one", lab.root / "two"
    lab.run(lab.pipeline([over("one", one), over("two", two)]))
    lab.run(lab.pipeline([over("one", one, "true"), over("two", two)]))
    assert noted(two) == ["a", "a", "b", "b", "c", "c"]


def test_a_plain_segment_that_ran_again_makes_all_items_behind_it_old(lab: Lab, raw: Path) -> None:
    one, two = lab.root / "one", lab.root / "two"

    def plain(text: str) -> dict[str, Any]:
        return {"name": "plain", "environment": "cmd", "commands": [f"echo {text}"]}

    lab.run(lab.pipeline([plain("1"), over("one", one), over("two", two)]))
    lab.run(lab.pipeline([plain("2"), over("one", one), over("two", two)]))
    assert noted(one) == noted(two) == ["a", "a", "b", "b", "c", "c"]


def test_files_that_an_earlier_segment_writes_tell_by_themselves_what_is_new(lab: Lab, raw: Path) -> None:
    one, two = lab.root / "one", lab.root / "two"
    out = lab.data / "out"
    out.mkdir()
    make = over("one", one, f"cp '%ITEM%' '{out}/%STEM%.tif'", outputs="%YAML%/out/%STEM%.tif")
    use = over("two", two) | {"foreach": "%YAML%/out/*.tif"}
    pipeline = lab.pipeline([make, use])
    lab.run(pipeline)
    (raw / "d.txt").write_text("d")
    lab.run(pipeline)
    assert noted(one) == noted(two) == ["a", "b", "c", "d"]


def test_a_run_that_broke_off_in_between_takes_no_old_result_for_a_new_one(lab: Lab, raw: Path) -> None:
    two = lab.root / "two"

    def plain(text: str, wait: str = "true") -> dict[str, Any]:
        return {"name": "plain", "environment": "cmd", "commands": [f"echo {text}; {wait}"]}

    lab.run(lab.pipeline([plain("1"), over("two", two)]))
    started = lab.root / "started"
    pipeline = lab.pipeline([plain("2", f"touch '{started}'; sleep 20"), over("two", two)])
    process = lab.popen(pipeline, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while not started.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    lab.run(lab.pipeline([plain("2"), over("two", two)]))
    assert noted(two) == ["a", "a", "b", "b", "c", "c"]


def test_a_failed_item_of_the_first_runs_with_what_follows_once_it_is_mended(lab: Lab, raw: Path) -> None:
    one, two = lab.root / "one", lab.root / "two"
    bad = lab.root / "bad"
    bad.touch()
    check = f"case %STEM% in b) test ! -e '{bad}';; esac"
    pipeline = lab.pipeline([over("one", one, check), over("two", two)])
    lab.run(pipeline, check=1)
    assert noted(two) == ["a", "c"]
    bad.unlink()
    lab.run(pipeline)
    assert noted(one) == ["a", "b", "b", "c"]
    assert noted(two) == ["a", "b", "c"]


def test_an_item_that_is_named_runs_although_it_is_done(lab: Lab, raw: Path) -> None:
    one = lab.root / "one"
    pipeline = lab.pipeline([over("one", one)])
    lab.run(pipeline)
    lab.run(pipeline, "--only", "1", "--item", "b.txt")
    assert noted(one) == ["a", "b", "b", "c"]


def test_what_only_made_old_is_not_told_to_stay_done(lab: Lab, raw: Path) -> None:
    one, two = lab.root / "one", lab.root / "two"
    plain = {"name": "plain", "environment": "cmd", "commands": ["true"]}
    pipeline = lab.pipeline([over("one", one), over("two", two), plain])
    lab.run(pipeline)
    assert "stay marked as done" not in lab.run(pipeline, "--only", "1").stdout
    assert noted(two) == ["a", "b", "c"]
    lab.run(pipeline)
    assert noted(two) == ["a", "a", "b", "b", "c", "c"]


def test_what_only_leaves_done_is_warned_of(lab: Lab, raw: Path) -> None:
    plain = {"name": "plain", "environment": "cmd", "commands": ["true"]}
    pipeline = lab.pipeline([plain, {**plain, "name": "next"}, over("one", lab.root / "one")])
    lab.run(pipeline)
    assert "segment 2 (next) and what follows stay marked as done" in lab.run(pipeline, "--only", "1").stdout


def test_an_emptied_file_of_what_is_done_is_warned_of(lab: Lab, raw: Path) -> None:
    one = lab.root / "one"
    pipeline = lab.pipeline([over("one", one)])
    lab.run(pipeline)
    (done,) = (lab.data / ".run-pipeline" / pipeline.name / "done").iterdir()
    done.write_bytes(b"")
    said = lab.run(pipeline)
    assert f"{done} holds nothing of the items of segment 1, which was done: all of them run again" in said.stdout
    assert noted(one) == ["a", "a", "b", "b", "c", "c"]
    assert "holds nothing" not in lab.run(pipeline).stdout
    done.write_bytes(b"torn")
    assert "--accept" in lab.run(pipeline, "--dry-run").stdout
    assert "holds nothing" not in lab.run(pipeline, "--accept").stdout
