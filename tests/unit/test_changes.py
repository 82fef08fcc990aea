"""What is told of a segment that changed since it was done."""

from pathlib import Path

import pytest

from runner.changes import what_changed
from runner.model import Segment
from runner.pipeline.reader import parse_pipeline


def segment(keys: str) -> Segment:
    return parse_pipeline(f"run:\n- {{name: a, {keys}}}\n".encode(), Path("/lab/x.yaml")).segments[0]


BASE = "environment: conda:old, commands: [python, a.py, {--min: 1}, {--max: 9}, --fast]"


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        (BASE.replace("conda:old", "uv:new"), "`environment`: `conda:old` became `uv:new`"),
        (BASE.replace("--min: 1", "--min: 2"), "`--min: 1` became `--min: 2`"),
        (BASE.replace(", --fast", ""), "`--fast` is gone"),
        (BASE.replace("a.py,", "a.py, -v,"), "`-v` is new"),
        (BASE + ", env: {A: 1}", "A in `env`: `1` is new"),
        (BASE + ", cwd: '%YAML%'", "`cwd`: `%YAML%` is new"),
        (
            BASE.replace("conda:old", "uv:new").replace("--min: 1", "--min: 2").replace(", --fast", ""),
            "`environment`: `conda:old` became `uv:new`; `--min: 1` became `--min: 2`; and 1 more",
        ),
        (BASE, ""),
    ],
)
def test_the_difference_is_told_in_the_words_of_the_file(keys: str, told: str) -> None:
    assert what_changed(segment(BASE), segment(keys)) == told


def test_long_texts_are_cut() -> None:
    assert len(what_changed(segment(BASE), segment(BASE.replace("a.py", "b" * 500 + ".py")))) < 150
