"""Pictures of an image with the outlines of its objects."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image as Picture

    Array = np.ndarray[Any, Any]

FINE = 4  # outlines are drawn this much larger and reduced, which makes their edges smooth


def good_scale(shape: tuple[int, int]) -> int:
    """How often to enlarge an image so that its shorter side has about 1000 pixels; large ones stay."""
    return max(1, min(8, round(1000 / min(shape)), 4000 // max(shape)))


def background(pixels: Array, scale: int, saturated: float) -> Picture:
    """The image in grey, enlarged, with its contrast stretched."""
    import numpy as np
    from PIL import Image

    values = np.nan_to_num(pixels.astype(np.float32))
    low, high = np.percentile(values, [min(saturated, 49), 100 - min(saturated, 49)])
    if high <= low:  # objects may cover less than the saturated share
        low, high = values.min(), values.max()
    stretched = np.clip((values - low) / max(high - low, 1e-12), 0, 1) * 255
    grey = Image.fromarray(stretched.round().astype(np.uint8))
    if scale > 1:
        grey = grey.resize((grey.width * scale, grey.height * scale), Image.Resampling.BICUBIC)
    return grey.convert("RGB")


def outlines(picture: Picture, labels: Array, scale: int, color: str, width: float) -> int:
    """Draws a line around each object; gives the number of objects."""
    from skimage.measure import regionprops

    regions = regionprops(labels)
    for region in regions:
        _outline(picture, region, scale, color, width)
    return len(regions)


def _outline(picture: Picture, region: Any, scale: int, color: str, width: float) -> None:
    import numpy as np
    from PIL import Image, ImageDraw
    from skimage.measure import find_contours

    top, left, bottom, right = region.bbox
    edge = math.ceil(2 * width / scale) + 2  # pixels of the image around the object's box
    size = tuple(side * scale * FINE for side in (right - left + 2 * edge, bottom - top + 2 * edge))
    lines = [(_smoothed(line) + 0.5) * scale * FINE for line in find_contours(np.pad(region.image, edge) * 1.0, 0.5)]
    for paint, thick in (("black", 2 * width), (color, width)):  # the dark rim shows it on bright objects
        tile = Image.new("L", size)
        pen = ImageDraw.Draw(tile)
        for line in lines:
            pen.line([(x, y) for y, x in line], fill=255, width=max(1, round(thick * FINE)), joint="curve")
        picture.paste(paint, ((left - edge) * scale, (top - edge) * scale), tile.reduce(FINE))


def _smoothed(line: Array) -> Array:
    """The closed line without the stairs of the pixels: a mean over neighbouring points."""
    import numpy as np

    points = line[:-1]
    for _ in range(2):
        points = (np.roll(points, 1, axis=0) + 2 * points + np.roll(points, -1, axis=0)) / 4
    return np.concatenate([points, points[:2]])  # the second point again joins the ends


def numbers(picture: Picture, labels: Array, scale: int, color: str) -> None:
    """Writes each object's number to the upper right of it."""
    from PIL import ImageDraw, ImageFont
    from skimage.measure import regionprops

    pen = ImageDraw.Draw(picture)
    size = max(12, round(min(picture.size) / 35))
    font = ImageFont.load_default(size)
    for region in regionprops(labels):
        top, _, _, right = region.bbox
        text = str(region.label)
        wide, high = pen.textbbox((0, 0), text, font=font, stroke_width=2)[2:]
        x = min(right * scale, picture.width - wide - 2)
        y = max(top * scale - high // 2, 0)
        pen.text((x, y), text, fill=color, font=font, stroke_width=2, stroke_fill="black")


def scale_bar(picture: Picture, um_per_pixel: float) -> None:
    """A white bar of a round length at the lower right, with its length."""
    from PIL import ImageDraw, ImageFont

    length = round_length(picture.width * um_per_pixel / 5)
    wide = round(length / um_per_pixel)
    thick = max(3, round(picture.height / 200))
    margin = round(min(picture.size) / 30)
    right, bottom = picture.width - margin, picture.height - margin
    pen = ImageDraw.Draw(picture)
    pen.rectangle((right - wide - 1, bottom - thick - 1, right + 1, bottom + 1), fill="black")
    pen.rectangle((right - wide, bottom - thick, right, bottom), fill="white")
    pen.text(
        (right - wide / 2, bottom - 2 * thick),
        f"{length:g} um",  # the font that Pillow brings has no µ
        fill="white",
        font=ImageFont.load_default(max(12, round(min(picture.size) / 35))),
        anchor="ms",
        stroke_width=2,
        stroke_fill="black",
    )


def round_length(length: float) -> float:
    """The largest of 1, 2, 5, 10, 20, 50, ... that is not above `length`."""
    power = 10.0 ** math.floor(math.log10(length))
    return max(step * power for step in (1, 2, 5) if step * power <= length)
