"""What a comparison found, as records; the texts are for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any


class Rung(Enum):
    """The ladder, best first. `missing` and `extra` are files that only A or only B has."""

    SAME = "same bytes"
    CONTENT = "same content"
    WITHIN = "within tolerance"
    NOISE = "within noise"
    DIFFERENT = "different"
    MISSING = "missing"
    EXTRA = "extra"
    UNREADABLE = "unreadable"

    @property
    def good(self) -> bool:
        """Whether a lab may switch."""
        return self in (Rung.SAME, Rung.CONTENT, Rung.WITHIN, Rung.NOISE)


# worst first in a report
ORDER = (
    *(Rung.MISSING, Rung.EXTRA, Rung.UNREADABLE, Rung.DIFFERENT),
    *(Rung.NOISE, Rung.WITHIN, Rung.CONTENT, Rung.SAME),
)


@dataclass
class Picture:
    """A picture in the report, with what it shows and its size in pixels."""

    file: str
    shows: str
    width: int
    height: int


@dataclass
class Pair:
    """Two files (or OME-Zarr folders) of one relative name, and what was found."""

    index: int
    name: str  # relative, with /
    a: Path | None
    b: Path | None
    rung: Rung = Rung.UNREADABLE
    kind: str = ""  # image, labels, table, text, data, bytes
    said: str = ""
    distance: float = 0.0  # 0 for the same; compared with the noise floor within one kind
    remarks: list[str] = field(default_factory=list)
    measures: Mapping[str, Any] = field(default_factory=dict)
    over: Mapping[str, float] = field(default_factory=dict)  # column or key -> most difference over the tolerance
    pictures: list[Picture] = field(default_factory=list)

    @property
    def both(self) -> tuple[Path, Path]:
        """Of a pair that neither side lacks."""
        assert self.a is not None
        assert self.b is not None
        return self.a, self.b

    @property
    def order(self) -> tuple[int, bool, float, str]:
        """For sorting worst first; images before what was measured in them."""
        return (ORDER.index(self.rung), self.kind not in ("image", "labels", "mask"), -self.distance, self.name)


@dataclass
class Side:
    """A segment's run as one pipeline did it."""

    environment: str = ""
    fingerprint: Mapping[str, Any] = field(default_factory=dict)
    seconds: float | None = None
    peak_memory: int | None = None  # bytes
    gpu_memory: int | None = None  # bytes
    size: int | None = None  # bytes of the environment
    preparation: float | None = None  # seconds
    outputs: list[str] = field(default_factory=list)  # folders that were compared


@dataclass
class Part:
    """A segment of both pipelines, or a subfolder of both folders."""

    name: str
    pairs: list[Pair] = field(default_factory=list)
    a: Side = field(default_factory=Side)
    b: Side = field(default_factory=Side)
    noise: dict[str, float] | None = None  # kind -> largest distance of A from itself
    noise_values: dict[str, dict[str, float]] = field(default_factory=dict)  # kind -> worst value of each measure
    again: dict[str, Pair] = field(default_factory=dict)  # name -> A against itself
    note: str = ""  # why nothing could be compared
    good: bool = True
    sentence: str = ""


@dataclass
class Comparison:
    """The whole."""

    a: str
    b: str
    parts: list[Part]
    pipelines: bool = True  # else folders
    notes: list[str] = field(default_factory=list)
    good: bool = True
    sentence: str = ""
    machine: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    sign_off: Mapping[str, Any] | None = None

    @property
    def pairs(self) -> list[Pair]:
        return [pair for part in self.parts for pair in part.pairs]
