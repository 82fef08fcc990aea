"""Runs in the environment of the group `compare`: puts pairs of results into two folders."""

from __future__ import annotations

import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import tifffile
from making_pictures import deep, far, merge, specks  # noqa: F401
from making_shown import shown, shown_pictures  # noqa: F401

DISCS = ((60, 60, 20), (60, 150, 25), (170, 80, 30), (180, 190, 22))


def image() -> np.ndarray:
    pixels = np.random.default_rng(0).integers(90, 110, (256, 256))
    return (pixels + 900 * (labels() > 0)).astype(np.uint16)


def labels(discs=DISCS) -> np.ndarray:  # type: ignore[no-untyped-def]
    y, x = np.mgrid[:256, :256]
    out = np.zeros((256, 256), np.uint16)
    for number, (row, column, radius) in enumerate(discs, 1):
        out[(y - row) ** 2 + (x - column) ** 2 <= radius**2] = number
    return out


def network() -> np.ndarray:
    mask = np.zeros((256, 256), np.uint8)
    mask[100:103, :] = mask[:, 50:53] = 255
    return mask


def write(folder: Path, name: str, data: np.ndarray, **more: object) -> None:
    tifffile.imwrite(folder / name, data, **more)


def table(folder: Path, name: str, rows: list[tuple[object, ...]], mark: str = ",", head: str = "label,area,x") -> None:
    lines = [head.replace(",", mark), *(mark.join(map(str, row)) for row in rows)]
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def split(a: Path, b: Path) -> None:
    cut = labels()
    cut[(cut == 3) & (np.mgrid[:256, :256][1] > 80)] = 9
    for folder, data in ((a, labels()), (b, cut)):
        write(folder, "cell_labels.tif", data, compression="zlib")
        write(folder, "cell.tif", image())


def shifted(a: Path, b: Path) -> None:
    write(a, "moved.tif", image())
    write(b, "moved.tif", np.roll(image(), (3, -5), (0, 1)))


def permuted(a: Path, b: Path) -> None:
    order = np.array([0, 3, 1, 4, 2], np.uint16)
    write(a, "perm_labels.tif", labels())
    write(b, "perm_labels.tif", order[labels()])
    rows = [(n, 100 * n + 0.5, n * 2) for n in range(1, 5)]
    table(a, "perm_objects.csv", rows)
    table(b, "perm_objects.csv", sorted((int(order[n]), area, x) for n, area, x in rows))


def reordered(a: Path, b: Path) -> None:
    table(a, "table.csv", [("a", 1.0, 10), ("b", 2.0, 20), ("c", 3.0, 30)], head="name,v,w")
    table(b, "table.csv", [(30, 3.0, "c"), (10, 1.0, "a"), (20, 2.0, "b")], mark=";", head="w,v,name")


def changed_cell(a: Path, b: Path) -> None:
    table(a, "values.csv", [(n, 100.0 + n, n) for n in range(1, 5)])
    table(b, "values.csv", [(n, 100.0 + n + (n == 3) * 0.5, n) for n in range(1, 5)])


def empty(a: Path, b: Path) -> None:
    nothing = np.zeros((256, 256), np.uint16)
    write(a, "both_labels.tif", nothing)
    write(b, "both_labels.tif", nothing, compression="zlib")
    write(a, "one_labels.tif", nothing)
    write(b, "one_labels.tif", labels())


def broken_network(a: Path, b: Path) -> None:
    cut = network()
    cut[:, 120:160] = 0
    write(a, "er_mask.tif", network())
    write(b, "er_mask.tif", cut)


def packed(a: Path, b: Path) -> None:
    write(a, "plain.tif", image())
    write(b, "plain.tif", image(), compression="zlib", tile=(64, 64), description="another program")


def pixel_size(a: Path, b: Path) -> None:
    for folder, size in ((a, 0.107), (b, 0.108)):
        write(folder, "scaled.ome.tif", image(), metadata={"axes": "YX", "PhysicalSizeX": size, "PhysicalSizeY": size})


