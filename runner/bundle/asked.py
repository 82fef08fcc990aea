"""What the user wants of a bundle, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from runner.bundle.form import Manifest
from runner.bundle.target import Target
from runner.model import Pipeline


@dataclass
class Asked:
    """What the user wants."""

    pipelines: Sequence[tuple[Path, Pipeline]]
    output: Path
    target: Target
    python: str  # 3.11
    own: Path  # the repository that the runner stands in
    update: Path | None = None  # an older bundle: what that has is left out


@dataclass
class Made:
    """What came of it, for the user."""

    path: Path
    size: int
    manifest: Manifest
    wheels: int
    shared: int  # of them in more than one environment
    built: list[str] = field(default_factory=list)
    locked: list[str] = field(default_factory=list)  # scripts that had no lock
    left: list[str] = field(default_factory=list)  # what segments read and the bundle has not
    conda: list[str] = field(default_factory=list)  # environments that were packed
    notes: list[str] = field(default_factory=list)  # what of them is not as its packages brought it
