"""What the numbers stored in a TIFF file stand for: 0 may be white, numbers may be those of a palette's colours, and
some samples are no colour at all. An image is what a viewer shows; the numbers of a label image are its objects."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from _program.files import UserError

if TYPE_CHECKING:
    import numpy as np
    import tifffile

    Array: TypeAlias = np.ndarray[Any, Any]
    Sample: TypeAlias = Callable[[int], Array]

How: TypeAlias = Literal["image", "labels", "stored"]

# Of these makers a palette is a lookup table: it colours measured values, as in Fiji, and the values are what counts.
LOOKUP = frozenset("andor fluoview imagej lsm mediacy metaseries micromanager nih ome scanimage sis stk tvips".split())
ALPHA = (1, 2)  # kinds of extra samples; 0 does not say what it is
WITHOUT_LOSS = (1, 5, 8, 32773, 32946, 34925, 50000)  # compressions that keep YCbCr as it is; the others give RGB
STRANGE = {
    "YCBCR": "YCbCr", "CIELAB": "CIELAB", "ICCLAB": "ICC Lab", "ITULAB": "ITU Lab", "LOGL": "LogL", "LOGLUV": "LogLuv",
}  # fmt: skip


@dataclass(frozen=True)
class Shown:
    """`sample` gives one of the shown samples of each pixel, from a function that gives one of the stored."""

    samples: int
    dtype: np.dtype[Any]
    rgb: bool
    sample: Callable[[Sample, int], Array]
    plain: bool = False  # shown is what is stored


def shown(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries, stored: int, how: How = "image") -> Shown:
    """Of pages whose pixels have `stored` samples. Raises UserError for colours that cannot be told."""
    page = series.keyframe
    kind = colours(page) if stored > 1 else _name(page)
    if how != "stored":
        if kind in STRANGE.values():
            raise UserError(f"its colours are {kind}, which is not read here. Save it as RGB, for example in Fiji.")
        if kind == "SEPARATED" and stored >= 4:
            return Shown(3, page.dtype, True, lambda read, s: _of_ink(read(s), read(3)))
        stored = _without_alpha(page, stored, kind)
        if kind == "RGB" and stored == 3 and how == "labels":
            return Shown(1, page.dtype, False, lambda read, _: _equal(read))
        if kind == "MINISWHITE":
            return _white(tif, page, stored, how)
        if kind == "PALETTE" and page.colormap is not None and how == "image":
            if tif.flags & LOOKUP:
                logging.info("its palette is a lookup table; the numbers are taken as they are")
            else:
                _refuse_palettes(series)
                return _coloured(page)
        if kind == "MINISBLACK" and page.bitspersample < 8 and how == "image":
            return _of_few_bits(page, stored)
    return Shown(stored, page.dtype, kind == "RGB" and stored == 3, lambda read, s: read(s), plain=True)


def _name(page: tifffile.TiffPage) -> str:
    return str(getattr(page.photometric, "name", page.photometric))


def colours(page: tifffile.TiffPage) -> str:
    """What the samples of a pixel are once they are decoded, for example RGB."""
    name = _name(page)
    if name == "YCBCR" and int(page.compression) not in WITHOUT_LOSS:
        return "RGB"
    return STRANGE.get(name, name)


def _without_alpha(page: tifffile.TiffPage, stored: int, kind: str) -> int:
    """How many samples are left without transparency, which comes last."""
    extra = tuple(int(one) for one in page.extrasamples)
    if not extra or stored < 2:
        return stored
    if extra[-1] in ALPHA and len(extra) == 1:
        logging.debug("its transparency is left out")
        return stored - 1
    if kind == "RGB" and stored == 4:
        logging.warning("beside red, green and blue it has a sample that it does not name, which is left out")
        return 3
    return stored


def _equal(read: Sample) -> Array:
    """Numbers of objects that a program wrote as grey in colour."""
    import numpy as np

    red = read(0)
    if not all(np.array_equal(red, read(other)) for other in (1, 2)):
        raise UserError("it is no label image: it has colours, which are no numbers of objects.")
    return red


def _top(page: tifffile.TiffPage) -> int:
    return int(2 ** int(page.bitspersample)) - 1


def _of_few_bits(page: tifffile.TiffPage, samples: int) -> Shown:
    """1, 2 and 4 bits, as 8: black is 0 and white 255, as in PNG files and in Fiji."""
    import numpy as np

    step = 255 // _top(page)
    return Shown(samples, np.dtype(np.uint8), False, lambda read, s: read(s).astype(np.uint8) * np.uint8(step))


def _white(tif: tifffile.TiffFile, page: tifffile.TiffPage, samples: int, how: How) -> Shown:
    """0 is white."""
    top = _top(page)
    if how == "labels" and "imagej" in tif.flags:
        # Its masks are 255 in objects and shown with an inverting LUT: the numbers are what it measures.
        return Shown(samples, page.dtype, False, lambda read, s: read(s))
    if how == "labels":
        logging.warning("0 is white in it; of black and white, what most of the edge shows is taken as the background")
        return Shown(samples, page.dtype, False, lambda read, s: _mask(read(s), top))
    logging.info("0 is white in it: its values are turned round, so that they are as it is shown")
    if page.bitspersample < 8:
        few = _of_few_bits(page, samples)
        return Shown(samples, few.dtype, False, lambda read, s: ~few.sample(read, s))
    return Shown(samples, page.dtype, False, lambda read, s: inverted(read(s), top))


def inverted(values: Array, top: int) -> Array:
    """Bright for dark, over all that the type can hold: as TIFF libraries do it."""
    if values.dtype.kind == "f":
        return -values
    return ~values if values.dtype.kind in "bi" else values.dtype.type(top) - values


def _mask(values: Array, top: int) -> Array:
    """Objects of a mask: some programs mean what is shown bright, others (tifffile of true and false) the ones.

    Other numbers than two are those of objects, however they are shown.
    """
    import numpy as np

    ends = values == top
    if not (ends | (values == 0)).all():
        return values
    edge = np.concatenate([ends[0], ends[-1], ends[:, 0], ends[:, -1]])
    return inverted(values, top) if edge.mean() > 0.5 else values


def _refuse_palettes(series: tifffile.TiffPageSeries) -> None:
    """Pages that each have a palette of their own, as frames of an animation may."""
    import numpy as np

    for page in list(series.pages)[1:]:
        if page is not None and not np.array_equal(page.aspage().colormap, series.keyframe.colormap):
            raise UserError("its pages have different palettes. Save it as RGB, for example in Fiji.")


def _coloured(page: tifffile.TiffPage) -> Shown:
    """By the palette, in 8 bits; some programs write it in 8 bits instead of 16. Grey ones give one channel."""
    import numpy as np

    table = np.asarray(page.colormap)
    table = (table if table.max() < 256 else table >> 8).astype(np.uint8)
    grey = bool((table == table[0]).all())
    return Shown(1 if grey else 3, table.dtype, not grey, lambda read, s: table[s][read(0).astype(np.intp)])


def _of_ink(ink: Array, black: Array) -> Array:
    """A colour of light from its ink and black, both 0 where there is none."""
    import numpy as np

    if ink.dtype.kind != "u" or ink.dtype.itemsize > 2:
        raise UserError("its colours are CMYK in a rare number type. Save it as RGB, for example in Fiji.")
    top = np.uint64(np.iinfo(ink.dtype).max)
    light: Array = ((top - ink) * (top - black) + top // np.uint64(2)) // top
    return light.astype(ink.dtype)