def floats(a: Path, b: Path) -> None:
    values = np.random.default_rng(1).random((3, 64, 64)).astype(np.float32)
    write(a, "stack.tif", values)
    write(b, "stack.tif", values + np.float32(1e-7))
    np.save(a / "nan.npy", values)
    values[1, 10, 10] = np.nan
    np.save(b / "nan.npy", values)


def last_pixel(a: Path, b: Path) -> None:
    """Plain stacks, compared in several pieces: equal ones, and ones that differ in the very last pixel."""
    stack = np.random.default_rng(2).integers(0, 4096, (3, 701, 1000)).astype(np.uint16)
    for name, change in (("as_it_was.tif", 0), ("last_pixel.tif", 1)):
        write(a, name, stack)
        stack[-1, -1, -1] += change
        write(b, name, stack, description="another program")


def rare_numbers(a: Path, b: Path) -> None:
    """Values that a 64-bit float cannot tell apart, and parts of a number that are easily forgotten."""
    huge = np.full((9, 9), 2**53, np.int64)
    wave = np.full((9, 9), 1 + 2j)
    special = np.array([[1.0, np.inf], [-np.inf, np.nan]])
    for name, one, two in (
        ("huge.npy", huge, huge + 1),
        ("wave.npy", wave, wave.conj()),
        ("wave_nan.npy", wave * np.nan, np.asfortranarray(wave * np.nan)),
        ("special.npy", special, np.asfortranarray(special)),
        ("flat.npy", np.full((9, 9), 6e4, np.float16), np.full((9, 9), 6e4 + 32, np.float16)),
        ("none.npy", np.zeros((0, 5)), np.zeros((0, 5), np.float32)),
    ):
        np.save(a / name, one)
        np.save(b / name, two)


def rare_labels(a: Path, b: Path) -> None:
    """Numbers of objects as other programs write them: floats (MorphoLibJ), negative, above 32 bits."""
    order = np.array([0, 3, 1, 4, 2])
    write(a, "float_labels.tif", labels().astype(np.float32))
    write(b, "float_labels.tif", order[labels()].astype(np.float32))
    below, above = labels().astype(np.int32), labels().astype(np.uint64) << np.uint64(40)
    for name, one in (("below_labels.tif", below), ("above_labels.tif", above)):
        write(a, name, one)
        one = one.copy()
        one[2, 2] = -1 if one.dtype.kind == "i" else 1 << 50
        write(b, name, one)
    high = np.array([0, *range(2**32 - 4, 2**32)], np.uint32)
    write(a, "high_labels.tif", high[labels()])
    write(b, "high_labels.tif", np.where(labels() == 4, 0, high[order][labels()]))
    part = labels().astype(np.float32)
    write(a, "part_labels.tif", part)
    part[60, 60] += 0.5
    write(b, "part_labels.tif", part)


def thick(a: Path, b: Path) -> None:
    """A mask without a centreline worth the name, and an image too small for SSIM; both differ everywhere."""
    mask = np.zeros((256, 256), np.uint8)
    mask[:100, :100] = 255
    for folder, data, tiny in ((a, mask, 1), (b, mask[::-1], 200)):
        write(folder, "thick_mask.tif", data, compression="zlib")
        write(folder, "tiny.tif", np.full((5, 5), tiny, np.uint8))


def awkward_tables(a: Path, b: Path) -> None:
    texts = {
        # two columns of one name, as a join of tables leaves them
        "twice.csv": ("label,v,v\n1,2,3\n", "label,v,v\n1,2,4\n"),
        # numbers of rows in front, as pandas and ImageJ write them; files found in another order
        "numbered.csv": (",name,v\n0,a,1\n1,b,2\n", ",name,v\n0,b,2\n1,a,1\n"),
        "results.csv": (" ,v,w\n1,10,5\n2,20,6\n", " ,v,w\n1,20,6\n2,10,5\n"),
        # no value, in the words of two programs
        "missing.csv": ("label,v\n1,\n2,5\n", "label,v\n1,NaN\n2,5\n"),
        "lost.csv": ("label,v\n1,\n2,5\n", "label,v\n1,7\n2,5\n"),
    }
    for name, pair in texts.items():
        for folder, text in zip((a, b), pair, strict=True):
            (folder / name).write_text(text, encoding="utf-8")


