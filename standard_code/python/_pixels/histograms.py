"""Methods of scikit-image that find a threshold, for histograms of so many grey levels that its own take too long or
too much memory. `levels` are those that occur, in order, and `counts` how often each does; empty ones take no room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]

ROUNDS = 10_000  # of smoothing


def isodata(levels: Array, counts: Array) -> float:
    """The first level that lies in the middle between the means of what is below and of what is above it."""
    import numpy as np

    weights = counts.astype(np.float32)  # all as in scikit-image
    below = np.cumsum(weights)
    sums = np.cumsum(weights * levels)
    middle = (sums[:-1] / below[:-1] + (sums[-1] - sums[:-1]) / (below[-1] - below[:-1])) / 2
    found = np.floor(middle)
    return float(found[(found >= levels[:-1]) & (found < levels[1:])][0])


def triangle(levels: Array, counts: Array) -> float:
    """The level farthest below the line from the peak to the end of the longer tail."""
    import numpy as np

    peak = int(np.argmax(counts))
    low, top, high = (int(levels[place]) for place in (0, peak, -1))
    flipped = top - low < high - top
    tail = slice(-1, peak, -1) if flipped else slice(0, peak)
    places = abs(levels[tail].astype(np.int64) - (high if flipped else low))
    width = high - top if flipped else top - low
    # Of a run of empty levels, the one that is nearest to the peak lies farthest from the line.
    tried = np.unique(np.concatenate([places, places[places > 0] - 1, [width - 1]]))
    heights = np.zeros(len(tried), np.int64)
    heights[np.searchsorted(tried, places)] = counts[tail]
    norm = np.sqrt(float(counts[peak]) ** 2 + float(width) ** 2)
    best = int(tried[np.argmax(counts[peak] / norm * tried - width / norm * heights)])
    return float(high - best if flipped else low + best)


def minimum(levels: Array, counts: Array) -> float:
    """The lowest level between the two peaks that are left when the histogram is smoothed again and again."""
    import numpy as np
    from scipy import ndimage

    low = int(levels[0])
    smooth = np.zeros(int(levels[-1]) - low + 1, np.float32)
    smooth[levels.astype(np.int64) - low] = counts
    for _ in range(ROUNDS):
        smooth = ndimage.uniform_filter1d(smooth, 3)
        peaks = _peaks(smooth)
        if len(peaks) < 3:
            break
    if len(peaks) != 2:
        raise ValueError("the histogram has no two peaks")
    return float(low + peaks[0] + np.argmin(smooth[peaks[0] : peaks[1] + 1]))


def _peaks(heights: Array) -> Array:
    """Where it goes down after it went up, or at first."""
    import numpy as np

    steps = np.diff(heights)
    places = np.flatnonzero(steps)
    up = steps[places] > 0
    return places[~up & np.concatenate([[True], up[:-1]])]


def multiotsu(levels: Array, counts: Array, classes: int) -> list[float]:
    """The levels at which classes end so that they lie as far apart as can be, as in Otsu's method.

    The best ends of k classes come of those of k - 1; the more levels, the higher the last end, so that halves of
    the levels need to look at parts of the ends only.
    """
    import numpy as np

    if len(levels) < classes:
        raise ValueError(f"the image has only {len(levels)} different values")
    weights = np.concatenate([[0], np.cumsum(counts)]).astype(float)
    sums = np.concatenate([[0], np.cumsum(counts * (levels - levels[0]).astype(float))])

    def worth(start: Any, end: Any) -> Any:
        return (sums[end] - sums[start]) ** 2 / (weights[end] - weights[start])

    best = np.zeros(len(weights))
    best[1:] = worth(0, np.arange(1, len(weights)))
    ends = []
    for before in range(1, classes):
        next_best, chosen = np.full(len(weights), -np.inf), np.zeros(len(weights), int)
        parts = [(before + 1, len(levels), before, len(levels))]
        while parts:
            first, last, lowest, highest = parts.pop()
            if first > last:
                continue
            end = (first + last) // 2
            starts = np.arange(lowest, min(highest, end - 1) + 1)
            found = best[starts] + worth(starts, end)
            place = int(np.argmax(found))
            next_best[end], chosen[end] = found[place], starts[place]
            parts += [(first, end - 1, lowest, chosen[end]), (end + 1, last, chosen[end], highest)]
        best = next_best
        ends.append(chosen)
    thresholds, end = [], len(levels)
    for chosen in reversed(ends):
        end = int(chosen[end])
        thresholds.append(float(levels[end - 1]))
    return thresholds[::-1]
