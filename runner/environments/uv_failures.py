"""uv's failures in plain words, each with what to do."""

from __future__ import annotations

from runner.errors import EnvironmentMissing


def explain(title: str, output: str, code: int, *, repo: str, folder: str) -> EnvironmentMissing:
    """Why `title` could not be prepared, from what uv printed."""
    return EnvironmentMissing(f"{title} could not be prepared: uv ended with exit code {code}", output.strip())