def zarr_chunks(a: Path, b: Path) -> None:
    import zarr

    for folder, chunks in ((a, (64, 64)), (b, (128, 32))):
        group = zarr.open_group(str(folder / "cell.ome.zarr"), mode="w")
        group.create_array("0", shape=(256, 256), chunks=chunks, dtype="uint16")[:] = image()
        axes = [{"name": n, "type": "space", "unit": "micrometer"} for n in "yx"]
        scale = [{"type": "scale", "scale": [0.1, 0.1]}]
        group.attrs["multiscales"] = [
            {"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}], "version": "0.4"}
        ]


def zarr_labels(a: Path, b: Path) -> None:
    """One image with labels in it, as OME-Zarr keeps them; and a group with two arrays. B's image is the same."""
    import zarr

    cut = labels()
    cut[(cut == 3) & (np.mgrid[:256, :256][1] > 80)] = 9
    for folder, objects, chunk in ((a, labels(), 64), (b, cut, 128)):
        group = zarr.open_group(str(folder / "cell.ome.zarr"), mode="w")
        for place, pixels in (("0", image()), ("labels/cells/0", objects)):
            group.create_array(place, shape=(256, 256), chunks=(chunk, chunk), dtype="uint16")[:] = pixels
        about = [{"axes": [{"name": n, "type": "space"} for n in "yx"], "datasets": [{"path": "0"}], "version": "0.4"}]
        group.attrs["multiscales"] = about
        group["labels"].attrs["labels"] = ["cells"]
        group["labels/cells"].attrs["multiscales"] = about
        two = zarr.open_group(str(folder / "two.zarr"), mode="w")
        for place in ("first", "second"):
            two.create_array(place, shape=(64, 64), dtype="uint8")[:] = 1 if place == "first" else int(objects.max())


def two_series(a: Path, b: Path) -> None:
    """Two images in one file; the second one differs in B, and in the other file it is missing there."""
    for folder, change in ((a, 0), (b, 1)):
        for name, count in (("changed.ome.tif", 2), ("fewer.ome.tif", 2 - change)):
            with tifffile.TiffWriter(folder / name, ome=True) as file:
                file.write(image(), metadata={"axes": "YX"})
                if count == 2:
                    file.write(image()[:100] + np.uint16(change), metadata={"axes": "YX"})


def books(a: Path, b: Path) -> None:
    import openpyxl
    import pyarrow
    import pyarrow.parquet

    for folder, numbers in ((a, [1.0, 2.0, 3.0]), (b, [1.0, 2.0, 3.5])):
        book = openpyxl.Workbook()
        sheet = book.active
        for row in [("label", "area"), *enumerate(numbers, 1)]:
            sheet.append(row)
        book.save(folder / "book.xlsx")
        pyarrow.parquet.write_table(pyarrow.table({"label": [1, 2, 3], "area": numbers}), folder / "t.parquet")


def _book(path: Path, *sheets: list[tuple[object, ...]], at: str = "", value: object = None) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    for number, rows in enumerate(sheets):
        sheet = book.create_sheet("two") if number else book.active
        for row in rows:
            sheet.append(row)
    if at:
        book.worksheets[0][at] = value
    book.save(path)


def exact_ids(a: Path, b: Path) -> None:
    """Whole numbers and text that a 64-bit float or a tolerance takes for one another."""
    import pyarrow
    import pyarrow.parquet

    values: dict[str, tuple[object, object]] = {
        "id": (2**53 + 1, 2**53), "parent": (300001, 300002), "barcode": ("00123", "123"), "well": ("0E5", "0E7"),
    }  # fmt: skip
    for name, both in values.items():
        for folder, value in zip((a, b), both, strict=True):
            pyarrow.parquet.write_table(pyarrow.table({"n": ["x"], name: [value]}), folder / f"{name}.parquet")
            if name != "id":  # Excel itself holds 15 digits
                _book(folder / f"{name}.xlsx", [("n", name), ("x", value)])


def odd_books(a: Path, b: Path) -> None:
    """Workbooks that claim or hold more, or elsewhere, than one looks for."""
    import re
    import zipfile

    import pyarrow
    import pyarrow.parquet

    for folder, last, text in ((a, 3.5, " "), (b, 3.6, "")):
        rows = [("label", "area"), (1, 2.5), (2, 3.5)]
        other = [("label", "area"), (1, 2.5), (2, last)]
        for name, at in (("column", "XFD2"), ("row", "A1048576"), ("corner", "XFD1048576")):
            _book(folder / f"stray_{name}.xlsx", rows, at=at, value=text)
        _book(folder / "title.xlsx", [("Results",), (), *other])
        _book(folder / "beside.xlsx", rows, at="C2", value=5 if folder == a else 6)
        _book(folder / "formula.xlsx", rows, at="C2", value="=A2+1" if folder == a else "=A2+2")
        _book(folder / "second_sheet.xlsx", rows, [("label", "mean"), (1, 5.5 if folder == a else 5.6)])
        _book(folder / "whole.xlsx", other)
        for name in ("claims_too_little.xlsx", "bomb.xlsx"):
            with zipfile.ZipFile(folder / "whole.xlsx") as whole, zipfile.ZipFile(folder / name, "w", 8) as odd:
                for part in whole.namelist():
                    data = re.sub(rb'<dimension ref="[^"]*"', b'<dimension ref="A1"', whole.read(part))
                    odd.writestr(part, data) if name[0] == "c" or "shared" not in part else None
                if name == "bomb.xlsx":
                    with odd.open("xl/sharedStrings.xml", "w") as part_of_zeros:
                        for _ in range(600):
                            part_of_zeros.write(bytes(1 << 20))
        (folder / "whole.xlsx").unlink()
        same = pyarrow.repeat(pyarrow.scalar(int(last * 10), pyarrow.int8()), 1_000_000)
        batch = pyarrow.table({"n": same})
        with pyarrow.parquet.ParquetWriter(folder / "claims_too_many.parquet", batch.schema) as file:
            for _ in range(200):
                file.write_table(batch)


def damaged(a: Path, b: Path) -> None:
    write(a, "torn.tif", image())
    (b / "torn.tif").write_bytes((a / "torn.tif").read_bytes()[:3000])


def two_shapes(a: Path, b: Path) -> None:
    for number in range(7):
        write(a, f"{number}.tif", image())
        write(b, f"{number}.tif", image()[: 200 + number])


def tiles(a: Path, b: Path) -> None:
    """Planes so large that they are read in bands: one in tiles, one in strips, one object split."""
    big = np.zeros((6000, 6001), np.uint16)
    big[100:300, 100:300], big[3990:4200, 5000:5200] = 1, 2
    write(a, "big_labels.tif", big, compression="zlib", tile=(512, 512))
    big[3990:4200, 5100:5200] = 7
    write(b, "big_labels.tif", big, compression="zlib", rowsperstrip=100)


def frames(a: Path, b: Path) -> None:
    """Two time points whose objects are numbered anew in each; B numbers the second one otherwise."""
    first, second = labels(), labels(DISCS[:2])
    swapped = np.array([0, 2, 1], np.uint16)[second]
    for folder, later in ((a, second), (b, swapped)):
        write(folder, "film_labels.tif", np.stack([first, later]), ome=True, metadata={"axes": "TYX"})


def huge_claims(a: Path, b: Path) -> None:
    """A few kilobytes that claim gigabytes: what would be read at once is too large, in each format."""
    import zarr

    for folder, value in ((a, 1), (b, 2)):
        group = zarr.open_array(
            str(folder / "chunk.zarr"), mode="w", shape=(64, 64), chunks=(50_000, 50_000), dtype="u2"
        )
        assert group.chunks == (50_000, 50_000)
        (folder / "chunk.zarr" / "c" / "0").mkdir(parents=True)
        (folder / "chunk.zarr" / "c" / "0" / "0").write_bytes(bytes([value]) * 100)
        header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 0, 0, 0, 0)
        data = zlib.compress(bytes([value]) * 100)
        parts = b"".join(
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
            for name, body in ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
        )
        (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + parts)
        bitmap = struct.pack("<IiiHHIIiiII", 40, 40_000, 40_000, 1, 24, 0, 0, 0, 0, 0, 0)
        (folder / "picture.bmp").write_bytes(
            b"BM" + struct.pack("<IHHI", 54 + 100, 0, 0, 54) + bitmap + bytes([value]) * 100
        )
        for name, more in (("strip.tif", {"rowsperstrip": 40_000}), ("tile.tif", {"tile": (16, 16)})):
            write(folder, name, np.full((64, 64), value, np.uint8), compression="zlib", **more)
            with tifffile.TiffFile(folder / name, mode="r+b") as file:
                tags = file.pages.first.tags
                for tag in ("ImageWidth", "ImageLength", "TileWidth", "TileLength", "RowsPerStrip"):
                    if tag in tags:
                        tags[tag].overwrite(40_000, dtype="I")
        xml = '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" SizeX="64" SizeY="64" '
        xml += 'SizeZ="30000" SizeC="1" SizeT="30000"><TiffData IFD="0" PlaneCount="1"/></Pixels></Image>'
        space = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
        xml = f'<?xml version="1.0"?><OME xmlns="{space}">{xml}</OME>'
        write(folder, "planes.ome.tif", np.full((64, 64), value, np.uint8), description=xml, metadata=None)
        np.save(folder / "mapped.npy", np.full((4, 4), value, np.uint8))
        stored = (folder / "mapped.npy").read_bytes()
        (folder / "mapped.npy").write_bytes(stored.replace(b"(4, 4), }" + b" " * 10, b"(4000000000, 4000), }"[:19]))


