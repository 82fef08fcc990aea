"""Images whose stored numbers are not what a viewer shows; runs inside a program's environment."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

Y, X = np.mgrid[:60, :80]
DISCS = ((Y - 20) ** 2 + (X - 20) ** 2 <= 100) | ((Y - 35) ** 2 + (X - 55) ** 2 <= 144)
GREY = np.where(DISCS, 200, 40).astype(np.uint8) + (X % 3).astype(np.uint8)
BITS = np.where(DISCS, 255, 0).astype(np.uint8)
NOTHING = np.zeros_like(GREY)
GREEN = np.stack([NOTHING, GREY, NOTHING], axis=-1)
FLAT = np.full_like(GREEN, 90)
OPAQUE = np.full_like(GREY, 255)
LABELS = np.where(DISCS & (X > 38), 7, DISCS * 3).astype(np.uint8)
SHUFFLED = np.random.default_rng(3).permutation(256)
COLORS = np.stack([SHUFFLED, SHUFFLED[::-1], (SHUFFLED * 7) % 256]).astype(np.uint16)
RAMP = np.arange(256, dtype=np.uint16)

# name -> what is stored, how tifffile is to write it, what is shown
TIFFS = {
    "black": (GREY, {}, GREY),
    "white": (255 - GREY, {"photometric": "miniswhite"}, GREY),
    "white of 16 bits": (65535 - GREY.astype(np.uint16), {"photometric": "miniswhite"}, GREY.astype(np.uint16)),
    "white and big-endian": (
        65535 - GREY.astype(np.uint16),
        {"photometric": "miniswhite", "byteorder": ">"},
        GREY.astype(np.uint16),
    ),
    "white and signed": (-1 - GREY.astype(np.int16), {"photometric": "miniswhite"}, GREY.astype(np.int16)),
    "white in ImageJ": (255 - GREY, {"photometric": "miniswhite", "imagej": True}, GREY),
    "white and compressed": (255 - GREY, {"photometric": "miniswhite", "compression": "lzw", "predictor": True}, GREY),
    "white of 1 bit": (~DISCS, {"photometric": "miniswhite"}, BITS),
    "black of 1 bit": (DISCS, {"photometric": "minisblack"}, BITS),
    "grey palette": (255 - GREY, {"photometric": "palette", "colormap": np.stack([RAMP[::-1] * 257] * 3)}, GREY),
    "palette": (GREY, {"photometric": "palette", "colormap": COLORS * 256}, np.moveaxis(COLORS[:, GREY], 0, -1)),
    "palette in 8 bits": (GREY, {"photometric": "palette", "colormap": COLORS}, np.moveaxis(COLORS[:, GREY], 0, -1)),
    "lookup table": (GREY, {"imagej": True, "colormap": np.stack([RAMP * 0, RAMP * 257, RAMP * 0])}, GREY),
    "colours": (GREEN, {"photometric": "rgb"}, GREEN),
    "planar": (np.moveaxis(GREEN, -1, 0), {"photometric": "rgb", "planarconfig": "separate"}, GREEN),
    "colours in JPEG": (FLAT, {"photometric": "rgb", "compression": "jpeg"}, FLAT),
    "alpha": (np.dstack([GREEN, OPAQUE]), {"photometric": "rgb", "extrasamples": ["unassalpha"]}, GREEN),
    "premultiplied": (np.dstack([GREEN, OPAQUE]), {"photometric": "rgb", "extrasamples": ["assocalpha"]}, GREEN),
    "no name": (np.dstack([GREEN, OPAQUE]), {"photometric": "rgb", "extrasamples": ["unspecified"]}, GREEN),
    "alpha in OME": (
        np.dstack([GREEN, OPAQUE]),
        {"photometric": "rgb", "extrasamples": ["unassalpha"], "ome": True},
        GREEN,
    ),
    "grey and alpha": (
        np.dstack([GREY, OPAQUE]),
        {"photometric": "minisblack", "planarconfig": "contig", "extrasamples": ["unassalpha"]},
        GREY,
    ),
    "ink": (np.dstack([OPAQUE, 255 - GREY, OPAQUE, NOTHING]), {"photometric": "separated"}, GREEN),
    "white floats": (-GREY.astype(np.float32), {"photometric": "miniswhite"}, GREY.astype(np.float32)),
    "white in tiles": (255 - GREY, {"photometric": "miniswhite", "tile": (16, 16), "compression": "zlib"}, GREY),
    "strange colours": (GREEN, {"photometric": "ycbcr"}, None),
    "mask of tifffile": (DISCS, {}, None),
    "mask that shows white": (~DISCS, {"photometric": "miniswhite"}, None),
    "mask of ImageJ": (BITS, {"photometric": "miniswhite", "imagej": True}, None),
    "mask of 1 bit": (DISCS, {"photometric": "minisblack"}, None),
    "labels with 0 as white": (LABELS, {"photometric": "miniswhite"}, None),
    "labels with a palette": (LABELS, {"photometric": "palette", "colormap": COLORS * 256}, None),
    "labels of Fiji": (LABELS, {"imagej": True, "colormap": COLORS * 256}, None),
    "labels as floats": (LABELS * np.float32(70_000), {"photometric": "minisblack"}, None),
    "labels in equal colours": (np.dstack([LABELS] * 3), {"photometric": "rgb"}, None),
    "labels in colours": (np.dstack([LABELS, LABELS, NOTHING]), {"photometric": "rgb"}, None),
    "labels with fractions": (LABELS * np.float32(0.5), {"photometric": "minisblack"}, None),
    "labels that are no numbers": (np.where(DISCS, np.float32(np.nan), LABELS), {"photometric": "minisblack"}, None),
}  # fmt: skip
PACKED = {"white of 4 bits": (4, 0, 15 - LABELS), "black of 2 bits": (2, 1, LABELS % 4)}
TWELVE = {"white of 12 bits": 4095 - GREY.astype(np.uint16), "black of 12 bits": GREY.astype(np.uint16)}
PICTURES = ("palette.png", "1 bit.png", "palette.gif", "1 bit.bmp", "palette.bmp", "alpha.png", "frames.gif")
KINDS = ("two palettes", *TIFFS, *PACKED, *TWELVE, *PICTURES)


def make(kind: str, path: str) -> None:
    """Writes one image."""
    import tifffile

    if kind == "two palettes":
        with tifffile.TiffWriter(path) as tif:
            for colors in (COLORS, COLORS[::-1]):
                tif.write(GREY, photometric="palette", colormap=colors * 257, metadata=None, contiguous=False)
    elif kind in TIFFS:
        stored, words, _ = TIFFS[kind]
        tifffile.imwrite(path, stored, **words)
    elif kind in PACKED:
        bits, photometric, values = PACKED[kind]
        Path(path).write_bytes(packed(values, bits, photometric))
    elif kind in TWELVE:
        pairs = TWELVE[kind].reshape(-1, 2)
        three = np.stack([pairs[:, 0] >> 4, (pairs[:, 0] & 15) << 4 | pairs[:, 1] >> 8, pairs[:, 1] & 255], axis=-1)
        Path(path).write_bytes(bare(three.astype(np.uint8).tobytes(), (60, 80), 12, "black" in kind))
    else:
        picture(kind).save(path, **({"save_all": True, "append_images": [one_bit(~DISCS)]} if "frames" in kind else {}))


def packed(values: np.ndarray, bits: int, photometric: int) -> bytes:
    """A TIFF file of 2 or 4 bits a pixel."""
    places = np.arange(8 // bits)[::-1] * bits
    data = (values.reshape(-1, 8 // bits) << places).sum(axis=1).astype(np.uint8).tobytes()
    return bare(data, values.shape, bits, photometric)


def bare(data: bytes, shape: tuple[int, ...], bits: int, photometric: int) -> bytes:
    """A TIFF file with no more tags than it needs."""
    height, width = shape
    tags = [(256, width), (257, height), (258, bits), (259, 1), (262, photometric), (273, 8), (277, 1), (278, height)]
    tags.append((279, len(data)))
    listed = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return struct.pack("<2sHI", b"II", 42, 8 + len(data)) + data + struct.pack("<H", len(tags)) + listed + bytes(4)


def picture(kind: str):  # type: ignore[no-untyped-def]
    from PIL import Image

    if kind.startswith("palette"):
        made = Image.fromarray(GREY).convert("P")
        made.putpalette(COLORS.T.astype(np.uint8).tobytes())
        made.putdata(GREY.ravel().tolist())
        return made
    return Image.fromarray(np.dstack([GREEN, OPAQUE])) if kind.startswith("alpha") else one_bit(DISCS)


def one_bit(mask: np.ndarray):  # type: ignore[no-untyped-def]
    from PIL import Image

    return Image.fromarray(mask)


def expected(kind: str) -> np.ndarray:
    """What a viewer shows."""
    if kind in TIFFS:
        return TIFFS[kind][2]
    if kind in PACKED:
        return LABELS * 17 if "4" in kind else LABELS % 4 * 85
    if kind in TWELVE:
        return GREY
    if kind.startswith("palette"):
        return np.moveaxis(COLORS[:, GREY], 0, -1)
    return {"alpha.png": GREEN, "frames.gif": np.stack([BITS, 255 - BITS])}.get(kind, BITS)


def differing(folder: str, *kinds: str) -> dict[str, str]:
    """Those of the converted images that are not what is shown, and how."""
    import tifffile

    found = {}
    for kind in kinds:
        with tifffile.TiffFile(Path(folder) / f"{kind.partition('.')[0]} {Path(kind).suffix[1:]}.ome.tif") as tif:
            data, photometric = tif.series[0].asarray(), tif.series[0].keyframe.photometric.name
        wanted = expected(kind)
        colour = "RGB" if wanted.shape[-1] == 3 else "MINISBLACK"
        if data.shape != wanted.shape or not np.array_equal(data, wanted) or photometric != colour:
            found[kind] = f"{photometric} {data.dtype} {data.shape} {data.ravel()[:5].tolist()}"
    return found
