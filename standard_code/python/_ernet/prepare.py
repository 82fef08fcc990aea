"""From the values of a camera to what the networks were trained on: 0..1 in 256 steps, stretched by percentiles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from _program.files import UserError

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]

PERCENTS = (1.0, 99.0)
PIXELS_AT_ONCE = 2**22
LARGE_FILE = 2**26  # bytes


@dataclass(frozen=True)
class Prepared:
    """A plane (Y, X) that is stretched where it is looked at, so that no second copy of it is needed."""

    plane: Array
    low: float
    high: float

    def __call__(self, rows: slice, columns: slice) -> Array:
        """float32 in 0..1. Beyond the bottom and the right edge, the last pixel goes on."""
        import numpy as np

        part = self.plane[rows, columns]
        part = stretched(part, self.low, self.high)
        forget(self.plane)
        missing = (rows.stop - rows.start - part.shape[0], columns.stop - columns.start - part.shape[1])
        return np.pad(part, ((0, missing[0]), (0, missing[1])), mode="edge") if any(missing) else part


def prepare(plane: Array) -> Prepared:
    """Finds the 1st and the 99th percentile of a plane. Raises UserError where it has values that are no numbers."""
    if plane.size == 0:
        raise UserError("it has no pixels.")
    low, high = percentiles(plane, PERCENTS)
    return Prepared(plane, low, high)


def forget(plane: Array) -> None:
    """Lets the system take back the memory of a large file that is only mapped; it is read again when needed."""
    import mmap

    mapped = getattr(plane, "_mmap", None)
    if mapped is not None and plane.nbytes >= LARGE_FILE and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)


def stretched(part: Array, low: float, high: float) -> Array:
    """float32 in 0..1, cut to 8 bits on the way, which is part of what the networks know. Constant images become 0."""
    import numpy as np

    if high <= low:
        return np.zeros(part.shape, np.float32)
    values = (part.astype(np.float32) - np.float32(low)) / np.float32(high - low)
    return (np.clip(values, 0, 1) * 255).astype(np.uint8).astype(np.float32) / 255


def percentiles(plane: Array, percents: tuple[float, ...]) -> list[float]:
    """As numpy.percentile of the values as float32, in little memory: by counting, not by sorting."""
    import numpy as np

    ranks = [(plane.size - 1) * percent / 100 for percent in percents]
    wanted = sorted({int(rank) for rank in ranks} | {min(int(rank) + 1, plane.size - 1) for rank in ranks})
    found = dict(zip(wanted, _ordered(plane, wanted), strict=True))
    results = []
    for rank in ranks:
        below, above = found[int(rank)], found[min(int(rank) + 1, plane.size - 1)]
        results.append(float(np.float32(below + (above - below) * (rank - int(rank)))))
    return results


def _ordered(plane: Array, ranks: list[int]) -> list[float]:
    """The values at these places of the sorted plane: first the upper half of their bits, then the lower."""
    import numpy as np

    upper = np.zeros(2**16, np.int64)
    for keys in _keys(plane):
        upper += np.bincount(keys >> 16, minlength=2**16)
    ends = np.cumsum(upper)
    buckets = [int(np.searchsorted(ends, rank, side="right")) for rank in ranks]
    lower = {bucket: np.zeros(2**16, np.int64) for bucket in buckets}
    for keys in _keys(plane):
        for bucket, counts in lower.items():
            counts += np.bincount(keys[keys >> 16 == bucket] & 0xFFFF, minlength=2**16)
    values = []
    for rank, bucket in zip(ranks, buckets, strict=True):
        before = int(ends[bucket] - upper[bucket])
        low_bits = int(np.searchsorted(np.cumsum(lower[bucket]), rank - before, side="right"))
        values.append(_value((bucket << 16) + low_bits))
    return values


def _keys(plane: Array) -> Iterator[Array]:
    """uint32 numbers in the order of the values, some rows at a time."""
    import numpy as np

    rows = max(1, PIXELS_AT_ONCE // plane.shape[1])
    for start in range(0, plane.shape[0], rows):
        values = np.ascontiguousarray(plane[start : start + rows], np.float32)
        if not np.isfinite(values).all():
            raise UserError("it has values that are no numbers (NaN or infinite).")
        bits = (values + np.float32(0)).view(np.uint32).ravel()  # -0 becomes 0
        forget(plane)
        yield bits ^ np.where(bits >> 31, np.uint32(0xFFFFFFFF), np.uint32(0x80000000))


def _value(key: int) -> float:
    import numpy as np

    bits = key ^ (0x80000000 if key >> 31 else 0xFFFFFFFF)
    return float(np.array([bits], np.uint32).view(np.float32)[0])