def large_pieces(a: Path, b: Path) -> None:
    """Images in one strip and in one chunk, larger than what is worked on at once; the last pixel differs."""
    import zarr

    big = np.arange(7000 * 7001, dtype=np.uint64).reshape(7000, 7001).astype(np.uint16) | np.uint16(1)
    for folder, value in ((a, 5), (b, 6)):
        big[-1, -1] = value
        write(folder, "strip.tif", big, compression="zlib", rowsperstrip=7000)
        whole = zarr.open_array(
            str(folder / "chunk.zarr"), mode="w", shape=(1, 7000, 7001), chunks=(1, 7000, 7001), dtype="u2"
        )
        whole[0] = big
        np.save(
            folder / "turned.npy",
            np.asfortranarray(np.arange(2 * 3 * 40 * 50, dtype=np.uint16).reshape(2, 3, 40, 50) + value),
        )


SCALE = [{"type": "scale", "scale": [0.1, 0.1]}]


def ome(
    root: Path, version: str = "0.4", unit: str | None = "micrometer", steps: object = SCALE, whole: object = (),
    channels: tuple[str, ...] = (), add: int = 0, chunk: int = 64, axes: str = "yx",
) -> None:  # fmt: skip
    """An OME-Zarr image of 256 x 256 pixels."""
    import zarr

    v3 = version == "0.5"
    group = zarr.open_group(str(root), mode="a", zarr_format=3 if v3 else 2)
    shape = (2,) * (len(axes) - 2) + (256, 256)
    array = group.create_array("0", shape=shape, chunks=(1,) * (len(axes) - 2) + (chunk, chunk), dtype="uint16")
    array[:] = np.broadcast_to(image() + np.uint16(add), shape)
    units = {} if unit is None else {"unit": unit}
    types = {"t": "time", "c": "channel"}
    told = [
        {"name": n, "type": types.get(n, "space")} | ({"unit": "second"} if n == "t" else {} if n == "c" else units)
        for n in axes
    ]
    about = {"axes": told, "datasets": [{"path": "0", "coordinateTransformations": steps}], "version": version}
    if whole:
        about["coordinateTransformations"] = whole
    both = {"multiscales": [about]}
    if channels:
        both["omero"] = {"channels": [{"label": name, "color": "FFFFFF"} for name in channels]}
    group.attrs.update({"ome": {"version": version, **both}} if v3 else both)


