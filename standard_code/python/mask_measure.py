"""Measures the objects of label images. The result is a CSV table for each image, one row for each object."""

from __future__ import annotations

import argparse
import math
import sys
from typing import Any

import _pixels.masks
import _program.arguments
import _program.work
from _pixels.regions import regions
from _program.files import Job, write_table
from _tiff.in_memory import read_tiff

SHAPE = (
    "image", "time_point", "label", "area_px", "area_um2", "centroid_x_px", "centroid_y_px", "centroid_x_um",
    "centroid_y_um", "left_px", "top_px", "right_px", "bottom_px", "equivalent_diameter_px", "equivalent_diameter_um",
    "perimeter_px", "perimeter_um", "major_axis_px", "minor_axis_px", "feret_diameter_px", "feret_diameter_um",
    "eccentricity", "orientation_deg", "solidity", "circularity", "extent", "convex_area_px", "holes",
    "nearest_distance_px", "nearest_distance_um",
)  # fmt: skip
INTENSITY = (
    "intensity_mean", "intensity_min", "intensity_max", "intensity_median", "intensity_std", "intensity_sum",
    "intensity_centroid_x_px", "intensity_centroid_y_px",
)  # fmt: skip
LAST = ("touches_edge",)


def arguments() -> argparse.ArgumentParser:
    """The command line of this program."""
    parser = _program.arguments.parser(__doc__ or "", suffix="_objects")
    parser.epilog = (
        "Lengths in micrometres are empty where the pixel size is not known, or pixels are not square. "
        "nearest_distance is the one between the centroids of an object and the closest other one."
    )
    group = _pixels.masks.add_arguments(parser)
    group.add_argument(
        "--channels",
        type=_channels,
        metavar="N,N",
        help="measure the brightness in several channels, or in all; the names of the columns then end in _c and the "
        "channel's number",
    )
    return parser


def _channels(text: str) -> list[int] | str:
    """Whole numbers from 0, such as 0,2, or all."""
    return "all" if text.strip().lower() == "all" else _program.arguments.numbers(text)


def measure(job: Job, args: argparse.Namespace) -> str:
    """Measures one file; gives what to say about it."""
    image = read_tiff(job.source)
    every = range(image.data.shape[1])
    numbers = list(every) if args.channels == "all" else args.channels or [args.channel_index]
    channels = {f"_c{number}" if args.channels else "": image.channel(number) for number in numbers}
    labels = _pixels.masks.labels_for(job, args, next(iter(channels.values())))
    size = image.pixel_size
    um = size.x if size and math.isclose(size.x, size.y, rel_tol=1e-3) else None
    name = (job.subfolder / job.source.name).as_posix()
    rows = []
    for time_point, numbered in enumerate(labels):
        frames = {ending: pixels[time_point] for ending, pixels in channels.items()}
        rows += [{"image": name, "time_point": time_point, **row} for row in rows_of(frames, numbered, um)]
    columns = [*SHAPE, *(f"{column}{ending}" for ending in channels for column in INTENSITY), *LAST]
    write_table(job.target, columns, rows, ".10g")
    return f"{len(rows)} object{'s' * (len(rows) != 1)} measured"


def rows_of(channels: dict[str, Any], labels: Any, um: float | None) -> list[dict[str, Any]]:
    """One row for each object; `um` is the side of a pixel in micrometres, `channels` go by the end of column names."""
    found = regions(labels)
    distances = _nearest([region.centroid for _, region in found])
    rows = []
    for (number, region), distance in zip(found, distances, strict=True):
        row = {"label": number} | _shape(region, labels.shape) | {"nearest_distance_px": distance}
        for ending, pixels in channels.items():
            row |= {f"{name}{ending}": value for name, value in _intensity(region, pixels).items()}
        rows.append(row | (_in_um(row, um) if um else {}))
    return rows


def _shape(region: Any, shape: tuple[int, int]) -> dict[str, Any]:
    y, x = region.centroid
    top, left, bottom, right = region.bbox
    area, perimeter = int(region.area), region.perimeter
    # A line has no inside, so nothing that comes of its hull is asked for.
    hull = int(region.area_convex) if min(region.image.shape) > 1 and area > 2 else area
    return {
        "area_px": area,
        "centroid_x_px": x,
        "centroid_y_px": y,
        "left_px": left,
        "top_px": top,
        "right_px": right,
        "bottom_px": bottom,
        "equivalent_diameter_px": region.equivalent_diameter_area,
        "perimeter_px": perimeter,
        "major_axis_px": region.axis_major_length,
        "minor_axis_px": region.axis_minor_length,
        "feret_diameter_px": feret_diameter(region.image),
        "eccentricity": region.eccentricity,
        "orientation_deg": math.degrees(region.orientation),
        "solidity": area / hull if hull else None,
        "circularity": 4 * math.pi * area / perimeter**2 if perimeter else None,
        "extent": region.extent,
        "convex_area_px": hull,
        "holes": _holes(region.image),
        "touches_edge": int(top == 0 or left == 0 or bottom == shape[0] or right == shape[1]),
    }


def feret_diameter(mask: Any) -> float:
    """The largest distance between two corners of pixels of `mask`, in pixels."""
    import numpy as np

    rows = np.flatnonzero(mask.any(axis=1))
    first = mask.argmax(axis=1)[rows]
    last = mask.shape[1] - mask[:, ::-1].argmax(axis=1)[rows]
    # Corners that lie inside of their row cannot be the farthest apart.
    points = np.concatenate([np.stack([y, x], axis=1) for y in (rows, rows + 1) for x in (first, last)]).astype(float)
    return math.sqrt(max(float(((points - point) ** 2).sum(axis=1).max()) for point in points))


def _holes(mask: Any) -> int:
    import numpy as np
    from scipy import ndimage

    return int(ndimage.label(~np.pad(mask, 1))[1]) - 1


def _nearest(places: list[tuple[float, float]]) -> list[float | None]:
    """For each place the distance to the closest other one; None for a single one."""
    from scipy.spatial import KDTree

    if len(places) < 2:
        return [None] * len(places)
    return [float(distance) for distance in KDTree(places).query(places, k=2)[0][:, 1]]


def _intensity(region: Any, pixels: Any) -> dict[str, Any]:
    import numpy as np

    values = pixels[region.slice][region.image].astype(float)
    total = values.sum()
    ys, xs = np.nonzero(region.image)
    top, left = region.bbox[:2]
    return {
        "intensity_mean": values.mean(),
        "intensity_min": values.min(),
        "intensity_max": values.max(),
        "intensity_median": float(np.median(values)),
        "intensity_std": values.std(),
        "intensity_sum": total,
        "intensity_centroid_x_px": float((xs * values).sum() / total) + left if total > 0 else None,
        "intensity_centroid_y_px": float((ys * values).sum() / total) + top if total > 0 else None,
    }


def _in_um(row: dict[str, Any], um: float) -> dict[str, Any]:
    names = ("centroid_x", "centroid_y", "equivalent_diameter", "perimeter", "feret_diameter", "nearest_distance")
    lengths = {name: row[f"{name}_px"] for name in names}
    return {"area_um2": row["area_px"] * um**2} | {
        f"{name}_um": value * um for name, value in lengths.items() if value is not None
    }


def main(argv: list[str] | None = None) -> int:
    """Runs the program; gives its exit code."""
    return _program.work.run(arguments().parse_args(argv), measure, ending=".csv")


if __name__ == "__main__":
    sys.exit(main())
