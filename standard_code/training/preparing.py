"""What is done to an image before the model sees it."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def stretched(image: Array) -> Array:
    """float32 in 0..1: from the 1st to the 99th percentile, in 256 steps. A constant image becomes 0."""
    values = image.astype(np.float32)
    low, high = np.percentile(values, [1, 99])
    if high <= low:
        return np.zeros(image.shape, np.float32)
    return (np.clip((values - low) / (high - low), 0, 1) * 255).astype(np.uint8).astype(np.float32) / 255
