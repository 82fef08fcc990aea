"""How far two images of measured values lie apart."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias

from _compare.facts import differences
from _compare.sources import Source, bands, real, short_bands

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]

SSIM_WINDOW = 7  # pixels
SSIM_PIXELS = 32 << 20  # of a stack; more are sampled by planes
SHIFT_SIDE = 1024  # pixels of the middle that are searched for a shift
_BINS = 1 << 14
_NOTHING_IS_WORSE = 1e60


def about(one: Source, two: Source) -> tuple[list[str], list[str]]:
    """What differs in shape, axes and what they tell of themselves, and (as remarks) what need be no difference."""
    wrong: list[str] = []
    remarks: list[str] = []
    if one.shape != two.shape:
        wrong.append(f"shape {_shape(one)} against {_shape(two)}")
    elif one.axes != two.axes:
        known = all(a == b or "Q" in (a, b) or "I" in (a, b) for a, b in zip(one.axes, two.axes, strict=True))
        (remarks if known else wrong).append(f"axes {one.axes} against {two.axes}")
    if one.told != two.told:
        wrong.append("; ".join(f"{source.told} in {side}" for source, side in ((one, "A"), (two, "B")) if source.told))
    if one.dtype != two.dtype:
        remarks.append(f"number type {one.dtype} against {two.dtype}")
    others, alone = differences(one.facts, two.facts)
    wrong += others
    remarks += alone
    return wrong, remarks


def _shape(image: Source) -> str:
    return " x ".join(map(str, image.shape)) + f" ({image.axes})"


def same_values(one: Source, two: Source) -> bool:
    """Whether each pixel has the same value; NaN equals NaN. Stops at the first band that differs."""
    import numpy as np

    for plane, top, end in short_bands(one, two):
        a, b = one.read(plane, top, end), two.read(plane, top, end)
        if not np.array_equal(a, b) and not np.all(_same(a, b)):
            return False
    return True


def other_images(one: Source, two: Source) -> list[str]:
    """What both hold besides their first image and does not have the same shape and values, by name."""
    differing = []
    for name in dict.fromkeys([*one.others, *two.others]):
        if name not in one.others or name not in two.others:
            differing.append(f"{name} (in {'A' if name in one.others else 'B'} alone)")
            continue
        a, b = one.others[name](), two.others[name]()
        if wrong := about(a, b)[0]:
            differing.append(f"{name} ({wrong[0]})")
        elif not same_values(a, b):
            differing.append(name)
    return differing


def _same(a: Array, b: Array) -> Array:
    """Where both are equal, in their own types: as floats, two large whole numbers may look the same."""
    import numpy as np

    equal: Array = a == b
    return equal | (np.isnan(a) & np.isnan(b)) if a.dtype.kind in "fc" and b.dtype.kind in "fc" else equal


def _apart(a: Array, b: Array) -> Array:
    """How far each pixel lies from its partner; not finite where only one of them is a number."""
    import numpy as np

    whole = a.dtype.kind in "uib" and b.dtype.kind in "uib"
    same = _same(a, b)
    wide = np.result_type(a, b, np.float64)
    with np.errstate(all="ignore"):
        apart = np.abs(a.astype(wide) - b.astype(wide))
    apart[same] = 0
    return np.maximum(apart, 1, where=~same, out=apart) if whole else apart


def measure(one: Source, two: Source) -> dict[str, Any]:
    """max and 99.9th percentile of the absolute difference, RMSE over range, PSNR (dB), SSIM, where it is worst."""
    import numpy as np

    whole = one.dtype.kind in "uib" and two.dtype.kind in "uib" and max(one.dtype.itemsize, two.dtype.itemsize) <= 2
    counts: Any = np.zeros(1 << 17, np.int64) if whole else _Floats()
    squares = total = 0.0
    low, high, largest, nan, changed = math.inf, -math.inf, 0.0, 0, 0
    worst = (-1.0, 0)  # sum of squares, plane
    in_plane: dict[int, float] = {}
    for plane, top, end in bands(one, two):
        a, b = one.read(plane, top, end), two.read(plane, top, end)
        if whole:
            apart = np.abs(a.astype(np.int32) - b.astype(np.int32))
            found = np.bincount(apart.ravel())
            counts[: len(found)] += found
            low, high = min(low, float(a.min())), max(high, float(a.max()))
            changed += int(apart.size - found[0])
            here = float(np.dot(found, np.arange(len(found), dtype=np.float64) ** 2))
            largest = max(largest, float(len(found) - 1))
        else:
            apart = _apart(a, b)
            changed += int(np.count_nonzero(apart))
            bad = int(np.count_nonzero(~np.isfinite(apart)))
            nan += bad
            in_plane[plane] = in_plane.get(plane, 0.0) + bad * _NOTHING_IS_WORSE
            apart[~np.isfinite(apart)] = 0
            counts.add(apart)
            values = real(a)
            finite = values[np.isfinite(values)]
            if finite.size:
                low, high = min(low, float(finite.min())), max(high, float(finite.max()))
            here = float(np.sum(apart**2))
            largest = max(largest, float(apart.max()))
        squares += here
        total += apart.size
        in_plane[plane] = in_plane.get(plane, 0.0) + here
        worst = max(worst, (in_plane[plane], -plane))
    span = high - low if high > low else 1.0
    rmse = math.sqrt(squares / max(total, 1))
    return {
        "max": largest,
        "p99.9": min(largest, _percentile(counts, 0.999)),
        "rmse": rmse,
        "rmse_over_range": rmse / span,
        "psnr": 20 * math.log10(span / rmse) if rmse else None,
        "ssim": _ssim(one, two, span),
        "changed": changed / max(total, 1),
        "pixels_changed": changed,
        "pixels": int(total),
        "range": [low, high],
        "not_finite": nan,
        "worst_plane": -worst[1],
    }


def _percentile(counts: Any, share: float) -> float:
    """Of differences counted by their size, or in `_Floats`."""
    import numpy as np

    if isinstance(counts, _Floats):
        return counts.percentile(share)
    found = np.cumsum(counts)
    return float(np.searchsorted(found, share * found[-1]))


class _Floats:
    """Counts of differences over their size in powers of two; percentiles to within 0.5 %."""

    def __init__(self) -> None:
        import numpy as np

        self._counts = np.zeros(_BINS, np.int64)

    def add(self, values: Array) -> None:
        import numpy as np

        with np.errstate(divide="ignore"):
            bins = np.log2(values.ravel()) * 128 + _BINS / 2
        found = np.bincount(np.clip(np.nan_to_num(bins, neginf=0), 0, _BINS - 1).astype(np.int64), minlength=_BINS)
        self._counts += found

    def percentile(self, share: float) -> float:
        import numpy as np

        place = int(np.searchsorted(np.cumsum(self._counts), share * self._counts.sum()))
        return 0.0 if place == 0 else float(2 ** ((place + 0.5 - _BINS / 2) / 128))


def _ssim(one: Source, two: Source, span: float) -> float | None:
    """Mean structural similarity (Wang et al. 2004, uniform window); over evenly spaced planes of a large stack."""
    import numpy as np

    if min(one.height, one.width) < SSIM_WINDOW:
        return None
    size = one.height * one.width * one.samples
    step = max(1, math.ceil(one.planes * size / SSIM_PIXELS))
    rows = max(SSIM_WINDOW, min(one.height, (2 << 20) // (one.width * one.samples)))
    sums, count = 0.0, 0
    for plane in range(0, one.planes, step):
        for top in range(0, one.height - SSIM_WINDOW + 1, rows):
            end = min(top + rows + SSIM_WINDOW - 1, one.height)
            a, b = (np.nan_to_num(real(s.read(plane, top, end)).astype(np.float32)) for s in (one, two))
            for c in range(one.samples):
                x, y = (a[..., c], b[..., c]) if one.samples > 1 else (a, b)
                found = _ssim_of(x, y, span)
                sums += float(found.sum())
                count += found.size
            if size > SSIM_PIXELS and top >= SSIM_PIXELS // max(one.width * one.samples, 1):
                break  # of one very large plane its upper part
    return sums / count if count and math.isfinite(sums) else None


def _ssim_of(a: Array, b: Array, span: float) -> Array:
    import numpy as np
    from scipy.ndimage import uniform_filter

    base = a.mean()  # float32 keeps more digits around zero
    x, y = a - base, b - base
    mx, my = uniform_filter(x, SSIM_WINDOW), uniform_filter(y, SSIM_WINDOW)
    vx = uniform_filter(x * x, SSIM_WINDOW) - mx * mx
    vy = uniform_filter(y * y, SSIM_WINDOW) - my * my
    vxy = uniform_filter(x * y, SSIM_WINDOW) - mx * my
    mx, my = mx + base, my + base
    c1, c2 = (0.01 * span) ** 2, (0.03 * span) ** 2
    with np.errstate(all="ignore"):  # numbers too large for float32 have no SSIM
        found = (2 * mx * my + c1) * (2 * vxy + c2) / ((mx * mx + my * my + c1) * (vx + vy + c2))
    edge = SSIM_WINDOW // 2
    inner: Array = found[edge : found.shape[0] - edge, edge : found.shape[1] - edge]
    return inner


def shift(a: Array, b: Array) -> tuple[int, int] | None:
    """Rows and columns by which `b` lies moved against `a`, when that explains at least 90 % of their difference."""
    import numpy as np

    if a.shape != b.shape or min(a.shape[:2]) < 16:
        return None
    a, b = real(a), real(b)
    if a.ndim == 3:
        a, b = a.mean(axis=2), b.mean(axis=2)
    y, x = ((n - min(n, SHIFT_SIDE)) // 2 for n in a.shape)
    a, b = (i[y : y + SHIFT_SIDE, x : x + SHIFT_SIDE].astype(np.float32) for i in (a, b))
    a, b = (np.nan_to_num(i, posinf=0, neginf=0) for i in (a, b))
    product = np.fft.rfft2(a - a.mean()).conj() * np.fft.rfft2(b - b.mean())
    peak = np.fft.irfft2(product / np.maximum(np.abs(product), 1e-12), s=a.shape)
    best = np.unravel_index(int(np.argmax(peak)), a.shape)
    dy, dx = (int(p - n) if p > n // 2 else int(p) for p, n in zip(best, a.shape, strict=True))
    if (dy, dx) == (0, 0):
        return None
    rows = slice(max(0, -dy), a.shape[0] - max(0, dy)), slice(max(0, dy), a.shape[0] - max(0, -dy))
    columns = slice(max(0, -dx), a.shape[1] - max(0, dx)), slice(max(0, dx), a.shape[1] - max(0, -dx))
    before = float(np.mean((a - b) ** 2))
    after = float(np.mean((a[rows[0], columns[0]] - b[rows[1], columns[1]]) ** 2))
    return (dy, dx) if after <= 0.1 * before else None
