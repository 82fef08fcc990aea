"""`uv run` itself fails: the environment is at fault, not the segment."""

from __future__ import annotations

import pytest

from tests.support.lab import Lab, segment


@pytest.mark.parametrize("fault", ["cache", "variable", "downloads"])
def test_a_failure_of_uv_run_itself_is_exit_3_and_not_tried_again(lab: Lab, fault: str) -> None:
    pipeline = lab.pipeline([segment("one", "python", "-c", "print(1)", retries=2, **{"retry-delay": "1s"})])
    lab.run("env", "sync", "default")
    environ = {}
    if fault == "cache":
        (lab.root / "no folder").write_text("", encoding="utf-8")
        environ = {"UV_CACHE_DIR": str(lab.root / "no folder")}
    elif fault == "downloads":  # exit code 1
        environ = {"UV_PYTHON_DOWNLOADS": "perhaps"}
    else:
        environ = {"UV_HTTP_TIMEOUT": "soon"}
    done = lab.run(pipeline, check=3, **environ)
    said = done.stdout + done.stderr
    assert "try 2" not in said
    expected = {
        "cache": "uv cannot write to its cache",
        "variable": "UV_HTTP_TIMEOUT",
        "downloads": "UV_PYTHON_DOWNLOADS",
    }
    assert expected[fault] in said
    assert not pipeline.with_name("pipeline_status.yaml").exists()
    lab.run(pipeline)


def test_a_program_that_ends_as_uv_does_is_tried_again_and_fails(lab: Lab) -> None:
    code = "import sys; sys.exit(print('error: no images', file=sys.stderr) or 2)"
    pipeline = lab.pipeline([segment("one", "python", "-c", code, retries=1, **{"retry-delay": "0s"})])
    done = lab.run(pipeline, check=1)
    assert "try 2 of 2" in done.stdout + done.stderr
