"""Readers of image files, by the ending of the file's name. A new format is one function and its line in READERS."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import _reading.bioio_files
from _image.images import Image
from _image.stacks import Scene, stack_of
from _program.files import UserError
from _tiff.reading import open_tiff
from _tiff.shown import How

if TYPE_CHECKING:
    import numpy as np

Opener = Callable[[Path, str, How], AbstractContextManager[list[Scene]]]


def open_scenes(path: Path, *, stack_axis: str = "Z", how: How = "image") -> AbstractContextManager[list[Scene]]:
    """The images in a file of any format that is known. Raises UserError for others, and for a damaged file."""
    ending = path.suffix.lower()
    if ending not in READERS and not _reading.bioio_files.installed(_reading.bioio_files.BIOFORMATS):
        known = ", ".join(sorted(READERS))
        raise UserError(
            f"files ending in {ending or 'nothing'!r} cannot be read; these can: {known}. "
            "Bio-Formats, which needs Java, reads many more: `environment: uv:bioio_bioformats`."
        )
    if path.stat().st_size == 0:
        raise UserError("the file is empty.")
    return READERS.get(ending, _with(_reading.bioio_files.BIOFORMATS))(path, stack_axis, how)


def _with(plugin: _reading.bioio_files.Plugin) -> Opener:
    return lambda path, stack_axis, how: _reading.bioio_files.open_with(plugin, path)


def _in_memory(reader: Callable[[Path, How], Image]) -> Opener:
    """For pictures, which are small, and which their decoders give as a whole."""

    @contextmanager
    def opened(path: Path, stack_axis: str, how: How) -> Iterator[list[Scene]]:
        image = reader(path, how)
        yield [Scene("", image.data.shape[3] * image.data.shape[4], lambda: stack_of(image))]

    return opened


def _read_png(path: Path, how: How) -> Image:
    """By libpng, since Pillow makes 8 bits out of 16 in colour images; but libpng gives a palette's colours."""
    import imagecodecs

    if how == "stored":
        numbers = _read_photo(path, how)
        if numbers.data.dtype.itemsize == 1 and not numbers.rgb:
            return numbers
    try:
        return _flat(imagecodecs.png_decode(path.read_bytes()))
    except (imagecodecs.PngError, ValueError) as error:
        raise UserError(f"it cannot be read as a PNG image; it may be damaged ({error}).") from error


def _read_photo(path: Path, how: How) -> Image:
    """A picture; the frames of a GIF are time points."""
    import numpy as np
    from PIL import Image as Pillow
    from PIL import ImageSequence

    Pillow.MAX_IMAGE_PIXELS = None  # large scans are normal here
    kept = ("L", "RGB", "1", "P") if how == "stored" else ("L", "RGB")
    try:
        with Pillow.open(path) as picture:
            frames = ImageSequence.Iterator(picture) if picture.format == "GIF" else [picture]
            pixels = [np.asarray(frame if frame.mode in kept else frame.convert("RGB")) for frame in frames]
    except Pillow.UnidentifiedImageError as error:
        raise UserError("it is damaged, or not an image.") from error
    except (OSError, SyntaxError) as error:
        if isinstance(error, OSError) and error.strerror:
            raise
        raise UserError(f"it is damaged or incomplete ({error}).") from error
    return _flat(pixels[0]) if len(pixels) == 1 else _series(pixels)


def _series(frames: list[np.ndarray[Any, Any]]) -> Image:
    """Frames as time points; in colour where one of them is."""
    import numpy as np

    colour = [frame if frame.ndim == 3 else np.repeat(frame[..., np.newaxis], 3, axis=2) for frame in frames]
    image = _flat(np.concatenate(colour))  # one above the other
    height = frames[0].shape[0]
    parts = [image.data[:, :, :, top : top + height] for top in range(0, image.data.shape[3], height)]
    return Image(np.concatenate(parts), rgb=image.rgb)


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


READERS: dict[str, Opener] = {
    ".bmp": _in_memory(_read_photo),
    ".czi": _with(_reading.bioio_files.CZI),
    ".gif": _in_memory(_read_photo),
    ".jpeg": _in_memory(_read_photo),
    ".jpg": _in_memory(_read_photo),
    ".lif": _with(_reading.bioio_files.LIF),
    ".nd2": _with(_reading.bioio_files.ND2),
    ".ome": open_tiff,
    ".png": _in_memory(_read_png),
    ".tif": open_tiff,
    ".tiff": open_tiff,
}
