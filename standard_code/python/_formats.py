"""Readers of image files, by the ending of the file's name. A new format is one function and its line in READERS."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _files import UserError
from _images import Image, read_tiff

if TYPE_CHECKING:
    import numpy as np


def read(path: Path, *, stack_axis: str = "Z") -> Image:
    """Any image whose format is known. Raises UserError for others, and for a damaged file."""
    ending = path.suffix.lower()
    if ending not in READERS:
        known = ", ".join(sorted(READERS))
        raise UserError(f"files ending in {ending or 'nothing'!r} cannot be read; these can: {known}.")
    if path.stat().st_size == 0:
        raise UserError("the file is empty.")
    return READERS[ending](path, stack_axis)


def _read_tiff(path: Path, stack_axis: str) -> Image:
    return read_tiff(path, stack_axis=stack_axis)


def _read_png(path: Path, stack_axis: str) -> Image:
    """By libpng, since Pillow makes 8 bits out of 16 in colour images."""
    import imagecodecs

    try:
        return _flat(imagecodecs.png_decode(path.read_bytes()))
    except (imagecodecs.PngError, ValueError) as error:
        raise UserError(f"it cannot be read as a PNG image; it may be damaged ({error}).") from error


def _read_photo(path: Path, stack_axis: str) -> Image:
    import numpy as np
    from PIL import Image as Pillow

    Pillow.MAX_IMAGE_PIXELS = None  # large scans are normal here
    try:
        with Pillow.open(path) as picture:
            if picture.mode not in ("L", "RGB"):
                return _flat(np.asarray(picture.convert("RGB")))
            return _flat(np.asarray(picture))
    except Pillow.UnidentifiedImageError as error:
        raise UserError("it is damaged, or not an image.") from error
    except OSError as error:
        if error.strerror:
            raise
        raise UserError(f"it is damaged or incomplete ({error}).") from error


def _flat(pixels: np.ndarray[Any, Any]) -> Image:
    """(Y, X) or (Y, X, samples) as an image: transparency is left out, equal colours become one grey channel."""
    import numpy as np

    if pixels.ndim == 2:
        pixels = pixels[:, :, np.newaxis]
    if pixels.shape[2] in (2, 4):
        pixels = pixels[:, :, :-1]
        logging.debug("its transparency is left out")
    if pixels.shape[2] == 3 and (pixels[:, :, :1] == pixels).all():
        pixels = pixels[:, :, :1]
        logging.info("its three colours are equal: one grey channel is kept")
    return Image(np.moveaxis(pixels, 2, 0)[np.newaxis, :, np.newaxis], rgb=pixels.shape[2] == 3)


READERS: dict[str, Callable[[Path, str], Image]] = {
    ".jpeg": _read_photo,
    ".jpg": _read_photo,
    ".png": _read_png,
    ".tif": _read_tiff,
    ".tiff": _read_tiff,
}
