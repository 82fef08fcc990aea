"""Nine cells in many number types, and the thresholds that they get; runs in a program's environment."""

from __future__ import annotations

import argparse
import logging
import math
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "standard_code" / "python"))
import segment_threshold
from _program.files import UserError
from skimage import filters

Y, X = np.mgrid[:200, :200]
CELLS = ((Y % 66 - 33) ** 2 + (X % 66 - 33) ** 2 <= 144) & (Y < 198) & (X < 198)
CLEAN = np.where(CELLS, 140, 100)
NOISY = np.rint(CLEAN + np.random.default_rng(1).normal(0, 3, CLEAN.shape)).astype(np.int64)
FLOATS = np.random.default_rng(2).normal(CLEAN, 3) / 7


def with_one(value: int) -> np.ndarray:
    """One hot pixel."""
    image = NOISY.copy()
    image[5, 5] = value
    return image


IMAGES = {
    "8 bits": NOISY.astype(np.uint8),
    "8 bits, clean": CLEAN.astype(np.uint8),
    "16 bits, one hot pixel": with_one(65_535).astype(np.uint16),
    "16 bits, a hot pixel of 4095": with_one(4095).astype(np.uint16),
    "signed": (NOISY - 120).astype(np.int16),
    "32 bits": (NOISY * 50).astype(np.uint32),
    "32 bits, one hot pixel": with_one(4_000_000_000).astype(np.uint32),
    "32 bits, an offset": (NOISY + 2**30).astype(np.uint32),
    "32 bits, signed, an offset": (NOISY - 2**30).astype(np.int32),
    "64 bits, an offset": NOISY.astype(np.uint64) + np.uint64(2**62),
    "64 bits, all of them": np.where(CELLS, np.uint64(2**64 - 1), np.uint64(0)),
    "64 bits, signed, all of them": np.where(CELLS, 2**62, -(2**62)),
    "floats": FLOATS.astype(np.float32),
    "double": FLOATS,
    "double, an offset": FLOATS + 1e9,
    "ones and zeros": CELLS.astype(np.uint8),
    "16 bits, a dead pixel": with_one(0).astype(np.uint16),
    "16 bits, clean, one hot pixel": np.where((Y == 5) & (X == 5), 65_535, CLEAN).astype(np.uint16),
    "photons": np.random.default_rng(3).poisson(np.where(CELLS, 1.4, 0.3)).astype(np.uint8),
}


def segment(image: str, *words: str) -> list[float]:
    """The threshold, and the number of objects."""
    labels, threshold = segment_threshold.label_objects(IMAGES[image], arguments(*words))
    return [float(threshold), int(labels.max())]


def arguments(*words: str) -> argparse.Namespace:
    return segment_threshold.arguments().parse_args(["--input-search-pattern", "x", "--output-folder", "y", *words])


def apart(image: str, *methods: str) -> dict[str, list[float]]:
    """The methods whose threshold is not the one of scikit-image on the same pixels: both."""
    found = {}
    for method in methods:
        ours = segment(image, "--method", method, "--sigma", "0")[0]
        theirs = np.ravel(getattr(filters, f"threshold_{method}")(IMAGES[image]))[-1]
        if ours != float(theirs):
            found[method] = [ours, float(theirs)]
    return found


def classes_apart(image: str) -> list[object]:
    """Thresholds of several classes by our own way for many grey levels, where they differ from scikit-image's."""
    import _pixels.histograms

    levels, counts = np.unique(IMAGES[image], return_counts=True)
    found = []
    for classes in (2, 3, 4)[: len(levels) - 1]:
        ours = _pixels.histograms.multiotsu(levels, counts, classes)
        theirs = filters.threshold_multiotsu(IMAGES[image], classes).tolist()
        found += [] if ours == theirs else [classes, ours, theirs]
    return found


def sparse_apart(image: str) -> dict[str, list[float]]:
    """The same of the other methods of ours."""
    import _pixels.histograms

    levels, counts = np.unique(IMAGES[image], return_counts=True)
    found = {}
    for method in ("triangle", "isodata", "minimum"):
        ours = getattr(_pixels.histograms, method)(levels, counts)
        theirs = float(getattr(filters, f"threshold_{method}")(IMAGES[image]))
        if not math.isclose(ours, theirs, abs_tol=0):
            found[method] = [ours, theirs]
    return found


def told(image: str, *words: str) -> list[object]:
    """The number of objects, and what is told beside it; -1 where there is an error."""
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    try:
        labels, _ = segment_threshold.label_objects(IMAGES[image], arguments(*words))
        return [int(labels.max()), *said]
    except UserError as error:
        return [-1, str(error)]
    finally:
        logging.getLogger().removeHandler(handler)


def local_apart(image: str, method: str = "local", *words: str) -> float:
    """How far the thresholds of each pixel are from scikit-image's at most; see docs/images.md for two of them."""
    from _pixels.thresholds import divide

    _, ours = divide(IMAGES[image], arguments("--method", method, "--sigma", "0", *words))
    values = IMAGES[image].astype(np.float64)
    low, high = values.min(), values.max()
    if method == "local":
        theirs = filters.threshold_local(values, 51)
    elif method == "niblack":
        theirs = filters.threshold_niblack(values, 51, k=0.2 if words else -0.2)
    elif words:
        theirs = filters.threshold_sauvola(values - low, 51, r=(high - low) / 2) + low
    else:
        theirs = high - filters.threshold_sauvola(high - values, 51, r=(high - low) / 2)
    return float(abs(ours - theirs).max())


def save(image: str, path: str) -> None:
    import tifffile

    tifffile.imwrite(path, IMAGES[image])
