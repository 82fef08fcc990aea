"""Pictures of an image with the outlines of its objects."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from _program.files import UserError

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image as Picture

    Array: TypeAlias = np.ndarray[Any, Any]

FINE = 4  # outlines are drawn this much larger and reduced, which makes their edges smooth


def checked_color(text: str) -> str:
    """`text` when it names a color. Raises UserError otherwise."""
    from PIL import ImageColor

    try:
        ImageColor.getrgb(text)
    except ValueError as error:
        raise UserError(f"--color {text!r} is no color. Write for example yellow, or '#ffd60a' in quotes.") from error
    return text


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
    from _pixels.regions import regions

    edge = math.ceil(2 * width / scale) + 2  # pixels of the image around an object's box
    shapes = [_Shape.of(region, edge, scale) for _, region in regions(labels)]
    # All dark rims come first, so that none covers a neighbour's line. They show lines on bright objects.
    for paint, thick in (("black", 2 * width), (color, width)):
        for shape in shapes:
            shape.stroke(picture, paint, thick)
    return len(shapes)


@dataclass(frozen=True)
class _Shape:
    """The outline of one object, in pixels of the picture from `corner` on."""

    corner: tuple[int, int]
    size: tuple[int, int]
    lines: list[Array]  # of (y, x)

    @classmethod
    def of(cls, region: Any, edge: int, scale: int) -> _Shape:
        import numpy as np
        from skimage.measure import find_contours

        top, left, bottom, right = region.bbox
        contours = find_contours(np.pad(region.image, edge).astype(np.float32), 0.5)
        return cls(
            ((left - edge) * scale, (top - edge) * scale),
            ((right - left + 2 * edge) * scale, (bottom - top + 2 * edge) * scale),
            [(_smoothed(line) + 0.5) * scale for line in contours],
        )

    def stroke(self, picture: Picture, color: str, width: float) -> None:
        from PIL import Image, ImageDraw

        fine = FINE if max(self.size) <= 4000 else 1  # a very large object would need too much memory
        tile = Image.new("L", (self.size[0] * fine, self.size[1] * fine))
        pen = ImageDraw.Draw(tile)
        for line in self.lines:
            points = [(x * fine, y * fine) for y, x in line]
            pen.line(points, fill=255, width=max(1, round(width * fine)), joint="curve")
        picture.paste(color, self.corner, tile.reduce(fine))


def _smoothed(line: Array) -> Array:
    """The closed line without the stairs of the pixels: a mean over neighbouring points."""
    import numpy as np

    points = line[:-1]
    for _ in range(2):
        points = (np.roll(points, 1, axis=0) + 2 * points + np.roll(points, -1, axis=0)) / 4
    return np.concatenate([points, points[:2]])  # the second point again joins the ends


def numbers(picture: Picture, labels: Array, scale: int, color: str) -> None:
    """Writes each object's number to the upper right of it."""
    from statistics import median

    from _pixels.regions import regions
    from PIL import ImageDraw, ImageFont

    found = regions(labels)
    if not found:
        return
    height = scale * median(region.bbox[2] - region.bbox[0] for _, region in found)
    font = ImageFont.load_default(max(10, min(round(height * 0.6), min(picture.size) // 35)))
    pen = ImageDraw.Draw(picture)
    for number, region in found:
        top, _, _, right = region.bbox
        text = str(number)
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
