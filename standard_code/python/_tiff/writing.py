"""Writes OME-TIFF plane by plane, compressed without loss. Equal images give equal files."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _image.images import PixelSize
from _image.stacks import Stack
from _program.files import UserError, writing

if TYPE_CHECKING:
    import numpy as np

COMPRESSIONS = ("zlib", "lzw", "none")
NO_UUID = str(uuid.UUID(int=0))
BLOCK = 2**13  # bytes
BUFFER = 2**26  # bytes of planes that wait for their compression


def write_stack(path: Path, stack: Stack, *, compression: str = "zlib", part: Path | None = None) -> None:
    """Writes an image while it is read. `part` is the name that it has until it is finished."""
    import tifffile

    stack = storable(stack)
    axes, shape = _layout(stack)
    metadata: dict[str, Any] = {"axes": axes, "UUID": f"urn:uuid:{NO_UUID}"}
    metadata.update(_lengths(stack.pixel_size))
    if stack.time_interval and stack.shape[0] > 1:
        metadata |= {"TimeIncrement": float(f"{stack.time_interval:.9g}"), "TimeIncrementUnit": "s"}
    if any(stack.channels) and not stack.rgb:
        metadata["Channel"] = {"Name": list(stack.channels)}
    with writing(path, part) as unfinished:
        hashed = _Hashed(axes.encode(), _planes(stack))
        with unfinished.open("wb") as file:
            tifffile.imwrite(
                file,
                iter(hashed),
                shape=shape,
                dtype=stack.dtype,
                ome=True,
                bigtiff=stack.nbytes > 2**32 - 2**25,
                photometric="rgb" if stack.rgb else "minisblack",
                compression=None if compression == "none" else compression,
                predictor=compression != "none" and stack.dtype.kind in "ui" and stack.dtype.itemsize <= 2,
                metadata=metadata,
                buffersize=BUFFER,
            )
        _name_by_content(unfinished, hashed.digest())


def _layout(stack: Stack) -> tuple[str, tuple[int, ...]]:
    """The axes that are written, without those of length 1, and their lengths."""
    frames, channels, planes, height, width = stack.shape
    named = {"T": frames, "Z": planes} if stack.rgb else {"T": frames, "C": channels, "Z": planes}
    sizes = {axis: size for axis, size in named.items() if size > 1} | {"Y": height, "X": width}
    if stack.rgb:
        sizes["S"] = 3
    return "".join(sizes), tuple(sizes.values())


def _planes(stack: Stack) -> Iterator[np.ndarray[Any, Any]]:
    import numpy as np

    frames, channels, planes, _, _ = stack.shape
    if stack.rgb:
        for t, z in np.ndindex(frames, planes):
            yield np.stack([stack.plane(t, c, z) for c in range(3)], axis=-1)
        return
    for t, c, z in np.ndindex(frames, channels, planes):
        yield np.ascontiguousarray(stack.plane(t, c, z))


class _Hashed:
    """Passes planes on, and beside it makes a fingerprint of all of them."""

    def __init__(self, start: bytes, planes: Iterator[np.ndarray[Any, Any]]) -> None:
        import hashlib

        self._hash = hashlib.sha256(start)
        self._planes = planes

    def __iter__(self) -> Iterator[np.ndarray[Any, Any]]:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(1) as aside:
            before = None
            for plane in self._planes:
                if before:
                    before.result()
                before = aside.submit(self._add, plane)
                yield plane

    def _add(self, plane: np.ndarray[Any, Any]) -> None:
        """Takes sums of 8-byte words along rows and columns of blocks: far faster than a hash of all bytes."""
        import numpy as np

        content = plane.reshape(-1).view(np.uint8)
        whole = content.size // BLOCK * BLOCK
        words = content[:whole].view(np.uint64).reshape(-1, BLOCK // 8)
        for part in (words.sum(axis=0), words.sum(axis=1), content[whole:]):
            self._hash.update(part)

    def digest(self) -> bytes:
        """Of all planes, once they were passed on."""
        return self._hash.digest()


def _name_by_content(path: Path, digest: bytes) -> None:
    """Puts the file's UUID in, made out of its content: a second run of a pipeline then writes the same bytes."""
    import tifffile

    name = str(uuid.UUID(bytes=digest[:16], version=5))
    with tifffile.TiffFile(path) as tif:
        tag = tif.pages.first.tags["ImageDescription"]
        place, size = tag.valueoffset, tag.valuebytecount
    with path.open("r+b") as file:
        file.seek(place)
        text = file.read(size)
        file.seek(place)
        file.write(text.replace(NO_UUID.encode(), name.encode()))


def storable(stack: Stack) -> Stack:
    """With values of a type that OME-TIFF has, and equal. Raises UserError where there is none."""
    import numpy as np

    name = stack.dtype.name
    if name == "bool":
        return _as(stack, np.dtype(np.uint8))
    if name == "float16":
        return _as(stack, np.dtype(np.float32))
    if name in ("int64", "uint64"):
        lowest, highest = _range(stack)
        for smaller in (np.uint16, np.int32, np.uint32):
            if np.iinfo(smaller).min <= lowest and highest <= np.iinfo(smaller).max:
                return _as(stack, np.dtype(smaller))
    if name not in {"int8", "int16", "int32", "uint8", "uint16", "uint32", "float32", "float64"}:
        raise UserError(f"OME-TIFF cannot hold its values (type {stack.dtype}).")
    return stack


def _as(stack: Stack, dtype: np.dtype[Any]) -> Stack:
    read: Callable[[int, int, int], np.ndarray[Any, Any]] = stack.plane
    return replace(stack, dtype=dtype, plane=lambda t, c, z: read(t, c, z).astype(dtype))


def _range(stack: Stack) -> tuple[int, int]:
    import numpy as np

    extremes = [
        (int(plane.min()), int(plane.max()))
        for t, c, z in np.ndindex(*stack.shape[:3])
        for plane in [stack.plane(t, c, z)]
    ]
    return min(low for low, _ in extremes), max(high for _, high in extremes)


def _lengths(size: PixelSize | None) -> dict[str, Any]:
    if size is None:
        return {}
    lengths = {"X": size.x, "Y": size.y, "Z": size.z}
    found: dict[str, Any] = {}
    for axis, length in lengths.items():
        if length is not None:
            found[f"PhysicalSize{axis}"] = float(f"{length:.9g}")
            found[f"PhysicalSize{axis}Unit"] = "µm"
    return found
