"""Opens images of several formats to compare them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from _compare.sources import Source, in_words, of_array, refuse_empty, refuse_large
from _program.files import UserError

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]

TIFF = (".tif", ".tiff", ".lsm", ".svs", ".stk")


@contextmanager
def open_image(path: Path, side: str = "the image") -> Iterator[Source]:
    """The image in `path`, called `side` in errors. Raises UserError when it cannot be read, then or later."""
    with ExitStack() as closing:
        with in_words(side, "image"):
            source = _opened(path, closing)
        for each in (source, source.numbers):
            if each:
                each.read = _telling(each.read, side)
        yield source


def _telling(read: Callable[[int, int, int], Array], side: str) -> Callable[[int, int, int], Array]:
    def read_or_tell(plane: int, top: int, end: int) -> Array:
        with in_words(side, "image"):
            return read(plane, top, end)

    return read_or_tell


def _opened(path: Path, closing: ExitStack) -> Source:
    refuse_empty(path)
    ending = path.suffix.lower()
    if ending in TIFF:
        from _compare.tiff_files import open_tiff

        return open_tiff(path, closing)
    if path.is_dir():
        from _compare.zarr_arrays import open_zarr

        return open_zarr(path)
    if ending == ".npy":
        import numpy as np

        return of_array(np.load(path, mmap_mode="r", allow_pickle=False))
    from _compare.shown import numbers_of_picture

    source = of_array(_picture(path))
    source.numbers = numbers_of_picture(path)
    return source


def _picture(path: Path) -> Array:
    import numpy as np

    if path.suffix.lower() == ".png":
        import imagecodecs

        stored = path.read_bytes()
        refuse_large(_bytes_of_png(stored), "the picture")
        if b"acTL" in stored.partition(b"IDAT")[0]:
            raise UserError("holds several pictures, of which only one could be compared")
        data: Array = imagecodecs.png_decode(stored)
        return data[..., 0] if data.ndim == 3 and data.shape[2] == 1 else data
    from PIL import Image, ImageOps

    Image.MAX_IMAGE_PIXELS = None  # the limit is ours
    with Image.open(path) as picture:
        refuse_large(picture.width * picture.height * len(picture.getbands()), "the picture")
        if getattr(picture, "n_frames", 1) > 1:
            raise UserError("holds several pictures, of which only one could be compared")
        shown = {"P": "RGB", "1": "L"}.get(picture.mode, picture.mode)
        upright = ImageOps.exif_transpose(picture)
        return np.asarray(upright.convert(shown) if shown != picture.mode else upright)


def _bytes_of_png(stored: bytes) -> int:
    """As its header tells: width, height, bits of a sample, kind of colour."""
    if len(stored) < 26:
        return 0
    width, height, bits, colour = struct.unpack(">IIBB", stored[16:26])
    return int(width * height * max(1, bits // 8) * {2: 3, 3: 4, 4: 2, 6: 4}.get(colour, 1))
