"""Small pictures of a pair of images: old, new, difference, outlines, and the place where they differ most."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from _compare_labels import is_named
from _compare_reading import Source, open_image, real

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image as Picture

    Array: TypeAlias = np.ndarray[Any, Any]

# Told apart also by people who see red and green alike (after Okabe and Ito).
OLD, NEW, BOTH = (230, 159, 0), (86, 180, 233), (255, 255, 255)
GAP = 6  # pixels between the pictures of a strip
AROUND = 64  # pixels of the image to each side of the worst place, at least
FAINT = 0.02  # of the range
LARGEST = 4096  # pixels a side that are looked at; of a larger plane every 2nd, 3rd, ... pixel


def strip(job: dict[str, Any], side: int) -> tuple[Picture, list[str]]:
    """The pictures side by side, each at most `side` pixels wide and high, and what each shows."""
    from PIL import Image

    measures = job.get("measures") or {}
    with open_image(Path(job["a"])) as one, open_image(Path(job["b"])) as two:
        if job["kind"] in ("labels", "mask") and is_named(Path(job["a"])):
            one, two = one.numbers or one, two.numbers or two
        plane = _plane(measures, one)
        a, b = _read(one, plane), _read(two, min(plane, two.planes - 1))
        step = math.ceil(max(one.height, one.width) / LARGEST)
    if a.shape != b.shape:
        panels, captions = [_fit(_grey(a, a), side), _fit(_grey(b, b), side)], ["A", "B"]
    elif job["kind"] in ("labels", "mask"):
        panels = _of_labels(a, b, _behind(job, plane, a.shape), measures, step, side)
        captions = ["A", "B", "difference", "outlines", "where it differs most"]
    else:
        panels = _of_values(a, b, side)
        captions = ["A", "B", "difference", "where it differs most: A, B"]
    width = sum(p.width for p in panels) + GAP * (len(panels) - 1)
    out = Image.new("RGB", (width, max(p.height for p in panels)), "white")
    x = 0
    for panel in panels:
        out.paste(panel, (x, 0))
        x += panel.width + GAP
    return out, captions


def _plane(measures: dict[str, Any], image: Source) -> int:
    import numpy as np

    if "worst_plane" in measures:
        return min(int(measures["worst_plane"]), image.planes - 1)
    at = list(_worst(measures).get("at", ()))
    axes, lengths = image.outer
    if not at or not lengths:
        return image.planes // 2 if "Z" in axes else 0
    if len(at) == 1 and "Z" not in axes and len(lengths) > 1:
        return min(int(at[0]), image.planes - 1)  # a mask: planes counted through
    place = [n // 2 if axis == "Z" else min(at.pop(0), n - 1) for axis, n in zip(axes, lengths, strict=True)]
    return int(np.ravel_multi_index(place, lengths))


def _worst(measures: dict[str, Any]) -> dict[str, Any]:
    return next((e for key in ("split", "merged", "worst") for e in measures.get(key) or ()), {})


def _read(image: Source, plane: int) -> Array:
    """One plane; of a large one every so many rows and columns, band by band."""
    import numpy as np

    step = math.ceil(max(image.height, image.width) / LARGEST)
    if step == 1:
        return real(image.read(plane, 0, image.height)).copy()
    rows = max(step, image.band_rows() // step * step)
    tops = range(0, image.height, rows)
    parts = [real(image.read(plane, top, min(top + rows, image.height))[::step, ::step]).copy() for top in tops]
    return np.concatenate(parts)


def _behind(job: dict[str, Any], plane: int, shape: tuple[int, ...]) -> Array | None:
    """The measured image that belongs to a label image, when there is one of its size."""
    if not job.get("background"):
        return None
    try:
        with open_image(Path(job["background"])) as image:
            found = _read(image, min(plane, image.planes - 1))
    except Exception:  # it is only there to look nice
        return None
    return found if found.shape[:2] == shape[:2] else None


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
    from PIL import Image

    share = side / max(picture.size)
    size = max(1, round(picture.width * share)), max(1, round(picture.height * share))
    return picture.resize(size, Image.Resampling.BOX if share < 1 else Image.Resampling.NEAREST)


def _of_values(a: Array, b: Array, side: int) -> list[Picture]:
    import numpy as np

    apart = np.abs(np.nan_to_num(a.astype(np.float32)) - np.nan_to_num(b.astype(np.float32)))
    if apart.ndim == 3:
        apart = apart.max(axis=2)
    box = _around(apart)
    known = a[np.isfinite(a)]
    span = float(known.max()) - float(known.min()) if known.size else 1.0
    heat = _heat(_reduced(apart, side), FAINT * span)
    panels = [_fit(_grey(a, a), side), _fit(_grey(b, a), side), _fit(heat, side)]
    y, x = box
    near = [_fit(_grey(i[y, x], a), side // 2) for i in (a, b)]
    from PIL import Image

    pair = Image.new("RGB", (side, max(n.height for n in near)), "white")
    pair.paste(near[0], (0, 0))
    pair.paste(near[1], (side - near[1].width, 0))
    return [*panels, pair]


def _around(apart: Array) -> tuple[slice, slice]:
    """The place where a difference is largest, with what lies around it."""
    import numpy as np

    y, x = np.unravel_index(int(np.argmax(apart)), apart.shape)
    return _window(int(y), int(x), AROUND, apart.shape)


def _window(y: int, x: int, around: int, shape: tuple[int, ...]) -> tuple[slice, slice]:
    edges = []
    for place, size in ((y, shape[0]), (x, shape[1])):
        start = min(max(0, place - around), max(0, size - 2 * around))
        edges.append(slice(start, min(size, start + 2 * around)))
    return edges[0], edges[1]


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
    a: Array, b: Array, behind: Array | None, measures: dict[str, Any], step: int, side: int
) -> list[Picture]:
    import numpy as np

    old, new = _edges(a), _edges(b)
    worst = _worst(measures)
    if worst.get("centre") and measures.get("kind") != "mask":
        y, x = (round(c / step) for c in worst["centre"])
        area = worst.get("pixels") or 0
        around = max(AROUND // 2, round(0.9 * math.sqrt(area) / step))
        box = _window(y, x, min(around, max(a.shape)), a.shape)
    else:
        apart = ((a > 0) != (b > 0)).astype(np.uint8)
        box = _around(apart)
    grey = _stretched(behind, behind) if behind is not None else ((a > 0) | (b > 0)).astype(np.uint8) * 70
    if grey.ndim == 3:
        grey = grey.mean(axis=2).astype(np.uint8)
    return [
        _fit(_coloured(a), side),
        _fit(_coloured(b), side),
        _fit(_sides(a > 0, b > 0, old, new, side), side),
        _fit(_outlined(grey, old, new, side), side),
        _fit(_outlined(grey[box], old[box], new[box], side), side),
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
    """A colour for each number, the same in both images."""
    import numpy as np
    from PIL import Image

    # the golden angle: neighbouring numbers get colours far apart
    hue = (labels.astype(np.float32) * np.float32(0.61803399)) % 1
    parts = [0.55 + 0.45 * np.cos(2 * np.pi * (hue - third / 3)) for third in range(3)]
    return Image.fromarray((np.stack(parts, axis=-1) * 255 * (labels > 0)[..., None]).astype(np.uint8))


def _sides(a: Array, b: Array, old: Array, new: Array, side: int) -> Picture:
    """What is foreground in one alone, and edges that only one has, in its colour."""
    import numpy as np
    from PIL import Image

    only_a, only_b = (_reduced(m, side) for m in ((a & ~b) | (old & ~new), (b & ~a) | (new & ~old)))
    both = _reduced(a & b, side)
    out = np.zeros((*both.shape, 3), np.uint8)
    out[both] = 60
    out[only_a], out[only_b], out[only_a & only_b] = OLD, NEW, BOTH
    return Image.fromarray(out)


def _outlined(grey: Array, old: Array, new: Array, side: int) -> Picture:
    import numpy as np
    from PIL import Image

    step = max(1, math.ceil(max(grey.shape) / side))
    small = (grey[::step, ::step] * np.float32(0.6)).astype(np.uint8)  # so that white lines show
    scale = max(1, side // max(small.shape))
    out = np.repeat(small.repeat(scale, 0).repeat(scale, 1)[..., None], 3, axis=2)
    only_old, only_new = (_reduced(m, side).repeat(scale, 0).repeat(scale, 1) for m in (old, new))
    if scale > 2:  # enlarged pixels: lines as thin as they can be
        only_old, only_new = _edges(only_old.astype(np.uint8)) > 0, _edges(only_new.astype(np.uint8)) > 0
    out[only_old & ~only_new], out[only_new & ~only_old], out[only_old & only_new] = OLD, NEW, BOTH
    return Image.fromarray(out)
