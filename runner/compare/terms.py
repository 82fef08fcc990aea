"""The measures of a report: their names for people, a line of meaning for each, and which way is better."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from runner.compare.results import Pair


@dataclass(frozen=True)
class Term:
    """One measure, as the measuring program calls it in its results."""

    title: str
    meaning: str
    higher: bool = True  # is better


TERMS = {
    "pq": Term("panoptic quality", "The share of objects that have a partner, times how well partners overlap."),
    "iou": Term("IoU of the worst object", "The IoU of the two partners that overlap least."),
    "mean_iou": Term("mean IoU", "IoU (intersection over union): what two partners share, over all that they cover."),
    "dice": Term("Dice", "Twice the shared area, over the sum of both: of the foreground, not of objects."),
    "cl_dice": Term("centreline Dice", "Dice of the centrelines of a thin network: gaps count, thickness does not."),
    "max": Term("largest difference", "Of the values of one pixel.", higher=False),
    "p99.9": Term("99.9 % of the pixels", "They differ by no more than this.", higher=False),
    "rmse_over_range": Term(
        "RMSE over the range", "The root mean square of the differences, as a share of A's range.", higher=False
    ),
    "psnr": Term("PSNR", "The same in decibels: with 20 dB more, a tenth of the difference."),
    "ssim": Term("SSIM", "How alike structure and contrast are around each pixel."),
    "over_tolerance": Term(
        "worst value over its tolerance", "The largest difference, over what is allowed for that value.", higher=False
    ),
}
SHARES = ("pq", "iou", "mean_iou", "dice", "cl_dice", "ssim")
OF_KIND = {
    "labels": ("pq", "iou", "mean_iou", "dice"),
    "mask": ("dice", "cl_dice", "pq", "mean_iou"),
    "image": ("max", "p99.9", "rmse_over_range", "psnr", "ssim"),
    "table": ("over_tolerance",),
}


@dataclass(frozen=True)
class Check:
    """One measure of a pair beside its limit, which is None where none is set."""

    name: str
    value: float | None
    limit: float | None

    @property
    def kept(self) -> bool | None:
        """Whether the limit is kept; None without one."""
        if self.limit is None:
            return None
        return self.value is not None and (
            self.value >= self.limit if TERMS[self.name].higher else self.value <= self.limit
        )


def checks_of(pair: Pair) -> list[Check]:
    """What was measured of a pair, those with a limit first."""
    limits = {str(one["measure"]): one for one in pair.measures.get("checks", ())}
    names = sorted(OF_KIND.get(pair.kind, ()), key=lambda name: name not in limits)
    found = [(name, limits.get(name) or {"value": pair.measures.get(name), "limit": None}) for name in names]
    return [
        Check(name, one["value"], one["limit"]) for name, one in found if one["value"] is not None or name in limits
    ]


def worst_values(pairs: Iterable[Pair]) -> dict[str, dict[str, float]]:
    """By kind, the worst value of each measure."""
    worst: dict[str, dict[str, float]] = {}
    for pair in pairs:
        own: dict[str, float] = worst.setdefault(pair.kind, {})
        for check in checks_of(pair):
            if check.value is not None:
                pick = min if TERMS[check.name].higher else max
                own[check.name] = pick(own.get(check.name, check.value), check.value)
    return worst


def terms_in(pairs: Iterable[Pair]) -> Mapping[str, Any]:
    """The terms that a page with these pairs uses, in the order of the list above."""
    used = {check.name for pair in pairs for check in checks_of(pair)}
    return {name: term for name, term in TERMS.items() if name in used}
