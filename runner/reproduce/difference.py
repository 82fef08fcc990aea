"""One thing that is different from when a run was recorded, and what it means for the run."""

from __future__ import annotations

from enum import Enum

from runner.frozen import frozen
from runner.model import Segment

SHOWN = 6  # of a list


class Weight(Enum):
    """What a difference means for the run."""

    NOTE = "note"  # it is made good by the record, or cannot be undone by anybody: another driver
    CHANGES = "changes the result"  # the run needs --anyway
    NO_LOCK = "no lock"  # the run needs --todays-lock
    GONE = "gone"  # the run is not possible


@frozen
class Difference:
    """`what`: environment, script, input, pipeline, machine, runner or result."""

    what: str
    weight: Weight
    text: str
    cure: str = ""
    segment: int | None = None


def named(segment: Segment) -> str:
    return f"segment {segment.number} ({segment.name})" if segment.name else f"segment {segment.number}"
