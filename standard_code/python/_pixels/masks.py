"""The label image that belongs to an image."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import _program.arguments
from _image.images import Image
from _pixels.regions import whole
from _program.files import Job, UserError, start_of, stem
from _tiff.in_memory import read_tiff

if TYPE_CHECKING:
    import numpy as np


def add_arguments(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Arguments that say where the label images are."""
    group = parser.add_argument_group("label images")
    where = group.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--mask-folder", metavar="FOLDER", help="holds the label images, in the same subfolders as the input files"
    )
    where.add_argument(
        "--mask-search-pattern",
        metavar="PATTERN",
        help="or: the label images, with an asterisk for the name of the input file without its ending, for example "
        "'D:/masks/*_nuc.tif'; **/ stands for the same subfolders",
    )
    group.add_argument(
        "--mask-suffix",
        default="_labels",
        metavar="TEXT",
        help="what a label image's name has after the name of its input file",
    )
    group.add_argument(
        "--channel-index",
        type=_program.arguments.whole_number,
        metavar="N",
        help="counted from 0 (default: 0; of a colour image how bright it is, by its luminance)",
    )
    return group


def read_pair(job: Job, args: argparse.Namespace) -> tuple[Image, np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The image, its chosen channel and its labels, both as (T, Y, X)."""
    image = read_tiff(job.source)
    pixels = image.channel(args.channel_index)
    return image, pixels, labels_for(job, args, pixels)


def labels_for(job: Job, args: argparse.Namespace, pixels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The labels of an image as (T, Y, X), which is the shape of `pixels` too."""
    path = find(job, args)
    try:
        labels = whole(read_tiff(path, "labels").channel(0))
    except UserError as error:
        raise UserError(f"its label image {path}: {error}") from error
    if labels.shape != pixels.shape:
        raise UserError(f"its label image {path} has another size: {_size(labels)} against {_size(pixels)}.")
    return labels


def find(job: Job, args: argparse.Namespace) -> Path:
    """Where the label image is. Raises UserError where there is none."""
    if args.mask_search_pattern:
        return _by_pattern(job, args.mask_search_pattern)
    folder = Path(args.mask_folder).expanduser() / job.subfolder
    names = [f"{stem(job.source)}{args.mask_suffix}{ending}" for ending in (".tif", ".tiff", ".ome.tif", ".ome.tiff")]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise UserError(f"there is no label image {folder / names[0]}. Was it segmented? See --mask-folder, --mask-suffix.")


def _by_pattern(job: Job, pattern: str) -> Path:
    start, rest = start_of(pattern)
    place = start / Path(*[str(job.subfolder) if part == "**" else part for part in rest[:-1]])
    path = place / rest[-1].replace("*", stem(job.source))
    if not path.is_file():
        raise UserError(f"there is no label image {path}. Was it segmented? See --mask-search-pattern.")
    return path


def _size(stack: np.ndarray[Any, Any]) -> str:
    frames, height, width = stack.shape
    return f"{width} x {height} pixels" + (f" x {frames} time points" if frames > 1 else "")