def scaled(*values: float) -> list[dict[str, object]]:
    return [{"type": "scale", "scale": list(values)}]


def moved(*values: float) -> list[dict[str, object]]:
    return [*SCALE, {"type": "translation", "translation": list(values)}]


def zarr_places(a: Path, b: Path) -> None:
    """Sizes of pixels and places, told in the ways that OME-Zarr has."""
    for version in ("0.4", "0.5"):
        pairs: dict[str, tuple[dict[str, object], dict[str, object]]] = {
            "other unit, same number": ({}, {"unit": "nanometer"}),
            "other unit, same length": ({}, {"unit": "nanometer", "steps": scaled(100, 100)}),
            "british": ({}, {"unit": "micrometre"}),
            "angstrom": ({}, {"unit": "angstrom", "steps": scaled(1000, 1000)}),
            "unit in A alone": ({}, {"unit": None}),
            "no size in B": ({}, {"steps": []}),
            "unknown unit": ({"unit": "cubit"}, {"unit": "verst"}),
            "whole": ({}, {"whole": scaled(2, 2)}),
            "whole, same": ({}, {"steps": scaled(0.05, 0.05), "whole": scaled(2, 2)}),
            "moved": ({}, {"steps": moved(5, 0)}),
            "moved by nothing": ({}, {"steps": moved(0, 0)}),
            "moved by the whole": ({"whole": [{"type": "translation", "translation": [0, 7]}]}, {}),
            "moved, same": (
                {"steps": moved(0, 3)}, {"steps": SCALE, "whole": [{"type": "translation", "translation": [0, 3]}]}
            ),
            "time": (
                {"axes": "tyx", "steps": scaled(1, 0.1, 0.1)}, {"axes": "tyx", "steps": scaled(60, 0.1, 0.1)}
            ),
            "channels": (
                {"axes": "cyx", "steps": scaled(1, 0.1, 0.1), "channels": ("DAPI", "GFP")},
                {"axes": "cyx", "steps": scaled(1, 0.1, 0.1), "channels": ("GFP", "DAPI")},
            ),
        }  # fmt: skip
        for name, (one, two) in pairs.items():
            ome(a / version / f"{name}.ome.zarr", version, **one)  # type: ignore[arg-type]
            ome(b / version / f"{name}.ome.zarr", version, **{"chunk": 128, **two})  # type: ignore[arg-type]
    ome(a / "versions.ome.zarr", "0.4")
    ome(b / "versions.ome.zarr", "0.5")


