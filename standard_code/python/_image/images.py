"""Images in memory, and as TIFF files with their axes and pixel size."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from _program.files import UserError

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class PixelSize:
    """In micrometres; `z` is None where there is no distance between planes."""

    x: float
    y: float
    z: float | None = None


@dataclass(frozen=True)
class Image:
    """`data` has the axes TCZYX; `rgb` says that its three channels are red, green and blue of one colour image."""

    data: np.ndarray[Any, Any]
    pixel_size: PixelSize | None = None
    channels: tuple[str, ...] = ()
    rgb: bool = False

    def channel(self, index: int | None) -> np.ndarray[Any, Any]:
        """One channel as (T, Y, X); None is the first, or of a colour image how bright it is shown.

        Raises UserError where there is none, or where there are Z planes.
        """
        _, channels, planes, _, _ = self.data.shape
        if index is not None and index >= channels:
            raise UserError(f"there is no channel {index}: it has {channels}, counted from 0. See --channel-index.")
        if planes > 1:
            raise UserError(
                f"it has {planes} Z planes, and this program works on flat images. "
                "Convert it with convert_to_tif.py --projection-method max first."
            )
        if index is None and self.rgb:
            logging.info("of its colours, the luminance is taken. See --channel-index")
            return luminance(self.data)[:, 0]
        return self.data[:, index or 0, 0]


def luminance(colours: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """TCZYX without C: the weights of ITU-R BT.709, as in scikit-image. Equal colours stay as they are."""
    import numpy as np

    red, green, blue = (colours[:, number].astype(np.float64) for number in range(3))
    mixed = 0.2125 * red + 0.7154 * green + 0.0721 * blue
    return (np.rint(mixed) if colours.dtype.kind in "ui" else mixed).astype(colours.dtype)


def with_data(image: Image, data: np.ndarray[Any, Any]) -> Image:
    """The same place and pixel size, other values: (T, Y, X) becomes one channel."""
    return replace(image, data=data[:, None, None], channels=(), rgb=False)
