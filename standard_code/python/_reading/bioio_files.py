"""Microscope files through bioio: one package for each format, which only some environments have."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from _image.images import PixelSize
from _image.stacks import Scene, Stack
from _program.files import UserError, in_words

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]

KEPT = 2**28  # bytes of decoded pixels that are kept, since a file's blocks may hold several planes

DETAILS = (
    "binning",
    "imaged_by",
    "objective",
    "position_index",
    "row",
    "column",
    "stage_position_x",
    "stage_position_y",
)


@dataclass(frozen=True)
class Plugin:
    """A reader of bioio: the module that has it, its package, and the group of pyproject.toml that installs it."""

    module: str
    package: str
    group: str


ND2 = Plugin("bioio_nd2", "bioio-nd2", "bioio")
LIF = Plugin("bioio_lif", "bioio-lif", "bioio")
CZI = Plugin("bioio_czi", "bioio-czi", "bioio_czi")
BIOFORMATS = Plugin("bioio_bioformats", "bioio-bioformats", "bioio_bioformats")


def installed(plugin: Plugin) -> bool:
    """Whether this environment has it."""
    from importlib.util import find_spec

    return bool(find_spec("bioio") and find_spec(plugin.module))


@contextmanager
def open_with(plugin: Plugin, path: Path) -> Iterator[list[Scene]]:
    """The scenes of a file."""
    if not installed(plugin):
        raise UserError(
            f"files ending in {path.suffix.lower()!r} need the package {plugin.package}, which this environment does "
            f"not have. In the pipeline, write `environment: uv:{plugin.group}`."
        )
    with in_words(partial(_unreadable, path)):
        image = bioimage(plugin, path)
        names = [str(name) for name in image.scenes]
        scenes = [
            Scene(name, _pixels(image, number), partial(_stack, plugin, path, number), partial(_details, image, number))
            for number, name in enumerate(names)
        ]
    yield scenes


def bioimage(plugin: Plugin, path: Path, **options: Any) -> Any:
    """The file as bioio's BioImage."""
    from bioio import BioImage
    from bioio_base.exceptions import UnsupportedFileFormatError

    for name in ("bioio", "bioio_base", plugin.module):  # they report each missing detail with a traceback
        logging.getLogger(name).setLevel(logging.CRITICAL)
    reader = import_module(plugin.module).Reader
    try:
        image = BioImage(path, reader=reader, **options)
    except UnsupportedFileFormatError:
        reader(path, **options)  # its own words say more
        raise
    if plugin is CZI:
        _take_all_scenes(image, path)
    return image


def _take_all_scenes(image: Any, path: Path) -> None:
    """bioio-czi counts the scenes that the description lists; some programs list none, or those of other files too."""
    listed = image.scenes
    there = [number for part in _parts_of_czi(path) for number in range(*part.get("S", (0, 1)))]
    names = tuple(listed[number] if number < len(listed) else f"scene{number + 1}" for number in there)
    if len(names) != len(listed):
        logging.warning("its description lists %d scenes, and it holds %d", len(listed), len(names))
        image.reader._implementation._scenes = names  # there is no other way to name them


def _unreadable(path: Path, error: Exception) -> str:
    """Of the reader's own words, as much as is good to read."""
    words = str(error).strip().partition("\n")[0] or type(error).__name__
    short = words if len(words) <= 160 else f"{words[:160]}…"
    if "java" in words.lower():
        return f"Java or Bio-Formats could not be fetched, which needs a network once ({short})."
    return f"it cannot be read as {path.suffix[1:].upper()}; it may be damaged ({short})."


def _pixels(image: Any, number: int) -> int:
    image.set_scene(number)
    return int(image.dims.Y) * int(image.dims.X)


