"""Six classical methods that find a bright network, with the parameters among which each may choose its best."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np
from scipy import ndimage
from skimage import filters

Array = np.ndarray[Any, Any]

SIGMAS = (0.0, 0.7, 1.0, 1.5)  # of the smoothing before a threshold, in pixels
BLOCKS = (15, 25, 75)  # side of a neighbourhood in pixels
RIDGES = (
    (1.0,),
    (1.0, 1.5),
    (1.5,),
    (1.0, 2.0),
    (1.5, 2.0, 2.5),
    (1.0, 2.0, 3.0, 4.0),
)  # half widths of ridges in pixels


def _otsu(image: Array, sigma: float) -> Array:
    smooth = ndimage.gaussian_filter(image, sigma)
    return smooth > filters.threshold_otsu(smooth)


def _li(image: Array, sigma: float) -> Array:
    smooth = ndimage.gaussian_filter(image, sigma)
    return smooth > filters.threshold_li(smooth)


def _local_mean(image: Array, sigma: float, block: int, offset: float) -> Array:
    smooth = ndimage.gaussian_filter(image, sigma)
    return smooth > filters.threshold_local(smooth, block, method="mean", offset=offset)


def _sauvola(image: Array, sigma: float, block: int, k: float) -> Array:
    smooth = ndimage.gaussian_filter(image, sigma)
    return smooth > filters.threshold_sauvola(smooth, window_size=block, k=k, r=0.5)


def _sato(image: Array, sigmas: tuple[float, ...]) -> Array:
    ridges = filters.sato(image, sigmas=sigmas, black_ridges=False)
    return ridges > filters.threshold_li(ridges)


def _frangi(image: Array, sigmas: tuple[float, ...]) -> Array:
    ridges = filters.frangi(image, sigmas=sigmas, black_ridges=False)
    return ridges > filters.threshold_li(ridges)


_METHODS: dict[str, tuple[Callable[..., Array], list[tuple[Any, ...]]]] = {
    "Otsu": (_otsu, list(product(SIGMAS))),
    "Li": (_li, list(product(SIGMAS))),
    "local mean": (_local_mean, list(product(SIGMAS[1:], BLOCKS, (0.0, -0.02, -0.05, -0.1)))),
    "Sauvola": (_sauvola, list(product(SIGMAS[1:], BLOCKS, (-0.4, -0.2, 0.0, 0.1, 0.2)))),
    "Sato + Li": (_sato, list(product(RIDGES))),
    "Frangi + Li": (_frangi, list(product(RIDGES))),
}


def candidates(image: Array) -> Iterator[tuple[str, tuple[Any, ...], Array]]:
    """Every method with every choice of its parameters: (method, parameters, mask). `image` is in 0..1."""
    for name, (method, choices) in _METHODS.items():
        for choice in choices:
            yield name, choice, method(image, *choice)
