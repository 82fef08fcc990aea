"""Segments the endoplasmic reticulum (ER) into tubules, sheets and sheet-based tubules (SBT), and measures its network.

Without --weights it uses the model that ships, which was trained on synthetic images only. With the weights of ERnet-v2
(Lu et al. 2023; a .pth file) it runs that network. Each time point and Z plane is an image of its own. Results for each
file: a mask (OME-TIFF: 0 background, 1 tubule, 2 sheet, 3 SBT), a table of measures (CSV) and a picture (PNG).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import _program.arguments
import _program.work
from _program.arguments import positive_integer, whole_number
from _program.cores import cores
from _program.files import Job, UserError, write_table, writing

if TYPE_CHECKING:
    import numpy as np
    from _ernet.prepare import Prepared
    from _ernet.tiles import Engine
    from _image.stacks import Stack

    Array: TypeAlias = np.ndarray[Any, Any]

CLASS_NAMES = "0 background, 1 tubule, 2 sheet, 3 SBT"
CLASSES = {"tubule": 1, "sheet": 2, "sbt": 3}
LARGEST_PICTURE = 2048  # pixels a side
LARGE = 2**24  # pixels; from here on, an image's memory matters
MANY_TILES = 64  # from here on, an image has a progress bar of its own
GROUP = "segment_er"  # whose environment has its packages


def arguments() -> argparse.ArgumentParser:
    """The command line of this program."""
    parser = _program.arguments.parser(__doc__ or "", suffix="_ernet_mask", folders=("--output-folder", "--output-dir"))
    model = parser.add_argument_group("network")
    model.add_argument(
        "--weights",
        default="default",
        metavar="MODEL",
        help="'default', or a .pth file of ERnet-v2, or an .onnx file: a path, or an address that is fetched once",
    )
    model.add_argument("--weights-sha256", default="", metavar="HEX", help="refuse a file with another SHA-256")
    model.add_argument(
        "--device", choices=("auto", "cpu", "cuda", "directml"), default="auto", help="where the network runs"
    )
    model.add_argument("--tile-size", type=positive_integer, metavar="PIXELS", help="results do not depend on it")
    model.add_argument(
        "--precision",
        choices=("auto", "fp32", "tf32", "fp16"),
        default="auto",
        help="of the numbers on a GPU; auto is fp32, the others are faster and change some labels",
    )
    what = parser.add_argument_group("images and results")
    what.add_argument(
        "--channel-index",
        type=whole_number,
        metavar="N",
        help="counted from 0 (default: 0; of a colour image the brightest colour)",
    )
    what.add_argument(
        "--mask-class",
        nargs="+",
        type=str.lower,
        choices=("all", *CLASSES),
        default=["all"],
        help="classes that the mask keeps, with their numbers",
    )
    what.add_argument(
        "--min-size",
        type=whole_number,
        metavar="PIXELS",
        help="smaller pieces become background (default: 50 with the model that ships, 0 with others)",
    )
    what.add_argument("--no-overlay", action="store_true", help="write no picture")
    what.add_argument("--ernet-dir", help=argparse.SUPPRESS)  # older pipelines name a copy of ERnet; none is needed
    what.add_argument("--output-ome-tif", action="store_true", help=argparse.SUPPRESS)  # always the case now
    return parser


def segment(job: Job, args: argparse.Namespace) -> str:
    """Segments one file; gives what to say about it."""
    import _ernet.measure
    import numpy as np
    from _ernet.prepare import prepare
    from _image.scenes import first_of
    from _image.stacks import Stack
    from _reading.formats import open_scenes
    from _tiff.writing import write_stack

    rows: list[dict[str, object]] = []
    with open_scenes(job.source) as scenes:
        stack = first_of(scenes).open()
        frames, _, planes, height, width = stack.shape

        def plane(t: int, _: int, z: int) -> Array:
            image = prepare(read(job.source, stack, t, args.channel_index, z))
            mask = segment_plane(image, args)
            shown = (t, z) == (0, planes // 2) and not args.no_overlay
            grey = in_grey(image) if shown else None
            del image  # what follows needs memory of its own
            row = _ernet.measure.measures(mask, stack.pixel_size.x if stack.pixel_size else None)
            rows.append({"file": job.source.name, "t": t, "z": z} | row)
            if grey is not None:
                save_picture(grey, mask, beside(job, args, "_ernet_overlay.png"))
            return only(mask, args.mask_class)

        shape = (frames, 1, planes, height, width)
        write_stack(
            job.target,
            Stack(shape, np.dtype(np.uint8), plane, stack.pixel_size, (CLASS_NAMES,), False, stack.time_interval),
        )
    write_table(beside(job, args, "_ernet_network.csv"), list(rows[0]), rows)
    first = rows[0]
    more = f", first of {len(rows)} images" if len(rows) > 1 else ""
    return (
        f"{first['foreground_fraction']:.1%} ER, {first['tubule_length_px']} pixels of tubules, "
        f"{first['junctions']} junctions, {first['ends']} ends{more}"
    )


def read(path: Path, stack: Stack, t: int, channel: int | None, z: int) -> Array:
    """One image (Y, X). A large one is read from a file opened anew, for an open one keeps the plane read last."""
    from _reading.formats import open_scenes

    if stack.shape[3] * stack.shape[4] < LARGE:
        return one_plane(stack, t, channel, z)
    with open_scenes(path) as scenes:
        return one_plane(scenes[0].open(), t, channel, z)


def one_plane(stack: Stack, t: int, channel: int | None, z: int) -> Array:
    """One image (Y, X). Raises UserError where there is no such channel."""
    import numpy as np

    if channel is None and stack.rgb:
        return np.maximum.reduce([stack.plane(t, c, z) for c in range(3)])
    if (channel or 0) >= stack.shape[1]:
        raise UserError(f"there is no channel {channel}: it has {stack.shape[1]}, counted from 0. See --channel-index.")
    return stack.plane(t, channel or 0, z)


def segment_plane(image: Prepared, args: argparse.Namespace) -> Array:
    """The classes of one image, without specks."""
    from _ernet.measure import remove_specks
    from _ernet.tiles import segment, tiles
    from tqdm import tqdm

    engine = the_engine(args)
    height, width = image.plane.shape
    count = len(tiles(height, width, engine.core, engine.halo, engine.multiple))
    with tqdm(total=count, unit="tile", leave=False, file=sys.stderr, disable=count < MANY_TILES) as bar:
        mask = segment(image, (height, width), engine, bar.update)
    remove_specks(mask, args.min_size if args.min_size is not None else 50 if args.weights == "default" else 0)
    return mask


_engines: list[Engine] = []  # one, loaded once for all files


def the_engine(args: argparse.Namespace) -> Engine:
    """The network on its device. Raises UserError where it cannot be had."""
    if not _engines:
        from _ernet.engines import engine
        from _ernet.weights import locate

        count = 1 if args.no_parallel else args.maxcores or cores()
        path = locate(args.weights, args.weights_sha256)
        _engines.append(
            engine(path, args.device, cores=count, tile_size=args.tile_size, precision=args.precision),
        )
    return _engines[0]


def only(mask: Array, classes: list[str]) -> Array:
    """The mask with the other classes taken out."""
    import numpy as np

    if "all" in classes:
        return mask
    kept = np.zeros(256, np.uint8)
    for name in classes:
        kept[CLASSES[name]] = CLASSES[name]
    return kept[mask]


def beside(job: Job, args: argparse.Namespace, ending: str) -> Path:
    """Another result's path, beside the mask."""
    return job.target.with_name(job.target.name.removesuffix(".tif").removesuffix(args.output_suffix) + ending)


