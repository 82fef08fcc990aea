"""Runs inside a program's environment, for the tests: makes images, and says what is in one."""

from __future__ import annotations

import json
import sys
from pathlib import Path


def look(path: str) -> dict[str, object]:
    """What a TIFF file holds."""
    import re

    import numpy as np
    import tifffile

    with tifffile.TiffFile(path) as tif:
        series = tif.series[0]
        data = series.asarray()
        xml = tif.ome_metadata or ""
    sizes = {axis: float(size) for axis, size in re.findall(r'PhysicalSize([XYZ])="([^"]+)"', xml)}
    return {
        "axes": series.axes,
        "shape": data.shape,
        "dtype": str(data.dtype),
        "ome": bool(xml),
        "pixel_size": sizes,
        "units": sorted(set(re.findall(r'PhysicalSize[XYZ]Unit="([^"]+)"', xml))),
        "channels": re.findall(r'<Channel [^>]*Name="([^"]+)"', xml),
        "values": [int(value) for value in np.unique(data)[:20]],
        "sum": float(data.sum(dtype=float)),
        "first": data.reshape(-1)[:6].tolist(),
    }


KINDS = (
    "ome", "imagej", "pages", "lzw", "complex", "rgb16.png", "grey.jpg", "flat", "nan", "series", "touching", "ring",
    "thin", "edge", "dark",
)  # fmt: skip


def make_all(folder: str) -> None:
    """Writes every image that the tests need."""
    part = Path(f"{folder}.part")
    part.mkdir()
    for kind in KINDS:
        make(kind, str(part / kind))
    part.rename(folder)


def make(kind: str, path: str) -> None:
    """Writes one image."""
    import numpy as np
    import tifffile

    ramp = np.arange(3 * 2 * 4 * 20 * 30, dtype=np.uint16).reshape(3, 2, 4, 20, 30)  # TCZYX
    if kind == "ome":
        metadata = {
            "axes": "TCZYX",
            "PhysicalSizeX": 250, "PhysicalSizeXUnit": "nm",
            "PhysicalSizeY": 250, "PhysicalSizeYUnit": "nm",
            "PhysicalSizeZ": 1.5, "PhysicalSizeZUnit": "µm",
            "Channel": {"Name": ["DAPI", "Grün"]},
        }  # fmt: skip
        tifffile.imwrite(path, ramp, ome=True, metadata=metadata)
    elif kind == "imagej":
        described = {"axes": "TZCYX", "unit": "micron", "spacing": 2.0}
        tifffile.imwrite(path, ramp.swapaxes(1, 2), imagej=True, metadata=described, resolution=(2, 2))
    elif kind == "pages":
        with tifffile.TiffWriter(path) as tif:
            for page in ramp[0, 0, :3]:
                tif.write(page, metadata=None, contiguous=False)
    elif kind == "lzw":
        tifffile.imwrite(path, ramp[0, 0, 0], compression="lzw")
    elif kind == "complex":
        tifffile.imwrite(path, ramp[0, 0, 0].astype(np.complex64))
    elif kind == "rgb16.png":
        import imagecodecs

        colours = np.moveaxis(ramp[0, :1, :3], 1, -1)[0] * 30
        Path(path).write_bytes(imagecodecs.png_encode(np.ascontiguousarray(colours)))
    elif kind == "grey.jpg":
        from PIL import Image

        Image.fromarray(np.full((20, 30, 3), 128, np.uint8)).save(path)
    elif kind == "flat":
        tifffile.imwrite(path, np.full((20, 30), 7, np.uint8))
    elif kind == "nan":
        tifffile.imwrite(path, np.full((20, 30), np.nan, np.float32))
    elif kind == "series":
        frames = np.stack([discs([(30, 30, 12)]), discs([(30, 30, 12), (60, 90, 15)])])
        tifffile.imwrite(path, frames, ome=True, metadata={"axes": "TYX"})
    else:
        tifffile.imwrite(path, shapes(kind))


def shapes(kind: str):  # type: ignore[no-untyped-def]
    """Bright objects on a dark, slightly noisy ground."""
    if kind == "touching":
        return discs([(50, 50, 20), (50, 84, 20)])
    if kind == "ring":
        image = discs([(50, 60, 30)])
        image[45:55, 55:65] = 100
        return image
    if kind == "thin":
        image = discs([(60, 40, 20)])
        image[20:23, 20:130] = 1000
        return image
    if kind == "edge":
        return discs([(0, 40, 20), (60, 100, 20)])
    if kind == "dark":
        return 1200 - discs([(60, 40, 20)])
    raise ValueError(kind)


def discs(places):  # type: ignore[no-untyped-def]
    """Discs of (y, x, radius) in an image of 100 x 150 pixels."""
    import numpy as np

    y, x = np.mgrid[:100, :150]
    image = np.random.default_rng(0).integers(90, 110, (100, 150))
    for row, column, radius in places:
        image[(y - row) ** 2 + (x - column) ** 2 <= radius**2] += 900
    return image.astype(np.uint16)


def picture(path: str) -> dict[str, object]:
    """What a PNG file shows: its size, and how many of its pixels have a colour."""
    import numpy as np
    from PIL import Image

    with Image.open(path) as opened:
        values = np.asarray(opened.convert("RGB")).astype(int)
        form = opened.format
    coloured = values.max(axis=2) - values.min(axis=2) > 40
    ys, xs = np.nonzero(coloured)
    grey = values[~coloured]
    return {
        "format": form,
        "size": values.shape[1::-1],
        "coloured": int(coloured.sum()),
        "box": [int(xs.min()), int(ys.min()), int(xs.max()), int(ys.max())] if len(xs) else None,
        "darkest": int(grey.min()),
        "brightest": int(grey.max()),
    }


if __name__ == "__main__":
    task, *arguments = sys.argv[1:]
    print(json.dumps({"look": look, "make_all": make_all, "picture": picture}[task](*arguments)))
