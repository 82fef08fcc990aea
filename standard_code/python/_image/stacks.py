"""Images that are read plane by plane, so that a file may be larger than the memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

from _image.images import Image, PixelSize
from _program.files import UserError

if TYPE_CHECKING:
    import numpy as np

    Plane: TypeAlias = np.ndarray[Any, Any]

METHODS = ("max", "mean", "sum", "median", "min", "std")


@dataclass(frozen=True)
class Stack:
    """`shape` has the axes TCZYX; `plane(t, c, z)` reads one (Y, X). `rgb` as in Image."""

    shape: tuple[int, int, int, int, int]
    dtype: np.dtype[Any]
    plane: Callable[[int, int, int], Plane]
    pixel_size: PixelSize | None = None
    channels: tuple[str, ...] = ()
    rgb: bool = False
    time_interval: float | None = None  # seconds

    @property
    def nbytes(self) -> int:
        """Of all its pixels, as they would lie in memory."""
        frames, channels, planes, height, width = self.shape
        return frames * channels * planes * height * width * int(self.dtype.itemsize)


@dataclass(frozen=True)
class Scene:
    """One image of a file. `pixels` counts those of a plane; `open` tells the rest, and reads no pixels yet.

    `details` are what else its format says, as plain values.
    """

    name: str
    pixels: int
    open: Callable[[], Stack]
    details: Callable[[], dict[str, Any]] = dict


def stack_of(image: Image) -> Stack:
    """An image in memory, to be used like one in a file."""
    data = image.data
    shape = (data.shape[0], data.shape[1], data.shape[2], data.shape[3], data.shape[4])
    return Stack(shape, data.dtype, lambda t, c, z: data[t, c, z], image.pixel_size, image.channels, image.rgb)


def load(stack: Stack) -> Image:
    """The whole image in memory."""
    import numpy as np

    frames, channels, planes, _, _ = stack.shape
    data = np.empty(stack.shape, stack.dtype)
    for t, c, z in np.ndindex(frames, channels, planes):
        data[t, c, z] = stack.plane(t, c, z)
    return Image(data, stack.pixel_size, stack.channels, stack.rgb)


def select(
    stack: Stack,
    *,
    channels: Sequence[int] | None = None,
    times: Sequence[int] | None = None,
    planes: Sequence[int] | None = None,
) -> Stack:
    """Some channels, time points and Z planes, in the order given; None takes all. Raises UserError for others."""
    kept_times = _checked(times, stack.shape[0], "time point")
    kept_channels = _checked(channels, stack.shape[1], "channel")
    kept_planes = _checked(planes, stack.shape[2], "Z plane")
    if (kept_times, kept_channels, kept_planes) == tuple(list(range(count)) for count in stack.shape[:3]):
        return stack
    return replace(
        stack,
        shape=(len(kept_times), len(kept_channels), len(kept_planes), *stack.shape[3:]),
        plane=lambda t, c, z: stack.plane(kept_times[t], kept_channels[c], kept_planes[z]),
        channels=tuple(stack.channels[c] for c in kept_channels) if stack.channels else (),
        rgb=stack.rgb and kept_channels == [0, 1, 2],
        time_interval=_interval(stack.time_interval, kept_times),
        pixel_size=_spaced(stack.pixel_size, kept_planes),
    )


def _checked(wanted: Sequence[int] | None, count: int, name: str) -> list[int]:
    if wanted is None:
        return list(range(count))
    for number in wanted:
        if number >= count:
            raise UserError(f"there is no {name} {number}: it has {count}, counted from 0.")
    return list(wanted)


def _step(kept: list[int]) -> int | None:
    """How far the kept places lie apart, where that is the same everywhere."""
    steps = {after - before for before, after in pairwise(kept)}
    return steps.pop() if len(steps) == 1 else None


def _interval(interval: float | None, kept: list[int]) -> float | None:
    step = _step(kept)
    return interval * step if interval and step and step > 0 else None


def _spaced(size: PixelSize | None, kept: list[int]) -> PixelSize | None:
    step = _step(kept)
    return replace(size, z=size.z * abs(step) if step else None) if size and size.z else size


def project(stack: Stack, method: str) -> Stack:
    """One flat image of all Z planes. Only the median has to hold all planes of a stack in memory at once."""
    planes = stack.shape[2]
    dtype = _projected_type(stack.dtype, method)
    return replace(
        stack,
        shape=(stack.shape[0], stack.shape[1], 1, *stack.shape[3:]),
        dtype=dtype,
        plane=lambda t, c, z: _flattened((stack.plane(t, c, each) for each in range(planes)), method, dtype),
        pixel_size=replace(stack.pixel_size, z=None) if stack.pixel_size else None,
        rgb=stack.rgb and dtype == stack.dtype,
    )


def _projected_type(dtype: np.dtype[Any], method: str) -> np.dtype[Any]:
    """A sum gets room for it, a standard deviation its fractions; all others keep the type of the values."""
    import numpy as np

    if method == "std":
        return np.dtype(np.float64 if dtype.itemsize > 4 else np.float32)
    if method == "sum" and dtype.kind in "bui":
        return np.dtype((np.int32 if dtype.kind == "i" else np.uint32) if dtype.itemsize <= 2 else np.float64)
    return dtype


def _flattened(planes: Any, method: str, dtype: np.dtype[Any]) -> Plane:
    import numpy as np

    if method in ("max", "min"):
        choose = np.maximum if method == "max" else np.minimum
        result = np.array(next(planes))
        for plane in planes:
            choose(result, plane, out=result)
        return result
    if method == "median":
        return _rounded(np.median(np.stack(list(planes)), axis=0), dtype)
    if method == "std":
        return _deviation(planes).astype(dtype)
    count, total = 0, np.zeros(())
    for plane in planes:
        count, total = count + 1, total + plane  # in double precision, which is exact for whole numbers below 2^53
    return _rounded(total / count if method == "mean" else total, dtype)


def _deviation(planes: Any) -> Plane:
    """The standard deviation of the population, in one pass (B. P. Welford, Technometrics 4, 1962)."""
    import numpy as np

    count, mean, squares = 0, np.zeros(()), np.zeros(())
    for plane in planes:
        count += 1
        off = plane - mean
        mean = mean + off / count
        squares = squares + off * (plane - mean)
    return np.sqrt(squares / count)


def _rounded(values: Plane, dtype: np.dtype[Any]) -> Plane:
    import numpy as np

    return np.rint(values).astype(dtype) if dtype.kind in "ui" else values.astype(dtype)
