"""How well a prediction of classes agrees with the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
from skimage.morphology import skeletonize

Array = np.ndarray[Any, Any]


def dice(one: Array, other: Array) -> float | None:
    """Dice coefficient of two masks, 0..1; None where both are empty."""
    total = int(one.sum()) + int(other.sum())
    return 2 * int((one & other).sum()) / total if total else None


def centreline_dice(prediction: Array, truth: Array) -> float | None:
    """clDice (Shit et al. 2021): the harmonic mean of how much of each skeleton lies in the other mask.

    It counts whether the network hangs together rightly, and hardly how thick it is. None where both are empty.
    """
    if not prediction.any() and not truth.any():
        return None
    found, real = skeletonize(prediction), skeletonize(truth)
    precision = (found & truth).sum() / max(found.sum(), 1)
    sensitivity = (real & prediction).sum() / max(real.sum(), 1)
    return float(2 * precision * sensitivity / (precision + sensitivity)) if precision + sensitivity else 0.0
