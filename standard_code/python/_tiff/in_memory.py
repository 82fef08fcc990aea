"""An image of a TIFF file in memory, and an image of memory as a TIFF file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _image.images import Image
    from _tiff.shown import How


def read_tiff(path: Path, how: How = "image") -> Image:
    """The first image of a TIFF file; `how` says whether its values are those of an image or of labels."""
    from _image.scenes import first_of
    from _image.stacks import load
    from _tiff.reading import open_tiff

    with open_tiff(path, how=how) as scenes:
        return load(first_of(scenes).open())


def write_tiff(path: Path, image: Image) -> None:
    """Writes an OME-TIFF, compressed without loss. Equal images give equal files."""
    from _image.stacks import stack_of
    from _tiff.writing import write_stack

    write_stack(path, stack_of(image))
