"""What a picture of two results is drawn from: planes of images, and the micrograph that belongs to label images."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from _compare.labels import is_named
from _compare.reading import open_image
from _compare.sources import Source, real

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]

LARGEST = 4096  # pixels a side that are looked at; of a larger plane every 2nd, 3rd, ... pixel


def read(image: Source, plane: int) -> Array:
    """One plane; of a large one every so many rows and columns, band by band."""
    import numpy as np

    step = math.ceil(max(image.height, image.width) / LARGEST)
    if step == 1:
        return real(image.read(plane, 0, image.height)).copy()
    rows = max(step, image.band_rows() // step * step)
    tops = range(0, image.height, rows)
    parts = [real(image.read(plane, top, min(top + rows, image.height))[::step, ::step]).copy() for top in tops]
    return np.concatenate(parts)


def behind(job: dict[str, Any], labels: Source, plane: int) -> Array | None:
    """The measured image that belongs to a label image: of those with its name the first one of its size.

    A picture that was drawn for people, with its colours, stands behind an image in grey.
    """
    found: list[tuple[bool, Array]] = []
    for path in map(Path, job.get("backgrounds") or ()):
        try:
            with open_image(path) as image:
                fits = (image.height, image.width) == (labels.height, labels.width) and not is_named(path)
                if fits and (image.samples == 1 or not found):
                    found.append((image.samples > 1, read(image, _plane_behind(image, labels, plane))))
                    if image.samples == 1:
                        break
        except Exception:  # it is only there to look nice
            continue
    return min(found, key=lambda one: one[0])[1] if found else None


def _plane_behind(image: Source, labels: Source, plane: int) -> int:
    """The plane of the same time and height; the first channel, and the middle of a stack that has flat labels."""
    import numpy as np

    axes, lengths = image.outer
    if not lengths:
        return 0
    of_labels = labels.outer
    place = dict(zip(of_labels[0], np.unravel_index(plane, of_labels[1]) if of_labels[1] else (), strict=True))
    at = [min(int(place.get(axis, n // 2 if axis == "Z" else 0)), n - 1) for axis, n in zip(axes, lengths, strict=True)]
    return int(np.ravel_multi_index(at, lengths))
