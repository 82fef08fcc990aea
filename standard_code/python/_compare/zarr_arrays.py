"""OME-Zarr images and other Zarr folders for a comparison, read in bands of rows."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from _compare.facts import of_zarr
from _compare.sources import LARGEST, Source, refuse_large, source_of
from _program.files import UserError

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]

LABELS = "labels/"  # what lies there is compared as images of its own


def open_zarr(path: Path) -> Source:
    """The full resolution of an OME-Zarr image, or the first array of anything else; the other arrays beside it."""
    import zarr

    node: Any = zarr.open(str(path), mode="r")
    if _is_array(node):
        return _of_array(node)
    attributes = _about(node)
    members = dict(sorted(node.members(max_depth=None)))
    # images of a plate, a series or labels: they are compared as images of their own
    inner = (
        LABELS,
        *(f"{name}/" for name, one in members.items() if not _is_array(one) and "multiscales" in _about(one)),
    )
    arrays = {name: one for name, one in members.items() if _is_array(one) and not name.startswith(inner)}
    if attributes.get("multiscales"):
        first = attributes["multiscales"][0]
        levels = [level["path"] for level in first["datasets"]]
        axes = "".join(str(a["name"] if isinstance(a, dict) else a)[0].upper() for a in first.get("axes", ()))
        source = _of_array(node[levels[0]], axes)
        source.facts = of_zarr(attributes, path)
    else:
        levels = list(arrays)[:1]
        if not levels:
            raise UserError("is a Zarr group without an array")
        source = _of_array(arrays[levels[0]])
    for name, one in arrays.items():
        if name not in levels:
            source.others[name] = partial(_of_array, one)
    return source


def _is_array(node: Any) -> bool:
    return hasattr(node, "shape")


def _about(node: Any) -> dict[str, Any]:
    """What OME says of it; since version 0.5 below a key of its own."""
    attributes = dict(node.attrs)
    found: dict[str, Any] = attributes.get("ome", attributes)
    return found


def _of_array(node: Any, axes: str = "") -> Source:
    import numpy as np

    if node.dtype.kind not in "biufc":
        raise UserError(f"holds values of the type {node.dtype}, which are no pixels")
    shape = tuple(node.shape)
    if not math.prod(shape):
        raise UserError("holds no pixel")
    refuse_large(math.prod(node.chunks) * node.dtype.itemsize, "a chunk", LARGEST // 2)  # it is unpacked beside itself
    if len(shape) < 2:  # a table's column or a single value
        row = np.asarray(node[...]).reshape(1, -1)
        return source_of("YX", row.shape, row.dtype.newbyteorder("="), lambda plane, top, end: row[top:end])
    if len(axes) != len(shape):
        axes = "Q" * (len(shape) - 2) + "YX"
    lead = shape[:-2]

    def read(plane: int, top: int, end: int) -> Array:
        return np.asarray(node[(*np.unravel_index(plane, lead), slice(top, end))] if lead else node[top:end])

    return source_of(axes, shape, node.dtype.newbyteorder("="), read, rows=node.chunks[-2])
