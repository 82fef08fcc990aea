"""What is no YAML at all: libyaml's first complaint in plain words, and the mistakes that people make."""

from __future__ import annotations

from typing import Any

from runner.model import Mark
from runner.pipeline.nodes import Node, compose
from runner.pipeline.report import Report


def compose_or_explain(text: str, report: Report) -> tuple[Node | None, bool]:
    """The root node, and whether there was anything to read; syntax errors are reported."""
    import yaml

    try:
        return compose(text), True
    except yaml.MarkedYAMLError as error:
        mark: Any = error.problem_mark
        report.error(Mark(mark.line + 1, mark.column + 1), str(error.problem))
        return None, False
    except yaml.YAMLError as error:
        report.error(None, str(error))
        return None, False
