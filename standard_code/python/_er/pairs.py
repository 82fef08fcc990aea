"""Finds, for each truth of a synthetic image, the prediction of its classes."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _program.files import UserError, absolute, stem

if TYPE_CHECKING:
    import numpy as np

ENDINGS = (".tif", ".tiff", ".ome.tif", ".ome.tiff")
CLASSES = ("background", "tubule", "sheet", "SBT")


@dataclass(frozen=True)
class Pair:
    """The files of one image."""

    name: str  # of the image, with its subfolder
    truth: Path
    prediction: Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments that say where both are."""
    group = parser.add_argument_group("label images")
    group.add_argument("--prediction-folder", required=True, metavar="FOLDER", help="holds the predicted classes")
    group.add_argument("--truth-folder", required=True, metavar="FOLDER", help="holds the true classes")
    group.add_argument(
        "--prediction-suffix",
        default="_ernet_mask",
        metavar="TEXT",
        help="what a prediction's name has after the image's name",
    )
    group.add_argument(
        "--truth-suffix", default="_truth", metavar="TEXT", help="what a truth's name has after the image's name"
    )


def find(args: argparse.Namespace) -> list[Pair]:
    """All pairs, sorted by name. Raises UserError where there is no truth, or one without its prediction."""
    folder, predictions = absolute(args.truth_folder), absolute(args.prediction_folder)
    for each, option in ((folder, "--truth-folder"), (predictions, "--prediction-folder")):
        if not each.is_dir():
            raise UserError(f"{option} {each} is no folder. Was it made by the step before?")
    pairs = []
    for truth in sorted(folder.rglob("*.tif*")):
        if truth.name.startswith(".") or not truth.is_file() or not stem(truth).endswith(args.truth_suffix):
            continue
        name = stem(truth).removesuffix(args.truth_suffix)
        subfolder = truth.parent.relative_to(folder)
        pairs.append(Pair((subfolder / name).as_posix(), truth, _in(predictions / subfolder, name, args)))
    if not pairs:
        raise UserError(f"{folder} holds no files whose names end in {args.truth_suffix}.tif. See --truth-suffix.")
    return pairs


def _in(folder: Path, name: str, args: argparse.Namespace) -> Path:
    tried = [folder / f"{name}{args.prediction_suffix}{ending}" for ending in ENDINGS]
    for path in tried:
        if path.is_file():
            return path
    raise UserError(f"there is no prediction {tried[0]}. Was the image segmented? See --prediction-suffix.")


def classes(path: Path) -> np.ndarray[Any, Any]:
    """The classes of a flat label image. Raises UserError where its values are no classes."""
    from _tiff.in_memory import read_tiff

    try:
        found = read_tiff(path, "labels").channel(0)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    if len(found) > 1:
        raise UserError(f"{path} has {len(found)} time points; this program compares flat images.")
    if found.dtype.kind not in "ui" or found.max() >= len(CLASSES):
        raise UserError(f"{path} has values other than the classes 0 to {len(CLASSES) - 1}.")
    return found[0]