def _stack(plugin: Plugin, path: Path, number: int) -> Stack:
    with in_words(partial(_unreadable, path)):
        image = bioimage(plugin, path)
        image.set_scene(number)
        if plugin is LIF and int(image.dims.Z) * _pixels(image, number) * image.dtype.itemsize > KEPT:
            image = bioimage(plugin, path, chunk_dims=["Y", "X"])  # else a whole Z stack at a time
            image.set_scene(number)
        colours = "S" in image.dims.order
        pixels = image.get_image_dask_data("TCZYXS" if colours else "TCZYX")
        names = tuple(str(name) for name in image.channel_names or ())
        interval = _seconds(image)
        size = _pixel_size(image)
    samples = pixels.shape[5] if colours else 1
    samples = 3 if samples == 4 else samples  # transparency is left out
    frames, channels, planes, height, width = pixels.shape[:5]
    blocks = _Blocks(pixels)

    zeiss = _zeiss_reader(path, number) if plugin is CZI and (colours or len(_parts_of_czi(path)) > 1) else None

    def plane(t: int, c: int, z: int) -> Array:
        with in_words(partial(_unreadable, path)):
            if zeiss:
                return zeiss(t, c // samples, z)[..., samples - 1 - c % samples]  # it has blue, green and red
            found = blocks.plane(t, c // samples, z)
        return found[..., c % samples] if colours else found

    return Stack(
        (frames, channels * samples, planes, height, width),
        pixels.dtype,
        plane,
        size,
        names if len(names) == channels * samples and any(names) else (),
        colours and channels == 1 and samples == 3,
        interval,
    )


def _parts_of_czi(path: Path) -> list[dict[str, tuple[int, int]]]:
    """The ranges of its dimensions; one for each scene where these differ."""
    found: list[dict[str, tuple[int, int]]] = import_module("aicspylibczi").CziFile(path).get_dims_shape()
    return found


def _zeiss_reader(path: Path, number: int) -> Callable[[int, int, int], Array]:
    """By Zeiss's own library: aicspylibczi writes beyond its memory where a scene is larger than the first, and
    bioio-czi's lazy arrays repeat the first colour."""
    czi = import_module("pylibCZIrw.czi")

    @lru_cache(1)
    def read(t: int, c: int, z: int) -> Array:
        with czi.open_czi(str(path)) as file:
            scenes = file.scenes_bounding_rectangle_no_pyramid
            scene = sorted(scenes)[number] if scenes else None
            place = scenes[scene] if scenes else file.total_bounding_rectangle_no_pyramid
            found: Array = file.read(roi=tuple(place), plane={"T": t, "C": c, "Z": z}, scene=scene)
            return found

    return read


def _details(image: Any, number: int) -> dict[str, Any]:
    """What bioio's standard metadata say beyond sizes; times are in the form of ISO 8601."""
    image.set_scene(number)
    found = image.standard_metadata
    values = {name: getattr(found, name, None) for name in DETAILS}
    values["imaging_datetime"] = found.imaging_datetime.isoformat() if found.imaging_datetime else None
    return {name: value for name, value in values.items() if value is not None}


class _Blocks:
    """Planes of a dask array. Its blocks, as the file has them, are kept while there is room."""

    def __init__(self, pixels: Any) -> None:
        self._pixels = pixels
        self._kept: OrderedDict[tuple[tuple[int, int], ...], Array] = OrderedDict()
        self._lock = threading.Lock()

    def plane(self, *place: int) -> Array:
        """The plane at (t, c, z)."""
        import numpy as np

        spans = [_span(sizes, index) for sizes, index in zip(self._pixels.chunks, place, strict=False)]
        key = tuple(spans)
        with self._lock:
            if (block := self._kept.get(key)) is None:
                block = np.asarray(self._pixels[tuple(slice(*span) for span in spans)].compute(scheduler="synchronous"))
                self._kept[key] = block
                while len(self._kept) > 1 and sum(each.nbytes for each in self._kept.values()) > KEPT:
                    self._kept.popitem(last=False)
        return block[tuple(index - span[0] for index, span in zip(place, spans, strict=True))]


def _span(sizes: tuple[int, ...], index: int) -> tuple[int, int]:
    """Where the block begins and ends that holds `index`, along one axis."""
    start = 0
    for size in sizes:
        if index < start + size:
            return start, start + size
        start += size
    raise IndexError(index)


def _pixel_size(image: Any) -> PixelSize | None:
    """In micrometres, as all of bioio's readers give it."""
    try:
        size = image.physical_pixel_sizes
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    x, y, z = (float(value) if value else None for value in (size.X, size.Y, size.Z))
    return PixelSize(x, y or x, abs(z) if z and image.dims.Z > 1 else None) if x else None


def _seconds(image: Any) -> float | None:
    try:
        interval = image.time_interval
    except (AttributeError, KeyError, TypeError, ValueError, NotImplementedError):
        return None
    seconds = interval.total_seconds() if hasattr(interval, "total_seconds") else interval
    return float(seconds) if seconds else None
