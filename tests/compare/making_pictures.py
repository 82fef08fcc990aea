"""Pairs whose pictures are easily drawn wrong. Imported by making.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile

Y, X = np.mgrid[:256, :256]


def disc(row: int, column: int, radius: int) -> np.ndarray:
    return (Y - row) ** 2 + (X - column) ** 2 <= radius**2


def micrograph(side: int = 256) -> np.ndarray:
    """A ramp with noise: many shades of grey."""
    ramp = np.linspace(100, 4000, side)[None] + np.random.default_rng(3).integers(0, 200, (side, side))
    return ramp.astype(np.uint16)


def both(a: Path, b: Path, name: str, one: np.ndarray, two: np.ndarray, **more: object) -> None:
    for folder, pixels in ((a, one), (b, two)):
        (folder / name).parent.mkdir(exist_ok=True)
        tifffile.imwrite(folder / name, pixels, compression="zlib", **more)


def merge(a: Path, b: Path) -> None:
    """Objects 1 and 2 are one in B, 3 is two, 4 is lost; and two pictures of other kinds bear their name."""
    from PIL import Image

    old = np.zeros((256, 256), np.uint16)
    for number, (row, column) in enumerate([(60, 60), (60, 101), (180, 60), (190, 200)], 1):
        old[disc(row, column, 20)] = number
    new = np.where(old == 2, 1, np.where(old == 4, 0, old)).astype(np.uint16)
    new[(old == 3) & (X > 60)] = 9
    both(a, b, "labels/cell_labels.tif", old, new)
    both(a, b, "tif/cell.tif", micrograph(), micrograph())
    for folder, shade in ((a, 90), (b, 120)):
        for place, side in (("larger", 512), ("outlines", 256)):
            (folder / place).mkdir(exist_ok=True)
            Image.new("RGB", (side, side), (shade, 0, 0)).save(folder / place / "cell_outlines.png")


def far(a: Path, b: Path) -> None:
    """Two discs in opposite corners bear one number; B lacks the second one."""
    one = (disc(30, 30, 12) | disc(225, 225, 12)).astype(np.uint16) * 7
    both(a, b, "far_labels.tif", one, np.where(X > 128, 0, one))


def deep(a: Path, b: Path) -> None:
    """A stack: one object, only in its first planes, and B's is shorter; the other one lies in the middle."""
    one = np.zeros((9, 256, 256), np.uint16)
    one[:2, disc(60, 60, 20)] = 1
    two = one.copy()
    two[:, 60:] = 0
    for stack in (one, two):
        stack[4, disc(180, 180, 20)] = 2
    both(a, b, "deep_labels.tif", one, two, metadata={"axes": "ZYX"}, ome=True)


def specks(a: Path, b: Path) -> None:
    """A mask in which a pixel differs at the top, and a large piece at the bottom."""
    one = disc(200, 200, 30).astype(np.uint8) * 255
    two = np.where(Y > 200, 0, one)
    two[2, 2] = 255
    both(a, b, "specks_mask.tif", one, two)
