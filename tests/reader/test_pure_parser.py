"""Without libyaml everything is read and refused alike, only slower."""

from pathlib import Path

import pytest
import yaml

from runner.errors import PipelineError
from runner.model import Pipeline
from runner.pipeline.reader import read_pipeline

EXAMPLES = Path(__file__).parent.parent / "examples"
FILES = sorted(EXAMPLES.rglob("*.yaml"))


def outcome(path: Path) -> Pipeline | list[int]:
    try:
        return read_pipeline(path)
    except PipelineError as error:
        return [one.mark.line if one.mark else 0 for one in error.diagnostics]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_gives_the_same_with_either_parser(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_libyaml = outcome(path)
    monkeypatch.setattr(yaml, "__with_libyaml__", False)
    assert outcome(path) == with_libyaml