def plates(a: Path, b: Path) -> None:
    """A plate of two wells and a file of bioformats2raw: other pixel sizes, other values, an image that is missing."""
    import zarr

    for version, v3 in (("0.4", 2), ("0.5", 3)):
        for folder in (a, b):
            is_b = folder == b
            root = folder / version / "plate.ome.zarr"
            plate = zarr.open_group(str(root), mode="w", zarr_format=v3)
            wells = [{"path": "A/1", "rowIndex": 0, "columnIndex": 0}, {"path": "B/2", "rowIndex": 1, "columnIndex": 1}]
            about = {"plate": {"wells": wells, "rows": [{"name": "A"}, {"name": "B"}], "columns": [{"name": "1"}]}}
            plate.attrs.update({"ome": about} if v3 == 3 else about)
            for well, change in (("A/1", {"unit": "nanometer"}), ("B/2", {"add": 1})):
                group = zarr.open_group(str(root / well), mode="a", zarr_format=v3)
                fields = {"well": {"images": [{"path": "0"}, {"path": "1"}]}}
                group.attrs.update({"ome": fields} if v3 == 3 else fields)
                for field in "01":
                    ome(
                        root / well / field,
                        version,
                        **(change if is_b and field == "1" else {}),
                        chunk=128 if is_b else 64,
                    )
            raw = folder / version / "slide.zarr"
            series = zarr.open_group(str(raw), mode="w", zarr_format=v3)
            series.attrs.update({"bioformats2raw.layout": 3})
            (raw / "OME").mkdir()
            size = 0.5 if is_b else 0.25
            pixels = "".join(
                f'<Image ID="Image:{n}"><Pixels PhysicalSizeX="{s}" PhysicalSizeY="{s}"/></Image>'
                for n, s in enumerate((0.25, size))
            )
            (raw / "OME" / "METADATA.ome.xml").write_text(f"<OME>{pixels}</OME>", encoding="utf-8")
            for number in "012" if not is_b else "01":
                ome(raw / number, version, unit=None, steps=scaled(1, 1), chunk=128 if is_b else 64)


