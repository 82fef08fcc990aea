"""The colours of all pictures and pages: those of Okabe and Ito, which people with any colour vision tell apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]

SKY_BLUE = (86, 180, 233)
YELLOW = (240, 228, 66)
VERMILION = (213, 94, 0)
GREEN = (0, 158, 115)
PURPLE = (204, 121, 167)
ORANGE = (230, 159, 0)
BLUE = (0, 114, 178)

# The sets whose colours lie furthest apart, however one sees them.
ER = ((0, 0, 0), SKY_BLUE, YELLOW, VERMILION)  # background, tubule, sheet, SBT
OLD, NEW, BOTH, SPLIT, MERGED = YELLOW, SKY_BLUE, (255, 255, 255), BLUE, VERMILION  # of two results
OBJECTS = (*ER[1:], GREEN, PURPLE, ORANGE, BLUE)  # by number; a mask of the ER has the colours of its classes


def er_over(grey: Array, classes: Array) -> Array:
    """The classes of the ER in colour over an image in grey (Y, X), from 0 to 255."""
    import numpy as np

    grey = grey[..., None]
    mixed: Array = np.where(classes[..., None] > 0, 0.5 * grey + 0.5 * np.array(ER, np.float32)[classes], grey)
    return mixed.astype(np.uint8)
