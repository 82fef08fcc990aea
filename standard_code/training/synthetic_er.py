"""Synthetic images of the endoplasmic reticulum (ER) with their truth.

A network of curved tubules along the edges of a Voronoi diagram; some cells of it can be filled as sheets. The truth
is the drawn network itself, before blur, haze, uneven light and noise. Equal seeds give equal images.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import ndimage
from scipy.spatial import Voronoi, cKDTree
from skimage.draw import polygon2mask

CLASSES = ("background", "tubule", "sheet", "SBT")  # SBT: "sheet-based tubule", one that runs on a sheet
BACKGROUND, TUBULE, SHEET, SBT = range(4)
PIXEL_SIZE = 0.06  # micrometres; a tubule is then about as wide as a light microscope shows it
SAMPLING = 0.5  # pixels between the points of a line, about
OFFSET, GAIN, READ_NOISE = 100.0, 4.0, 1.2  # of the camera: counts, counts per photon, photons

Array = np.ndarray[Any, Any]
Range = tuple[float, float]


@dataclass(frozen=True)
class Look:
    """What a kind of image looks like. Lengths are in pixels; a pair is a range to draw from."""

    spacing: Range = (28.0, 46.0)  # between neighbouring cells of the diagram, about
    width: Range = (3.0, 5.5)  # of a tubule
    width_varies: bool = False  # from tubule to tubule, else from image to image
    brightness: Range = (0.6, 1.2)  # of a tubule, relative
    sheets: Range = (0.0, 0.0)  # share of the cells that are filled
    blur: Range = (1.1, 1.7)  # standard deviation of the point spread function
    haze: Range = (0.15, 0.4)  # light from outside the focal plane, relative
    darkest: Range = (0.4, 0.7)  # share of the light that is left where it is darkest
    photons: Range = (60.0, 150.0)  # in a pixel of brightness 1 before blur, where the light is brightest
    break_prob: float = 0.05  # that a tubule has a gap


KINDS = {
    "plain": Look(),
    "mixed": Look(width=(2.5, 7.5), width_varies=True, brightness=(0.4, 1.3)),
    "sheets": Look(sheets=(0.15, 0.35)),
    # Blur, uneven light and brightness leave 0.62 of them on a tubule's centreline, on average: 6 to 15.
    "low-light": Look(photons=(10.0, 24.0)),
}
DARKER = Look(photons=(6.0, 15.0))  # no kind of its own: 4 to 9 photons there


@dataclass(frozen=True)
class Sample:
    """An image (uint16, camera counts) and its truth (uint8, classes)."""

    image: Array
    truth: Array


@dataclass(frozen=True)
class Line:
    """A piece of the network: points (y, x), drawn with a radius in pixels."""

    kind: int
    points: Array
    gap: slice  # of the points, not drawn
    radius: float
    brightness: float


def generate(
    look: Look, size: int, seed: int, number: int = 0, *, break_prob: float | None = None, darkness: float = 0.0
) -> Sample:
    """Image `number` of the series `seed`, size x size pixels; `darkness` is the share of the light that is missing."""
    rng = np.random.default_rng([seed, number])
    if break_prob is not None:
        look = replace(look, break_prob=break_prob)
    light, truth = _network(look, size, rng)
    return Sample(_exposed(light, look, 1 - darkness, rng), truth)


def _network(look: Look, size: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """What shines, before any optics, and the classes."""
    spacing = rng.uniform(*look.spacing)
    margin = 2 * spacing  # the image's edge then looks like its middle
    seeds = rng.uniform(-margin, size + margin, (round(((size + 2 * margin) / spacing) ** 2), 2))
    filled = _filled_cells(seeds, size, spacing, look, rng)
    diagram = Voronoi(seeds)
    lines = _lines(diagram, filled, look, rng)
    shine = [_drawn([line for line in lines.values() if line.kind == kind], size) for kind in (TUBULE, SHEET, SBT)]
    inside = [mask for _, mask in shine]
    for cell in np.flatnonzero(filled):
        outline = _outline(cell, diagram, lines)
        if len(outline):
            inside[1] |= polygon2mask((size, size), outline)
    truth = np.zeros((size, size), np.uint8)
    for kind, mask in zip((TUBULE, SHEET, SBT), inside, strict=True):
        truth[mask] = kind
    sheet = inside[1] * rng.uniform(0.3, 0.6)
    light = np.maximum(shine[0][0], sheet + 0.7 * shine[2][0])
    return light * (1 + 0.2 * _smooth_field(size, 6.0, rng)).clip(0.3), truth


def _filled_cells(seeds: Array, size: int, spacing: float, look: Look, rng: np.random.Generator) -> Array:
    """Which cells are sheets: those around a few places, so that sheets are larger than a cell."""
    filled = np.zeros(len(seeds), bool)
    share = rng.uniform(*look.sheets)
    if share:
        places = rng.uniform(0, size, (rng.integers(1, 5), 2))
        distance, _ = cKDTree(places).query(seeds)
        distance[((seeds < -spacing) | (seeds > size + spacing)).any(axis=1)] = np.inf  # may have no end
        nearest = np.argsort(distance)[: np.isfinite(distance).sum()]
        filled[nearest[: max(1, round(share * len(nearest)))]] = True
    return filled


def _lines(diagram: Voronoi, filled: Array, look: Look, rng: np.random.Generator) -> dict[tuple[int, int], Line]:
    """The line between each two neighbouring cells; its kind follows from what is filled on either side."""
    common = rng.uniform(*look.width)
    low, high = diagram.points.min(), diagram.points.max()
    near = ((diagram.vertices >= low) & (diagram.vertices <= high)).all(axis=1)
    lines = {}
    for (one, other), (start, end) in zip(diagram.ridge_points, diagram.ridge_vertices, strict=True):
        if start < 0 or not (near[start] and near[end]):  # it reaches to infinity, or far outside the image
            continue
        points = _curve(diagram.vertices[start], diagram.vertices[end], rng)
        width = rng.uniform(*look.width) if look.width_varies else common
        kind = (TUBULE, SHEET, SBT)[int(filled[one]) + int(filled[other])]
        gap = _gap(len(points), rng) if rng.random() < look.break_prob and kind == TUBULE else slice(0)
        lines[int(one), int(other)] = Line(kind, points, gap, width / 2, rng.uniform(*look.brightness))
    return lines


def _curve(start: Array, end: Array, rng: np.random.Generator) -> Array:
    """A parabola from start to end whose middle is moved aside."""
    along = end - start
    length = float(np.hypot(*along))
    aside = rng.normal(0, 0.12) * np.array([-along[1], along[0]])
    control = (start + end) / 2 + 2 * aside  # of the quadratic Bezier curve through the moved middle
    t = np.linspace(0, 1, max(2, int(np.ceil(length / SAMPLING * 1.1)) + 1))[:, None]
    return (1 - t) ** 2 * start + 2 * t * (1 - t) * control + t**2 * end


def _gap(count: int, rng: np.random.Generator) -> slice:
    """A fifth to a half of a line's points."""
    missing = rng.uniform(0.2, 0.5)
    first = int(rng.uniform(0, 1 - missing) * count)
    return slice(first, first + int(missing * count))


