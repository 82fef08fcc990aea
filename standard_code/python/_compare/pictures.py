"""Small pictures of a pair of images: old, new, difference, outlines, and the place where they differ most."""

from __future__ import annotations

import math
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import _compare.near as near
import _pixels.palette as palette
from _compare.behind import LARGEST, behind, read
from _compare.labels import is_named
from _compare.reading import open_image

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image as Picture

    Array: TypeAlias = np.ndarray[Any, Any]

FAINT = 0.02  # of the range
SHADES = 3  # of each colour, for objects of many numbers

Panels: TypeAlias = "list[tuple[Picture, str]]"  # with what each shows


def panels(job: dict[str, Any], side: int) -> Panels:
    """The pictures of a pair, each at most `side` pixels wide and high."""
    measures = job.get("measures") or {}
    labels = job["kind"] in ("labels", "mask")
    with open_image(Path(job["a"])) as one, open_image(Path(job["b"])) as two:
        if labels and is_named(Path(job["a"])):
            one, two = one.numbers or one, two.numbers or two
        if one.shape != two.shape:
            shown = [read(image, image.planes // 2) for image in (one, two)]
            return [(_fit(_grey(pixels, pixels), side), name) for pixels, name in zip(shown, "AB", strict=True)]
        read_a, read_b = (cache(partial(read, image)) if one.planes == 1 else partial(read, image)
                          for image in (one, two))  # fmt: skip
        if measures.get("kind") == "mask" and max(one.height, one.width) > LARGEST:
            measures = {"kind": "mask"}  # its connected parts, seen in every 2nd row alone, have other numbers
        plane = near.plane_of(measures, one, read_a, read_b)
        a, b = read_a(plane), read_b(plane)
        if not labels:
            return _of_values(a, b, side)
        changed = {
            kind: [
                entry["object"] for entry in measures.get(kind) or () if near.same_place(entry, measures, one, plane)
            ]
            for kind in ("split", "merged")
        }
        return _of_labels(a, b, behind(job, one, plane), measures, changed, side)


def _stretched(values: Array, like: Array) -> Array:
    """8-bit grey or colours, from the 0.5th to the 99.5th percentile of `like`."""
    import numpy as np

    if values.dtype == np.uint8 and values.ndim == 3:
        return values[..., :3] if values.shape[2] >= 3 else values[..., 0]
    sample = np.nan_to_num(like[:: max(1, like.shape[0] // 512), :: max(1, like.shape[1] // 512)].astype(np.float32))
    low, high = np.percentile(sample, [0.5, 99.5])
    if high <= low:
        low, high = float(sample.min()), float(sample.max())
    scaled = np.clip((np.nan_to_num(values.astype(np.float32)) - low) / max(high - low, 1e-12), 0, 1) * 255
    out: Array = scaled.round().astype(np.uint8)
    return out if out.ndim == 2 else out[..., :3] if out.shape[2] >= 3 else out[..., 0]


def _grey(values: Array, like: Array) -> Picture:
    from PIL import Image

    return Image.fromarray(_stretched(values, like)).convert("RGB")


def _fit(picture: Picture, side: int) -> Picture:
    """Not larger than `side`; pixels that are enlarged stay squares of one size."""
    from PIL import Image

    share = side / max(picture.size)
    share = share if share < 1 else int(share)
    size = max(1, round(picture.width * share)), max(1, round(picture.height * share))
    return picture.resize(size, Image.Resampling.BOX if share < 1 else Image.Resampling.NEAREST)


def _of_values(a: Array, b: Array, side: int) -> Panels:
    import numpy as np

    apart = np.abs(np.nan_to_num(a.astype(np.float32)) - np.nan_to_num(b.astype(np.float32)))
    if apart.ndim == 3:
        apart = apart.max(axis=2)
    y, x = np.unravel_index(int(np.argmax(apart)), apart.shape)
    box = near.window(int(y), int(x), 2 * near.AROUND, apart.shape)
    known = a[np.isfinite(a)]
    span = float(known.max()) - float(known.min()) if known.size else 1.0
    return [
        (_fit(_grey(a, a), side), "A"),
        (_fit(_grey(b, a), side), "B"),
        (_fit(_heat(_reduced(apart, side), FAINT * span), side), "difference"),
        (_fit(_grey(a[box], a), side), "A, where it differs most"),
        (_fit(_grey(b[box], a), side), "B, the same place"),
    ]


def _reduced(values: Array, side: int) -> Array:
    """Smaller by whole steps, the largest value of each block kept: a single pixel stays visible."""
    import numpy as np

    step = max(1, math.ceil(max(values.shape) / side))
    if step == 1:
        return values
    padded = np.pad(values, [(0, -n % step) for n in values.shape])
    out: Array = padded.reshape(padded.shape[0] // step, step, padded.shape[1] // step, step).max(axis=(1, 3))
    return out


def _heat(values: Array, least: float) -> Picture:
    """Black, red, yellow, white with growing difference; square root, so that small ones are seen.

    White stands for the largest difference, and at least for `least`: what is next to nothing stays dark.
    """
    import numpy as np
    from PIL import Image

    share = np.sqrt(values / max(float(values.max()), least, 1e-12))
    colours = np.stack([np.clip(3 * share - n, 0, 1) for n in range(3)], axis=-1)
    return Image.fromarray((colours * 255).astype(np.uint8))


def _of_labels(
    a: Array, b: Array, micrograph: Array | None, measures: dict[str, Any], changed: dict[str, list[int]], side: int
) -> Panels:
    import numpy as np

    shown = _coloured(a), _coloured(b)
    worst = near.worst_of(measures)
    if measures.get("kind") == "mask" and (worst or any(changed.values())):  # objects are its connected parts
        from scipy.ndimage import label

        a, b = label(a > 0)[0], label(b > 0)[0]
    old, new = _edges(a), _edges(b)
    apart = ((a > 0) != (b > 0)) | (old != new)
    box = near.near_object(a, b, worst, apart) if worst else near.near_difference(apart)
    where = f"object {worst['object']} of {worst['side']}, " if worst else ""
    grey = _stretched(micrograph, micrograph) if micrograph is not None else ((a > 0) | (b > 0)).astype(np.uint8) * 70
    if grey.ndim == 3:
        grey = grey.mean(axis=2).astype(np.uint8)
    return [
        (_fit(shown[0], side), "A"),
        (_fit(shown[1], side), "B"),
        (_fit(_sides(a, b, old, new, changed, side), side), "difference"),
        (_fit(_outlined(grey, a, b, side), side), "outlines"),
        (_fit(_outlined(grey[box], a[box], b[box], side), side), f"{where}where it differs most"),
    ]


def _edges(labels: Array) -> Array:
    """Pixels of objects that have a neighbour of another number."""
    import numpy as np

    edge = np.zeros(labels.shape, bool)
    down, right = labels[1:] != labels[:-1], labels[:, 1:] != labels[:, :-1]
    edge[1:] |= down
    edge[:-1] |= down
    edge[:, 1:] |= right
    edge[:, :-1] |= right
    out: Array = edge & (labels > 0)
    return out


def _coloured(labels: Array) -> Picture:
    """A colour for each number, the same in both images; a second and third round of them is darker."""
    import numpy as np
    from PIL import Image

    bright = np.array(palette.OBJECTS, np.float32)
    table = np.concatenate([bright * (1 - 0.25 * n) for n in range(SHADES)]).astype(np.uint8)
    numbers = np.where(labels > 0, labels, 1).astype(np.uint64)
    return Image.fromarray(table[(numbers - 1) % len(table)] * (labels > 0)[..., None])


def _sides(a: Array, b: Array, old: Array, new: Array, changed: dict[str, list[int]], side: int) -> Picture:
    """What both have in grey, split and merged objects in their colours; over it what one alone has, edges too."""
    import numpy as np
    from PIL import Image

    ours, theirs = (
        _reduced(m, side) for m in (((a > 0) & (b == 0)) | (old & ~new), ((b > 0) & (a == 0)) | (new & ~old))
    )
    out = np.zeros((*ours.shape, 3), np.uint8)
    out[_reduced((a > 0) & (b > 0), side)] = 70
    out[_reduced(np.isin(a, changed["split"]), side)] = palette.SPLIT
    out[_reduced(np.isin(b, changed["merged"]), side)] = palette.MERGED
    out[ours], out[theirs], out[ours & theirs] = palette.OLD, palette.NEW, palette.BOTH
    return Image.fromarray(out)


def _outlined(grey: Array, a: Array, b: Array, side: int) -> Picture:
    """Lines around the objects of both; where pixels are enlarged, lines run along their borders."""
    import numpy as np
    from PIL import Image

    step = max(1, math.ceil(max(grey.shape) / side))
    scale = max(1, side // max(grey.shape))
    thick = 2 if scale > 2 else 1
    scale = scale // thick * thick
    small = (grey[::step, ::step] * np.float32(0.6)).astype(np.uint8)  # so that white lines show
    out = np.repeat(_enlarged(small, scale)[..., None], 3, axis=2)
    ours, theirs = (_reduced(_enlarged(_edges(_enlarged(m, scale // thick)), thick), side) for m in (a, b))
    out[ours & ~theirs], out[theirs & ~ours], out[ours & theirs] = palette.OLD, palette.NEW, palette.BOTH
    return Image.fromarray(out)


def _enlarged(pixels: Array, scale: int) -> Array:
    return pixels.repeat(scale, 0).repeat(scale, 1)