def in_grey(image: Prepared) -> Array:
    """0..255 (Y, X) for a picture; of large images a part of their pixels."""
    from _ernet.prepare import stretched

    step = -(-max(image.plane.shape) // LARGEST_PICTURE)
    return stretched(image.plane[::step, ::step], image.low, image.high) * 255


def save_picture(grey: Array, mask: Array, path: Path) -> None:
    """The classes in colour over the image in grey; of the mask, the pixels that the image shows."""
    from _pixels.palette import er_over
    from PIL import Image

    step = -(-max(mask.shape) // LARGEST_PICTURE)
    with writing(path) as part:
        Image.fromarray(er_over(grey, mask[::step, ::step])).save(part, format="PNG")


def main(argv: list[str] | None = None) -> int:
    """Runs the program; gives its exit code."""
    args = arguments().parse_args(argv)
    settings = argparse.Namespace(**vars(args) | {"no_parallel": True})  # the network itself uses all cores
    return _program.work.run(settings, segment, ending=".tif", before=lambda: load(args))


def load(args: argparse.Namespace) -> None:
    """Makes the network ready, and says where it runs."""
    about = the_engine(args).about
    if args.log_level in ("DEBUG", "INFO"):
        print(f"The network runs in {about}.", flush=True)


if __name__ == "__main__":
    sys.exit(main())
