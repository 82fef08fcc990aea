"""How far two label images or masks lie apart: objects matched by their overlap, never by their numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, TypeAlias

from _compare.sources import Source, bands

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]

NAME = re.compile(r"(^|[_\-. ])(labels?|masks?|seg|segmentation|cp_masks|objects?|skeleton)([_\-. ]|$)", re.IGNORECASE)
PART_OF_PART = 0.5  # of the smaller object that must lie in the larger one for a split or merge
PART_OF_WHOLE = 0.1  # of the larger one that each part must cover
LISTED = 50
PIXELS_AT_ONCE = 16 << 20  # a larger plane gets no components and no skeleton
THIN = 12.0  # pixels of mean width: a network
HIGHEST = (1 << 32) - 1  # number of an object: two of them make a code of 64 bits
FLAT_SHARE = 0.9  # of neighbours with equal values, which measured values never have


class NotLabels(Exception):
    """Why the numbers in an image are not those of objects, to be told after "objects were not matched: "."""


def is_named(path: PurePath) -> bool:
    """Whether its name says that it holds objects."""
    return NAME.search(path.name.partition(".")[0]) is not None


def is_label_image(path: PurePath, image: Source) -> bool:
    """By its name; else by its values: whole numbers, with background, constant over areas."""
    import numpy as np

    if image.samples > 1 or image.dtype.kind == "c":
        return False
    if image.dtype.kind == "b" or is_named(path):
        return True
    rows = min(image.height, max(1, (1 << 20) // image.width))
    top = (image.height - rows) // 2
    part = image.read(image.planes // 2, top, top + rows)
    if part.shape[1] < 2 or not np.any(part == 0):
        return False
    if part.dtype.kind == "f" and not (np.isfinite(part).all() and np.array_equal(part, np.floor(part))):
        return False
    return float(np.mean(part[:, 1:] == part[:, :-1])) > FLAT_SHARE


@dataclass
class Overlap:
    """Pixels that objects share, for one volume or one flat image; 0 is background."""

    a: Array
    b: Array
    pixels: Array
    y: Array  # sums over the pixels
    x: Array
    area_a: dict[int, int] = field(default_factory=dict)
    area_b: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.area_a, self.area_b = _areas(self.a, self.pixels), _areas(self.b, self.pixels)

    def iou(self) -> Array:
        """Intersection over union of each pair."""
        import numpy as np

        of_a = np.array([self.area_a.get(int(i), 0) for i in self.a], float)
        of_b = np.array([self.area_b.get(int(i), 0) for i in self.b], float)
        both = (self.a > 0) & (self.b > 0)
        return np.where(both, self.pixels / np.maximum(of_a + of_b - self.pixels, 1), 0.0)

    def centre(self, objects: Array, number: int) -> list[float]:
        """Row and column of an object's centre."""
        chosen = objects == number
        area = self.pixels[chosen].sum()
        return [round(float(self.y[chosen].sum() / area), 1), round(float(self.x[chosen].sum() / area), 1)]


def _areas(objects: Array, pixels: Array) -> dict[int, int]:
    import numpy as np

    numbers, inverse = np.unique(objects, return_inverse=True)
    sums = np.bincount(inverse.ravel(), pixels)
    return {int(n): int(s) for n, s in zip(numbers, sums, strict=True) if n > 0}


def overlaps(one: Source, two: Source) -> dict[tuple[int, ...], Overlap]:
    """By place in the axes other than Z: the planes of a stack in Z are one volume."""
    import numpy as np

    axes, lengths = one.outer
    parts: dict[tuple[int, ...], list[tuple[Array, ...]]] = {}
    for plane, top, end in bands(one, two):
        place = np.unravel_index(plane, lengths) if lengths else ()
        group = tuple(int(p) for p, axis in zip(place, axes, strict=True) if axis != "Z")
        found = parts.setdefault(group, [])
        found.append(_runs(one.read(plane, top, end), two.read(plane, top, end), top))
        if len(found) >= 32:
            parts[group] = [_joined(found)]
    return {group: _overlap(_joined(found)) for group, found in parts.items()}


