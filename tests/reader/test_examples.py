"""Every file below examples/valid is read, every one below examples/invalid is refused as its neighbour says."""

from pathlib import Path

import pytest

from runner.errors import PipelineError
from runner.model import Diagnostic
from runner.pipeline.diagnostics import render
from runner.pipeline.reader import read_pipeline

EXAMPLES = Path(__file__).parent.parent / "examples"


def names(folder: str) -> list[str]:
    found = sorted(path.stem for path in (EXAMPLES / folder).glob("*.yaml"))
    assert found
    return found


def fits(diagnostic: Diagnostic, expected: str) -> bool:
    """`LINE:COLUMN SEVERITY PHRASE`, the phrase being a part of the message or of the cure."""
    place, severity, phrase = expected.split(" ", 2)
    mark = diagnostic.mark
    return (
        mark is not None
        and f"{mark.line}:{mark.column}" == place
        and diagnostic.severity.value == severity
        and (phrase in diagnostic.message or phrase in diagnostic.cure)
    )


@pytest.mark.parametrize("name", names("valid"))
def test_a_valid_example_is_read(name: str) -> None:
    pipeline = read_pipeline(EXAMPLES / "valid" / f"{name}.yaml")
    assert pipeline.path.is_absolute()
    assert len(pipeline.sha256) == 64


@pytest.mark.parametrize("name", names("invalid"))
def test_an_invalid_example_is_refused_with_exactly_what_is_expected(name: str) -> None:
    expected = (EXAMPLES / "invalid" / f"{name}.expected").read_text(encoding="utf-8").splitlines()
    with pytest.raises(PipelineError) as caught:
        read_pipeline(EXAMPLES / "invalid" / f"{name}.yaml")
    found = caught.value.diagnostics
    shown = "\n".join(line for one in found for line in render(one))
    assert len(found) == len(expected), shown
    for diagnostic, line in zip(found, expected, strict=True):
        assert fits(diagnostic, line), f"{line}\n\n{shown}"
        assert diagnostic.excerpt or diagnostic.message