def _outline(cell: int, diagram: Voronoi, lines: dict[tuple[int, int], Line]) -> Array:
    """The closed line around a cell, in order: around its seed."""
    sides = []
    for points in (line.points for pair, line in lines.items() if cell in pair):
        (y0, x0), (y1, x1) = points[0] - diagram.points[cell], points[-1] - diagram.points[cell]
        angle = float(np.arctan2(y0 + y1, x0 + x1))
        sides.append((angle, points if y1 * x0 > y0 * x1 else points[::-1]))
    return np.concatenate([np.empty((0, 2)), *(points for _, points in sorted(sides, key=lambda side: side[0]))])


def _drawn(lines: list[Line], size: int) -> tuple[Array, Array]:
    """Brightness with smooth edges, and the pixels whose centre is within a line's radius."""
    light, inside = np.zeros((size, size), np.float32), np.zeros((size, size), bool)
    for line in lines:
        reach = int(np.ceil(line.radius)) + 1
        points = np.delete(line.points, line.gap, axis=0)
        points = points[((points > -reach) & (points < size + reach)).all(axis=1)]
        if not len(points):
            continue
        top, left = np.maximum(np.floor(points.min(axis=0)).astype(int) - reach, 0)
        bottom, right = np.minimum(np.ceil(points.max(axis=0)).astype(int) + reach + 1, size)
        grid = np.stack(np.mgrid[top:bottom, left:right], axis=-1)
        distance, _ = cKDTree(points).query(grid, distance_upper_bound=line.radius + 1)
        part = np.s_[top:bottom, left:right]
        np.maximum(light[part], line.brightness * np.clip(line.radius + 0.5 - distance, 0, 1), out=light[part])
        inside[part] |= distance <= line.radius
    return light, inside


def _exposed(light: Array, look: Look, exposure: float, rng: np.random.Generator) -> Array:
    """What the camera counts: blur, haze, uneven light, photons, noise."""
    sharp = ndimage.gaussian_filter(light, rng.uniform(*look.blur))
    haze = rng.uniform(*look.haze)
    veil = ndimage.gaussian_filter(light, rng.uniform(10, 20), mode="reflect") + 0.2
    lowest = rng.uniform(*look.darkest)
    size = len(light)
    lamp = _smooth_field(size, max(size, 256) / 5, rng)
    lamp = lowest + (1 - lowest) * (lamp - lamp.min()) / np.ptp(lamp)
    photons = rng.poisson(rng.uniform(*look.photons) * exposure * lamp * (sharp + haze * veil))
    counts = OFFSET + GAIN * (photons + rng.normal(0, READ_NOISE, light.shape))
    return counts.round().clip(0, 65535).astype(np.uint16)


def _smooth_field(size: int, length: float, rng: np.random.Generator) -> Array:
    """Random values with mean 0 and deviation 1 that change over about `length` pixels."""
    field = ndimage.gaussian_filter(rng.normal(size=(size, size)), length, mode="wrap")
    return (field - field.mean()) / field.std()
