"""Pairs of images whose stored numbers are not what a viewer shows. Imported by making.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile

Y, X = np.mgrid[:80, :100]
GREY = np.where((Y - 30) ** 2 + (X - 40) ** 2 < 300, 200, 40).astype(np.uint8) + (X % 3).astype(np.uint8)
LABELS = np.where(GREY > 100, 5, 0).astype(np.uint8) + np.where((Y > 60) & (X > 80), 9, 0).astype(np.uint8)
HIGH = LABELS * np.float32(60_001)  # as many as Fiji writes as floats
MASK = GREY > 100
ORDER = np.random.default_rng(5).permutation(256)
COLORS = np.stack([ORDER, ORDER[::-1], (ORDER * 3) % 256]).astype(np.uint16) * 257
WHITE = {"photometric": "miniswhite"}
BLACK = {"photometric": "minisblack"}
PALETTE = {"photometric": "palette", "colormap": COLORS}
# name -> what A and B hold
PAIRS = {
    "equal numbers.tif": ((GREY, BLACK), (GREY, WHITE)),
    "equal looks.tif": ((GREY, BLACK), (255 - GREY, WHITE)),
    "equal bits.tif": ((MASK, BLACK), (MASK, WHITE)),
    "looks of bits.tif": ((MASK, BLACK), (~MASK, WHITE)),
    "bits and bytes.tif": ((MASK, BLACK), (MASK.astype(np.uint8) * 255, BLACK)),
    "palettes.tif": ((GREY, PALETTE), (GREY, PALETTE | {"colormap": COLORS[::-1]})),
    "palette and colours.tif": ((GREY, PALETTE), (np.moveaxis(COLORS[:, GREY] // 257, 0, -1).astype(np.uint8), {})),
    "ink.tif": ((np.dstack([GREY] * 4), {"photometric": "separated"}), (np.dstack([GREY] * 4), {"photometric": "rgb"})),
    "palette_labels.tif": ((LABELS, PALETTE), (LABELS, BLACK)),
    "float_labels.tif": ((LABELS * np.float32(70_000), BLACK), (LABELS * np.uint32(70_000), BLACK)),
    "floats.tif": ((HIGH, BLACK), (np.where(LABELS == 9, np.float32(540_010), HIGH), BLACK)),
    "white_labels.tif": ((LABELS, WHITE), (LABELS, BLACK)),
    "white_mask.tif": ((~MASK, WHITE), (MASK, BLACK)),
    "same_white_labels.tif": ((LABELS, WHITE), (LABELS, WHITE | {"compression": "zlib"})),
}  # fmt: skip


def shown(a: Path, b: Path) -> None:
    for name, pair in PAIRS.items():
        for folder, (stored, words) in zip((a, b), pair, strict=True):
            tifffile.imwrite(folder / name, stored, **words)


def shown_pictures(a: Path, b: Path) -> None:
    """By PNG and BMP: the same numbers with other palettes, the same looks, and labels behind a palette."""
    for folder, colors in ((a, COLORS), (b, COLORS[::-1])):
        indexed(GREY, colors).save(folder / "drawing.png")
        indexed(GREY, colors).save(folder / "drawing.bmp")
        indexed(LABELS, colors).save(folder / "cell_labels.png")
    indexed(GREY, COLORS).save(a / "looks.png")
    indexed(GREY, COLORS).convert("RGB").save(b / "looks.png")


def indexed(numbers, colors):  # type: ignore[no-untyped-def]
    from PIL import Image

    made = Image.new("P", numbers.shape[::-1])
    made.putpalette((colors.T // 257).astype(np.uint8).tobytes())
    made.putdata(numbers.ravel().tolist())
    return made
