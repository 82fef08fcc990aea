"""Runs inside a program's environment, for the tests: makes images, and says what is in one."""

from __future__ import annotations

import json
import sys
import traceback
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
        "interval": float(found[1]) if (found := re.search(r'TimeIncrement="([^"]+)"', xml)) else None,
        "channels": re.findall(r'<Channel [^>]*Name="([^"]+)"', xml),
        "values": [int(value) for value in np.unique(data)[:20]],
        "sum": float(data.sum(dtype=float)),
        "first": data.reshape(-1)[:6].tolist(),
    }


def holds(path: str, formula: str, places: str) -> bool:
    """Whether each pixel of a TIFF file is what `value_at` of tests/support/<formula>.py says."""
    import importlib.util

    import numpy as np
    import tifffile

    file = Path(__file__).parents[1] / "support" / f"{formula}.py"
    spec = importlib.util.spec_from_file_location(formula, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[formula] = module
    spec.loader.exec_module(module)
    with tifffile.TiffFile(path) as tif:
        data, axes = tif.series[0].asarray(), tif.series[0].axes
    names = {"T": "time", "C": "channel", "Z": "z", "Y": "y", "X": "x"}
    found = dict.fromkeys(names.values(), 0) | json.loads(places)
    found |= {names[axis]: index for axis, index in zip(axes, np.indices(data.shape), strict=True)}
    return bool((data == module.value_at(**found)).all())


KINDS = (
    "ome", "imagej", "pages", "lzw", "complex", "rgb16.png", "grey.jpg", "flat", "nan", "series", "touching", "ring",
    "thin", "edge", "dark", "labels", "label series", "label fractions", "several", "slope",
    "levels", "specks", "without its companion", "companion", "plain", "label high", "lsm",
)  # fmt: skip


def make_all(folder: str) -> None:
    """Writes every image that the tests need."""
    Path(folder).mkdir()
    for kind in KINDS:
        make(kind, str(Path(folder) / kind))


def grey_levels(asked: str) -> list[object]:
    """What functions of grey_levels.py give."""
    import grey_levels

    return [getattr(grey_levels, task)(*map(str, arguments)) for task, *arguments in json.loads(asked)]


def make_shown(folder: str) -> None:
    """Writes the images of shown_images.py."""
    import shown_images

    Path(folder).mkdir()
    for kind in shown_images.KINDS:
        shown_images.make(kind, str(Path(folder) / kind) if "." in kind else str(Path(folder) / f"{kind}.tif"))


def differing(folder: str, *kinds: str) -> dict[str, str]:
    """Those of the converted images of shown_images.py that are not what is shown."""
    import shown_images

    return shown_images.differing(folder, *kinds)


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
    elif kind == "plain":
        tifffile.imwrite(path, ramp, ome=True, metadata={"axes": "TCZYX"})
    elif kind == "imagej":
        described = {"axes": "TZCYX", "unit": "micron", "spacing": 2.0}
        tifffile.imwrite(path, ramp.swapaxes(1, 2), imagej=True, metadata=described, resolution=(2, 2))
    elif kind == "pages":
        with tifffile.TiffWriter(path) as tif:
            for page in ramp[0, 0, :3]:
                tif.write(page, metadata=None, contiguous=False)
    elif kind == "lsm":
        block = np.zeros(1, np.dtype(tifffile.TIFF.CZ_LSMINFO))
        values = {"MagicNumber": 67127628, "StructureSize": block.nbytes, "DimensionX": 9, "DimensionY": 8}
        values |= dict.fromkeys(["DimensionZ", "DimensionChannels", "DimensionTime"], 1)
        values |= {"VoxelSizeX": 2e-7, "VoxelSizeY": 2e-7, "VoxelSizeZ": 1e-6}
        for name, value in values.items():
            block[name] = value
        tag = (34412, 1, block.nbytes, block.tobytes(), True)
        with tifffile.TiffWriter(path) as tif:
            tif.write(ramp[0, 0, 0, :8, :9], metadata=None, extratags=[tag], contiguous=False)
            tif.write(ramp[0, 0, 0, :4, :4].astype(np.uint8), metadata=None, subfiletype=1)
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
    elif kind.startswith("label"):
        make_labels(kind, path)
    elif "companion" in kind:
        make_one_of_two(path, number=int(kind == "companion"))
    elif kind == "several":
        with tifffile.TiffWriter(path, ome=True) as tif:
            for number, side in enumerate([10, 40, 20]):
                image = np.full((side, side), number, np.uint8)
                tif.write(image, metadata={"axes": "YX", "Name": f"image {number}", "PhysicalSizeX": number + 1.0})
    else:
        tifffile.imwrite(path, shapes(kind))


def write_tiff(path: str, shape: str, options: str) -> None:
    """A TIFF file of 16 bits with the values 0, 1, 2, …; `options` are those of tifffile."""
    import numpy as np
    import tifffile

    sides = json.loads(shape)
    tifffile.imwrite(path, np.arange(np.prod(sides), dtype=np.uint16).reshape(sides), **json.loads(options))


def write_set(folder: str, images: str, companion: str, more: str) -> None:
    """OME-TIFF files, each with two Z planes of two channels of the images that name it; each plane has one value.

    `images` has the names of the files by the name of the image. With a name for it, the description is in a companion.
    """
    import numpy as np
    import tifffile

    planes: dict[str, list[int]] = {}
    described = ""
    for number, (name, files) in enumerate(json.loads(images).items()):
        places = ""
        for index in range(4 * len(files)):
            file = files[index // 4]
            ifd = len(planes.setdefault(file, []))
            planes[file].append(100 * number + index)
            places += (
                f'<TiffData IFD="{ifd}" FirstC="{index % 2}" FirstZ="{index // 2}" PlaneCount="1">'
                f'<UUID FileName="{file}">urn:uuid:{file}</UUID></TiffData>'
            )
        described += (
            f'<Image ID="Image:{number}" Name="{name}"><Pixels ID="Pixels:{number}" DimensionOrder="XYCZT" '
            f'Type="uint16" SizeX="9" SizeY="8" SizeC="2" SizeZ="{2 * len(files)}" SizeT="1" {more}>'
            '<Channel ID="Channel:0:0" Name="DAPI"/><Channel ID="Channel:0:1"/>' + places + "</Pixels></Image>"
        )
    ome = '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"'
    if companion:
        (Path(folder) / companion).write_text(f'{ome} UUID="urn:uuid:all">{described}</OME>', encoding="utf-8")
        described = f'<BinaryOnly MetadataFile="{companion}" UUID="urn:uuid:all"/>'
    for file, values in planes.items():
        if ".." in file or file.startswith(("/", "C:", "\\")):
            continue
        with tifffile.TiffWriter(Path(folder) / file) as tif:
            for ifd, value in enumerate(values):
                text = None if ifd else f'{ome} UUID="urn:uuid:{file}">{described}</OME>'.encode()
                plane = np.full((8, 9), value, np.uint16)
                tif.write(plane, description=text, metadata=None, contiguous=False)


def make_one_of_two(path: str, number: int) -> None:
    """Two of the four Z planes that the description tells of; the others are in a.ome.tif or in companion.ome.tif."""
    import numpy as np
    import tifffile

    names = [f"urn:uuid:00000000-0000-0000-0000-00000000000{each}" for each in (1, 2)]
    places = "".join(
        f'<TiffData IFD="{z % 2}" FirstZ="{z}" PlaneCount="1"><UUID FileName="{file}">{names[z // 2]}</UUID></TiffData>'
        for z, file in enumerate(["a.ome.tif"] * 2 + ["companion.ome.tif"] * 2)
    )
    described = (
        f'<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="{names[number]}">'
        '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="30" SizeY="20" '
        f'SizeZ="4" SizeC="1" SizeT="1"><Channel ID="Channel:0:0"/>{places}</Pixels></Image></OME>'
    )
    planes = np.arange(4 * 600, dtype=np.uint16).reshape(4, 20, 30)[2 * number :][:2]
    with tifffile.TiffWriter(path) as tif:
        for place, plane in enumerate(planes):
            tif.write(plane, description=None if place else described, metadata=None, contiguous=False)


def make_labels(kind: str, path: str) -> None:
    """Objects with a hole, in two parts, at the edge, touching at a corner alone; one number is not used."""
    import numpy as np
    import tifffile

    labels = np.zeros((20, 30), np.uint16)
    labels[2:9, 3:12] = 1
    labels[4:7, 5:8] = 0
    labels[5, 6] = 1
    labels[12:15, 0:4] = 2
    labels[17:, 2:9] = 2
    labels[10:13, 20:23] = 4
    labels[13:16, 23:26] = 4
    labels[0, 29] = 300
    if kind == "label high":
        labels = labels.astype(np.uint32)
        labels[labels == 300] = 4_000_000_000
    if kind == "label series":
        tifffile.imwrite(
            path, np.stack([labels, labels.T[:20].repeat(2, 1)[:, :30]]), ome=True, metadata={"axes": "TYX"}
        )
    else:
        tifffile.imwrite(path, labels * np.float32(0.5) if kind == "label fractions" else labels)


def segmented(kinds_and_words: str) -> list[dict[str, object]]:
    """What segment_threshold makes of images: for each, the areas of its objects."""
    import numpy as np

    sys.path.insert(0, str(Path(__file__).parents[2] / "standard_code" / "python"))
    import segment_threshold

    found = []
    for kind, words in json.loads(kinds_and_words):
        needed = ["--input-search-pattern", "x", "--output-folder", "y"]
        args = segment_threshold.arguments().parse_args([*needed, *map(str, words)])
        labels, _ = segment_threshold.label_objects(shapes(kind), args)
        found.append(np.bincount(labels.ravel())[1:].tolist())
    return found


def write_czi(path: str) -> None:
    """A small file of ZEISS, whose pixels are as in lif_file.value_at."""
    import numpy as np
    from pylibCZIrw import czi

    with czi.create_czi(path) as file:
        for t, c, z in np.ndindex(2, 2, 3):
            plane = np.fromfunction(lambda y, x, at=10_000 * c + 500 * t + 100 * z: at + 10 * y + x, (6, 9))
            file.write(plane.astype(np.uint16)[..., np.newaxis], plane={"T": t, "C": c, "Z": z})
        file.write_metadata(
            "title", channel_names={0: "DAPI", 1: "Grün"}, scale_x=0.25e-6, scale_y=0.25e-6, scale_z=1.5e-6
        )


def write_czi_scenes(path: str, numbers: str) -> None:
    """A file of ZEISS whose description does not list its scenes; each has the value of its number."""
    import numpy as np
    from pylibCZIrw import czi

    with czi.create_czi(path) as file:
        for number in json.loads(numbers):
            plane = np.full((6 + number, 9, 1), number, np.uint16)
            file.write(plane, plane={"T": 0, "C": 0, "Z": 0}, scene=number, location=(200 * number, 0))
        file.write_metadata("title", channel_names={0: "DAPI"}, scale_x=0.25e-6, scale_y=0.25e-6)


def as_nd2_reads_it(path: str, converted: str) -> dict[str, object]:
    """Whether each pixel is the one that the package nd2 reads, and what that package says beside it."""
    import nd2
    import tifffile

    with nd2.ND2File(path) as file:
        pixels, sizes, voxel = file.asarray(), dict(file.sizes), file.voxel_size()
        names = [channel.channel.name for channel in file.metadata.channels]
    with tifffile.TiffFile(converted) as tif:
        found, axes = tif.series[0].asarray(), tif.series[0].axes
    moved = pixels.transpose([list(sizes).index(axis) for axis in axes])
    return {
        "equal": bool((moved == found).all()),
        "sizes": sizes,
        "pixel_size": dict(zip("XYZ", voxel, strict=True)),
        "channels": names,
    }


def write_coloured_czi(path: str) -> None:
    """A file of ZEISS with two Z planes in colour; its format has blue first."""
    import numpy as np
    from pylibCZIrw import czi

    with czi.create_czi(path) as file:
        for z in range(2):
            red, green, blue = (np.full((6, 9), value, np.uint8) for value in (200 + z, 100 + z, 50 + z))
            file.write(np.stack([blue, green, red], axis=-1), plane={"T": 0, "C": 0, "Z": z})
        file.write_metadata("title", channel_names={0: "HE"}, scale_x=0.25e-6, scale_y=0.25e-6, scale_z=1.5e-6)


def convert_large(folder: str) -> int:
    """Converts a file of 420 MB, and gives the most memory that this took at a time, in bytes."""
    import resource

    import tifffile

    sys.path.insert(0, str(Path(__file__).parents[2] / "standard_code" / "python"))
    import convert_to_tif

    source = Path(folder) / "large.ome.tif"
    shape = (200, 1024, 1024)
    tifffile.memmap(source, shape=shape, dtype="uint16", ome=True, metadata={"axes": "ZYX"}).flush()
    words = ["--input-search-pattern", str(source), "--output-folder", str(source.parent / "out"), "--no-parallel"]
    sys.stdout = sys.stderr
    assert convert_to_tif.main(words) == 0
    sys.stdout = sys.__stdout__
    if sys.platform != "linux":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # getrusage(2) would tell what the tests' own process had
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024


def rois(archive: str) -> dict[str, object]:
    """The ROIs of a zip file: names, kinds, places, and the label image that their outlines enclose."""
    import numpy as np
    import roifile

    found = roifile.roiread(archive)
    drawn = np.zeros((20, 30), int)
    for roi in found:
        if roi.t_position < 2:
            drawn += int(roi.name.split("_")[-1 if roi.t_position else 0]) * enclosed(roi.coordinates(multi=True))
    return {
        "names": [roi.name for roi in found],
        "kinds": sorted({roi.roitype.name for roi in found}),
        "times": [roi.t_position for roi in found],
        "box": [found[0].left, found[0].top, found[0].right, found[0].bottom],
        "labels": drawn.tolist(),
    }


def enclosed(loops):  # type: ignore[no-untyped-def]
    """1 at each pixel whose centre the loops enclose, by the even-odd rule of ImageJ's composites."""
    import numpy as np

    ys, xs = np.mgrid[:20, :30]
    crossings = np.zeros(ys.shape, int)
    for loop in loops:
        for (x0, y0), (x1, y1) in zip(loop, np.roll(loop, -1, axis=0), strict=True):
            crossings += (x0 == x1) & (xs >= x0) & (ys >= min(y0, y1)) & (ys < max(y0, y1))
    return crossings % 2


def shapes(kind: str):  # type: ignore[no-untyped-def]
    """Bright objects on a dark, slightly noisy ground."""
    import numpy as np

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
    if kind == "slope":
        return (discs([(30, 30, 15), (70, 110, 15)]) // 2 + np.arange(150) * 6).astype(np.uint16)
    if kind == "levels":
        return np.repeat(np.array([10, 100, 200], np.uint8), 40)[None].repeat(10, 0)
    if kind == "specks":
        image = discs([(60, 40, 20)])
        image[5::17, 5::19] = 1000
        return image
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


def serve() -> None:
    """Each line of standard input is a task and its arguments; a line says what came of it."""
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        task, *arguments = json.loads(line)
        try:
            told = {"is": globals()[task](*arguments)}
        except Exception:
            told = {"error": traceback.format_exc()}
        print(json.dumps(told), file=answers, flush=True)


if __name__ == "__main__":
    task, *arguments = sys.argv[1:]
    if task == "serve":
        serve()
    else:
        print(json.dumps(globals()[task](*arguments)))