def _runs(a: Array, b: Array, top: int) -> tuple[Array, ...]:
    """Runs of equal pairs of numbers along the rows, added up by pair: far fewer than there are pixels."""
    import numpy as np

    change = np.empty(a.shape, bool)
    change[:, 0] = True
    np.not_equal(a[:, 1:], a[:, :-1], out=change[:, 1:])
    change[:, 1:] |= b[:, 1:] != b[:, :-1]
    starts = np.flatnonzero(change)
    lengths = np.diff(starts, append=a.size)
    of_a, of_b = (_numbers(image.reshape(-1)[starts]) for image in (a, b))
    kept = (of_a != 0) | (of_b != 0)
    starts, lengths, of_a, of_b = starts[kept], lengths[kept], of_a[kept], of_b[kept]
    y, x = starts // a.shape[1] + top, starts % a.shape[1] + (lengths - 1) / 2
    return _added(of_a << 32 | of_b, lengths, lengths * y, lengths * x)


def _numbers(values: Array) -> Array:
    """As 64-bit integers. Raises NotLabels when they cannot be numbers of objects."""
    import numpy as np

    if values.dtype.kind == "f" and not np.all(values == np.floor(values)):  # NaN is not equal to itself
        raise NotLabels("there are values that are no whole numbers")
    if values.dtype.kind in "if" and values.size and values.min() < 0:
        raise NotLabels("there are negative numbers")
    if (values.dtype.itemsize > 4 or values.dtype.kind == "f") and values.size and values.max() > HIGHEST:
        raise NotLabels(f"there are numbers above {HIGHEST:,}")
    return values.astype(np.int64)


def _added(codes: Array, *values: Array) -> tuple[Array, ...]:
    import numpy as np

    numbers, inverse = np.unique(codes, return_inverse=True)
    inverse = inverse.ravel()
    return (numbers, *(np.bincount(inverse, v, minlength=len(numbers)) for v in values))


