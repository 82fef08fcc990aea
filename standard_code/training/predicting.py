"""The default model on whole images, in onnxruntime. For images too large for that, _segment_ernet.py has tiles."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from preparing import stretched
from skimage.measure import label

if TYPE_CHECKING:
    import onnxruntime

Array = np.ndarray[Any, Any]

MODEL = Path(__file__).resolve().parents[1] / "models" / "er_default.onnx"
SMALLEST = 50  # pixels; smaller pieces of a network are specks


def session(model: Path = MODEL, threads: int = 2) -> onnxruntime.InferenceSession:
    """The loaded model, on the CPU."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read when the library is loaded
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def logits(model: onnxruntime.InferenceSession, prepared: Array) -> Array:
    """(4, H, W) of an image in 0..1 of any size."""
    height, width = prepared.shape
    padded = np.pad(prepared, ((0, -height % 8), (0, -width % 8)), mode="edge")
    return np.asarray(model.run(["logits"], {"image": padded[None, None]})[0])[0, :, :height, :width]


def classes(
    model: onnxruntime.InferenceSession, image: Array, *, flips: bool = False, smallest: int = SMALLEST
) -> Array:
    """uint8 classes of an image as the camera gave it; `flips` takes the mean over its eight orientations."""
    prepared = stretched(image)
    total = logits(model, prepared)
    if flips:
        total = sum(_turned_back(model, prepared, turns, mirror) for turns in range(4) for mirror in (False, True))
    return without_specks(total.argmax(axis=0).astype(np.uint8), smallest)


def _turned_back(model: onnxruntime.InferenceSession, prepared: Array, turns: int, mirror: bool) -> Array:
    view = np.rot90(prepared[:, ::-1] if mirror else prepared, turns)
    found = np.rot90(logits(model, np.ascontiguousarray(view)), -turns, axes=(1, 2))
    return found[:, :, ::-1] if mirror else found


def without_specks(found: Array, smallest: int = SMALLEST) -> Array:
    """Pieces of the foreground (8-connected) of fewer pixels become background."""
    pieces = label(found > 0, connectivity=2)
    small = np.bincount(pieces.ravel()) < smallest
    return np.where(small[pieces], 0, found).astype(found.dtype)
