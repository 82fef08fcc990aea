"""Images to compare as a viewer shows them, and label images by their numbers, whatever the file stores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import _tiff.shown
from _compare.sources import LARGEST, Source, of_array

if TYPE_CHECKING:
    import numpy as np
    import tifffile

    Array: TypeAlias = np.ndarray[Any, Any]
    Read: TypeAlias = Callable[[int, int, int], Array]

OTHERWISE = ("MINISWHITE", "PALETTE")
PALETTE_OF_PNG = b"\x03"
USUAL = ("MINISBLACK", "RGB", *OTHERWISE)


def as_shown(source: Source, tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> Source:
    """What is shown; beside it the numbers, where those of a label image are others."""
    page = series.keyframe
    kind = page.photometric.name if page.photometric in (0, 1, 3) else _tiff.shown.colours(page)
    if kind not in USUAL:
        return replace(source, told=f"its colours are {'CMYK' if kind == 'SEPARATED' else kind}")
    if source.samples > 1 or (kind not in OTHERWISE and page.bitspersample >= 8):
        return source
    image, labels = (_tiff.shown.shown(tif, series, 1, how) for how in ("image", "labels"))
    white = kind == "MINISWHITE"
    numbers = replace(source, read=_through(labels, source.read), told="0 is white" if white else "")
    if white and source.row_bytes * source.height <= LARGEST:  # the edge of a whole plane tells what is background
        numbers = replace(numbers, rows=source.height, plain=False)
    if image.plain:
        return source
    return replace(
        source,
        axes=source.axes + "S" * (image.samples > 1),
        shape=source.shape + (image.samples,) * (image.samples > 1),
        samples=image.samples,
        dtype=image.dtype,
        read=_through(image, source.read),
        numbers=numbers,
    )


def _through(shown: _tiff.shown.Shown, read: Read) -> Read:
    import numpy as np

    def changed(plane: int, top: int, end: int) -> Array:
        stored = read(plane, top, end)
        parts = [shown.sample(lambda _: stored, sample) for sample in range(shown.samples)]
        return parts[0] if shown.samples == 1 else np.stack(parts, axis=-1)

    return changed


def numbers_of_picture(path: Path) -> Source | None:
    """Those behind a palette, which in label images are the objects."""
    import numpy as np
    from PIL import Image

    with path.open("rb") as file:
        if path.suffix.lower() == ".png" and file.read(26)[-1:] != PALETTE_OF_PNG:
            return None
    Image.MAX_IMAGE_PIXELS = None  # its size was looked at before
    with Image.open(path) as picture:
        return of_array(np.asarray(picture)) if picture.mode == "P" else None