def told_by_one(a: Path, b: Path) -> None:
    size = {"PhysicalSizeX": 0.1, "PhysicalSizeY": 0.1}
    for folder, names, more in ((a, ["DAPI", "GFP"], size), (b, ["GFP", "DAPI"], {})):
        write(folder, "size.ome.tif", image(), metadata={"axes": "YX", **more})
        two = np.stack([image(), image()[::-1]])
        write(folder, "channels.ome.tif", two, metadata={"axes": "CYX", "Channel": {"Name": names}})
    for folder, unit, size_in in ((a, "Å", 1000), (b, "nm", 100)):
        more = {
            "PhysicalSizeX": size_in,
            "PhysicalSizeXUnit": unit,
            "PhysicalSizeY": size_in,
            "PhysicalSizeYUnit": unit,
        }
        write(folder, "angstrom.ome.tif", image(), metadata={"axes": "YX", **more})
        more = {"PhysicalSizeX": 1000, "PhysicalSizeXUnit": "Å" if folder == a else "µm"}
        write(folder, "not_micrometres.ome.tif", image(), metadata={"axes": "YX", **more})
    for folder, unit in ((a, "micron"), (b, "nm")):
        write(folder, "imagej.tif", image(), imagej=True, resolution=(10, 10), metadata={"unit": unit})


def pictures(a: Path, b: Path) -> None:
    """Of which more is shown, or shown otherwise, than the first pixels in the file tell."""
    from PIL import Image

    grey = Image.fromarray((image() >> 4).astype(np.uint8))
    turned = Image.Exif()
    turned[274] = 6
    for folder, second, exif, way in ((a, grey, Image.Exif(), 1), (b, grey.rotate(90), turned, 3)):
        grey.save(folder / "film.png", save_all=True, append_images=[grey.rotate(180), second])
        grey.save(folder / "photo.jpg", quality=95, exif=exif)
        write(folder, "turned.tif", image(), extratags=[(274, 3, 1, way, False)], compression="zlib")
        endless = np.where(labels() > 0, np.inf if folder == a else -np.inf, 1e300)
        write(folder, "far.tif", endless)


def plain_folder(a: Path, b: Path) -> None:
    """OME-Zarr images in folders that are not called so."""
    zarr_chunks(a, b)
    for folder in (a, b):
        (folder / "cell.ome.zarr").rename(folder / "cell")


if __name__ == "__main__":
    left, right, *wanted = sys.argv[1:]
    for what in wanted:
        globals()[what](Path(left), Path(right))
