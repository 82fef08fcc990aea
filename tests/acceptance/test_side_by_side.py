"""Segments that run at the same time share what is made ready for them."""

import json

from tests.support.lab import Lab


def test_an_environment_that_cannot_be_made_is_tried_once_for_all_who_wait_for_it(lab: Lab) -> None:
    (lab.root / "file").write_text("no folder")
    names = ("a", "b", "c", "d")
    segments = [{"name": n, "environment": "uv:default", "needs": [], "commands": ["python", "-c", "1"]} for n in names]
    done = lab.run(lab.pipeline(segments), "--jobs", "4", "--json", check=3, RUN_PIPELINE_ENVS=str(lab.root / "file"))
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert sum(event["event"] == "preparing" for event in events) == 1
    assert "cannot be prepared" in done.stderr
