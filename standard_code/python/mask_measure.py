"""Measures the objects of label images. The result is a CSV table for each image, one row for each object."""

from __future__ import annotations

import argparse
import csv
import math
import sys
from typing import Any

import _arguments
import _masks
import _work
from _files import Job, writing

COLUMNS = (
    "image", "time_point", "label", "area_px", "area_um2", "centroid_x_px", "centroid_y_px", "centroid_x_um",
    "centroid_y_um", "left_px", "top_px", "right_px", "bottom_px", "equivalent_diameter_px", "equivalent_diameter_um",
    "perimeter_px", "perimeter_um", "major_axis_px", "minor_axis_px", "eccentricity", "orientation_deg", "solidity",
    "circularity", "intensity_mean", "intensity_min", "intensity_max", "intensity_std", "intensity_sum", "touches_edge",
)  # fmt: skip


def arguments() -> argparse.ArgumentParser:
    """The command line of this program."""
    parser = _arguments.parser(__doc__ or "", suffix="_objects")
    parser.epilog = "Lengths in micrometres are empty where the pixel size is not known, or pixels are not square."
    _masks.add_arguments(parser)
    return parser


def measure(job: Job, args: argparse.Namespace) -> str:
    """Measures one file; gives what to say about it."""
    image, pixels, labels = _masks.read_pair(job, args)
    size = image.pixel_size
    um = size.x if size and math.isclose(size.x, size.y, rel_tol=1e-3) else None
    rows = []
    for time_point, (frame, numbered) in enumerate(zip(pixels, labels, strict=True)):
        rows += [
            {"image": (job.subfolder / job.source.name).as_posix(), "time_point": time_point, **row}
            for row in rows_of(frame, numbered, um)
        ]
    with writing(job.target) as part, part.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows({name: _text(value) for name, value in row.items()} for row in rows)
    return f"{len(rows)} object{'s' * (len(rows) != 1)} measured"


def rows_of(pixels: Any, labels: Any, um: float | None) -> list[dict[str, Any]]:
    """One row for each object; `um` is the side of a pixel in micrometres."""
    from skimage.measure import regionprops

    return [_row(region, labels.shape, um) for region in regionprops(labels, intensity_image=pixels)]


def _row(region: Any, shape: tuple[int, int], um: float | None) -> dict[str, Any]:
    y, x = region.centroid
    top, left, bottom, right = region.bbox
    values = region.image_intensity[region.image].astype(float)
    area, perimeter, diameter = int(region.area), region.perimeter, region.equivalent_diameter_area
    in_um = {
        "area_um2": area * um**2,
        "centroid_x_um": x * um,
        "centroid_y_um": y * um,
        "equivalent_diameter_um": diameter * um,
        "perimeter_um": perimeter * um,
    } if um else {}  # fmt: skip
    return in_um | {
        "label": region.label,
        "area_px": area,
        "centroid_x_px": x,
        "centroid_y_px": y,
        "left_px": left,
        "top_px": top,
        "right_px": right,
        "bottom_px": bottom,
        "equivalent_diameter_px": diameter,
        "perimeter_px": perimeter,
        "major_axis_px": region.axis_major_length,
        "minor_axis_px": region.axis_minor_length,
        "eccentricity": region.eccentricity,
        "orientation_deg": math.degrees(region.orientation),
        "solidity": region.solidity,
        "circularity": 4 * math.pi * area / perimeter**2 if perimeter else None,
        "intensity_mean": values.mean(),
        "intensity_min": values.min(),
        "intensity_max": values.max(),
        "intensity_std": values.std(),
        "intensity_sum": values.sum(),
        "touches_edge": int(top == 0 or left == 0 or bottom == shape[0] or right == shape[1]),
    }


def _text(value: Any) -> Any:
    return f"{value:.10g}" if isinstance(value, float) else value


def main(argv: list[str] | None = None) -> int:
    """Runs the program; gives its exit code."""
    return _work.run(arguments().parse_args(argv), measure, ending=".csv")


if __name__ == "__main__":
    sys.exit(main())
