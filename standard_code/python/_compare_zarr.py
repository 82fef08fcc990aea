"""OME-Zarr images and other Zarr folders for a comparison, read in bands of rows."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from _compare_reading import Source, refuse_large, source_of
from _files import UserError

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]

LABELS = "labels/"  # what lies there is compared as images of its own


def open_zarr(path: Path) -> Source:
    """The full resolution of an OME-Zarr image, or the first array of anything else; the other arrays beside it."""
    import zarr

    node: Any = zarr.open(str(path), mode="r")
    if hasattr(node, "shape"):
        return _of_array(node)
    attributes = dict(node.attrs)
    about = attributes.get("ome", attributes).get("multiscales")
    arrays = {name: one for name, one in sorted(node.members(max_depth=None)) if hasattr(one, "shape")}
    if about:
        levels = [level["path"] for level in about[0]["datasets"]]
        source = _of_array(node[levels[0]], *_axes_of(about[0]))
    else:
        levels = [name for name in arrays if not name.startswith(LABELS)][:1]
        if not levels:
            raise UserError("is a Zarr group without an array")
        source = _of_array(arrays[levels[0]])
    for name, one in arrays.items():
        if name not in levels and not name.startswith(LABELS):
            source.others[name] = lambda one=one: _of_array(one)  # type: ignore[misc]
    return source


def _axes_of(about: dict[str, Any]) -> tuple[str, list[float]]:
    first = about["datasets"][0]
    axes = "".join(str(a["name"] if isinstance(a, dict) else a)[0].upper() for a in about.get("axes", ()))
    changes = first.get("coordinateTransformations", ())
    scale: list[float] = next((one["scale"] for one in changes if one["type"] == "scale"), [])
    return axes, scale


def _of_array(node: Any, axes: str = "", scale: list[float] | tuple[()] = ()) -> Source:
    import numpy as np

    if node.dtype.kind not in "biufc":
        raise UserError(f"holds values of the type {node.dtype}, which are no pixels")
    shape = tuple(node.shape)
    if not math.prod(shape):
        raise UserError("holds no pixel")
    refuse_large(math.prod(node.chunks) * node.dtype.itemsize, "a chunk")
    if len(shape) < 2:  # a table's column or a single value
        row = np.asarray(node[...]).reshape(1, -1)
        return source_of("YX", row.shape, row.dtype.newbyteorder("="), lambda plane, top, end: row[top:end])
    if len(axes) != len(shape):
        axes = "Q" * (len(shape) - 2) + "YX"
    lead = shape[:-2]

    def read(plane: int, top: int, end: int) -> Array:
        return np.asarray(node[(*np.unravel_index(plane, lead), slice(top, end))] if lead else node[top:end])

    sizes = {a: float(s) for a, s in zip(axes, scale, strict=False) if a in "XYZ"}
    return source_of(axes, shape, node.dtype.newbyteorder("="), read, pixel_size=sizes, rows=node.chunks[-2])