def _joined(parts: list[tuple[Array, ...]]) -> tuple[Array, ...]:
    import numpy as np

    return parts[0] if len(parts) == 1 else _added(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _overlap(joined: tuple[Array, ...]) -> Overlap:
    import numpy as np

    codes, pixels, y, x = joined
    return Overlap(codes >> 32 & HIGHEST, codes & HIGHEST, pixels.astype(np.int64), y, x)


def measure(one: Source, two: Source) -> tuple[dict[str, Any], dict[tuple[int, ...], dict[int, int]]]:
    """The measures, and for each place the numbers of B translated into those of A."""
    found = overlaps(one, two)
    if _is_mask(found):
        return _of_mask(one, two, found), {}
    return _of_objects(found)


def _is_mask(found: dict[tuple[int, ...], Overlap]) -> bool:
    """One value besides the background, and that not as one compact object among others."""
    numbers = {n for o in found.values() for n in (*o.area_a, *o.area_b)}
    return len(numbers) == 1 and next(iter(numbers)) in (1, 255, 65535)


def _of_objects(
    found: dict[tuple[int, ...], Overlap],
) -> tuple[dict[str, Any], dict[tuple[int, ...], dict[int, int]]]:
    total = {"objects_a": 0, "objects_b": 0, "tp_50": 0, "tp_90": 0}
    iou_sum, shared, pixels_a, pixels_b, exact, renumbered = 0.0, 0, 0, 0, 0, 0
    splits: list[dict[str, Any]] = []
    merges: list[dict[str, Any]] = []
    worst: list[dict[str, Any]] = []
    maps: dict[tuple[int, ...], dict[int, int]] = {}
    for place, o in found.items():
        iou = o.iou()
        match = iou > 0.5  # so that no object can have two
        pairs = list(zip(o.a[match].tolist(), o.b[match].tolist(), iou[match].tolist(), strict=True))
        maps[place] = {b: a for a, b, _ in pairs}
        total["objects_a"] += len(o.area_a)
        total["objects_b"] += len(o.area_b)
        total["tp_50"] += len(pairs)
        total["tp_90"] += sum(i >= 0.9 for *_, i in pairs)
        exact += sum(i == 1.0 for *_, i in pairs)
        renumbered += sum(a != b for a, b, _ in pairs)
        iou_sum += sum(i for *_, i in pairs)
        shared += int(o.pixels[(o.a > 0) & (o.b > 0)].sum())
        pixels_a += sum(o.area_a.values())
        pixels_b += sum(o.area_b.values())
        at = {"at": list(place)} if place else {}
        splits += [one | at for one in _parts(o, o.a, o.b, o.area_a, o.area_b)]
        merges += [one | at for one in _parts(o, o.b, o.a, o.area_b, o.area_a)]
        worst += [one | at for one in _worst(o, iou)]
    a, b, tp = total["objects_a"], total["objects_b"], total["tp_50"]
    worst.sort(key=lambda one: one["iou"])
    measures = {
        "kind": "objects",
        **total,
        "fp_50": b - tp,
        "fn_50": a - tp,
        "fp_90": b - total["tp_90"],
        "fn_90": a - total["tp_90"],
        "pq": iou_sum / (tp + (a - tp + b - tp) / 2) if a + b else 1.0,
        "mean_iou": iou_sum / tp if tp else 0.0 if a + b else None,
        "dice": 2 * shared / (pixels_a + pixels_b) if pixels_a + pixels_b else 1.0,
        "exact": exact,
        "renumbered": renumbered,
        "splits": len(splits),
        "merges": len(merges),
        "split": splits[:LISTED],
        "merged": merges[:LISTED],
        "worst": worst[:LISTED],
    }
    return measures, maps


def _parts(
    o: Overlap, wholes: Array, parts: Array, area_of_whole: dict[int, int], area_of_part: dict[int, int]
) -> list[dict[str, Any]]:
    """Objects that are two or more in the other image."""
    found: dict[int, list[int]] = {}
    for whole, part, shared in zip(wholes.tolist(), parts.tolist(), o.pixels.tolist(), strict=True):
        if not whole or not part:
            continue
        if shared >= PART_OF_PART * area_of_part[part] and shared >= PART_OF_WHOLE * area_of_whole[whole]:
            found.setdefault(whole, []).append(part)
    return [
        {"object": whole, "parts": several, "centre": o.centre(wholes, whole)}
        for whole, several in found.items()
        if len(several) > 1
    ]


def _worst(o: Overlap, iou: Array) -> list[dict[str, Any]]:
    """Objects of A, and of B without a partner, that match least."""
    best: dict[tuple[str, int], tuple[float, int]] = {}
    for a, b, value in zip(o.a.tolist(), o.b.tolist(), iou.tolist(), strict=True):
        for key, other in ((("A", a), b), (("B", b), a)):
            if key[1] and value >= best.get(key, (-1.0, 0))[0]:
                best[key] = (value, other)
    listed = sorted((v, key, other) for key, (v, other) in best.items() if v < 1 and (key[0] == "A" or v <= 0.5))
    return [
        {
            "side": side,
            "object": number,
            "iou": round(value, 4),
            "best": other or None,
            "pixels": (o.area_a if side == "A" else o.area_b)[number],
            "centre": o.centre(o.a if side == "A" else o.b, number),
        }
        for value, (side, number), other in listed[:LISTED]
    ]


def _of_mask(one: Source, two: Source, found: dict[tuple[int, ...], Overlap]) -> dict[str, Any]:
    """Dice; of what is not too large also the connected components, and centreline Dice where the mask is thin."""
    import numpy as np

    a = sum(sum(o.area_a.values()) for o in found.values())
    b = sum(sum(o.area_b.values()) for o in found.values())
    shared = sum(int(o.pixels[(o.a > 0) & (o.b > 0)].sum()) for o in found.values())
    measures: dict[str, Any] = {"kind": "mask", "pixels_a": a, "pixels_b": b, "dice": 2 * shared / (a + b)}
    if one.height * one.width > PIXELS_AT_ONCE:
        return measures
    from scipy.ndimage import label

    objects: dict[tuple[int, ...], Overlap] = {}
    lines = [0.0, 0.0, 0.0, 0.0]  # centreline of A inside B, all of it; of B inside A, all of it
    for plane in range(one.planes):
        x, y = (s.read(plane, 0, s.height) > 0 for s in (one, two))
        objects[(plane,)] = _overlap(_runs(label(x)[0], label(y)[0], 0))
        if _thickness(x) < THIN and _thickness(y) < THIN:
            from skimage.morphology import skeletonize

            sx, sy = skeletonize(x), skeletonize(y)
            for i, value in enumerate((sx & y, sx, sy & x, sy)):
                lines[i] += float(np.count_nonzero(value))
    if lines[1] and lines[3]:
        precision, sensitivity = lines[0] / lines[1], lines[2] / lines[3]
        total = precision + sensitivity
        measures["cl_dice"] = 2 * precision * sensitivity / total if total else 0.0
    return _of_objects(objects)[0] | measures


def _thickness(mask: Array) -> float:
    """Mean width in pixels: twice the area over the length of the edge; infinite for an empty mask."""
    import numpy as np

    area = int(np.count_nonzero(mask))
    edge = int(np.count_nonzero(mask[1:] != mask[:-1])) + int(np.count_nonzero(mask[:, 1:] != mask[:, :-1]))
    return 2 * area / edge if edge else float("inf")
