# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy", "onnxruntime", "scikit-image", "scipy"]
# ///
"""Compares the default model with six classical methods on synthetic images that it was not trained on.

    uv run --script standard_code/training/evaluate_er.py --json figures.json

Each classical method gets, for each kind of image, the parameters that are best on these very images. Pieces below 50
pixels are dropped for all. Prints a table of means over the images.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from classical import candidates
from measures import centreline_dice, dice
from predicting import MODEL, classes, session, without_specks
from preparing import stretched
from synthetic_er import CLASSES, DARKER, KINDS, Sample, generate

Array = np.ndarray[Any, Any]
Figures = dict[str, float]

SETS = {**KINDS, "darker": DARKER}  # the last one beyond what is asked of the model


def arguments() -> argparse.ArgumentParser:
    """The command line of this program."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", type=Path, default=MODEL, metavar="FILE", help="an ONNX file (default: the shipped)")
    parser.add_argument("--images", type=int, default=20, metavar="N", help="of each kind (default: 20)")
    parser.add_argument("--size", type=int, default=384, metavar="PIXELS", help="side of an image (default: 384)")
    parser.add_argument("--seed", type=int, default=1000, metavar="N", help="not the training's (default: 1000)")
    parser.add_argument("--no-classical", action="store_true", help="the model alone, which is quick")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")
    return parser


def agreement(found: Array, truth: Array) -> Figures:
    """Dice of the foreground, its centreline Dice, and Dice of each class that the truth has."""
    figures = {"foreground": dice(found > 0, truth > 0), "centreline": centreline_dice(found > 0, truth > 0)}
    for number, name in enumerate(CLASSES[1:], 1):
        if (truth == number).any():
            figures[name] = dice(found == number, truth == number)
    return {name: value for name, value in figures.items() if value is not None}


def mean(many: list[Figures]) -> Figures:
    """Of each figure, over those that have it."""
    names = dict.fromkeys(name for one in many for name in one)
    return {name: round(float(np.mean([one[name] for one in many if name in one])), 4) for name in names}


def of_model(model: Path, samples: list[Sample]) -> dict[str, Figures]:
    """The model once, and with the mean over eight orientations."""
    loaded = session(model)
    ways: dict[str, Callable[[Array], Array]] = {
        "model": lambda image: classes(loaded, image),
        "model, eight orientations": lambda image: classes(loaded, image, flips=True),
    }
    return {name: mean([agreement(way(one.image), one.truth) for one in samples]) for name, way in ways.items()}


def of_classical(samples: list[Sample]) -> dict[str, Figures]:
    """Each method with its best parameters for these images; they know foreground and background only."""
    found: dict[tuple[str, str], list[Figures]] = defaultdict(list)
    for sample in samples:
        truth = (sample.truth > 0).astype(np.uint8)
        for name, choice, mask in candidates(stretched(sample.image)):
            clean = without_specks(mask.astype(np.uint8))
            found[name, str(choice)].append({"foreground": dice(clean > 0, truth > 0) or 0.0})
    best: dict[str, Figures] = {}
    for (name, _), many in found.items():
        best[name] = max(best.get(name, {"foreground": 0.0}), mean(many), key=lambda figures: figures["foreground"])
    return best


def table(results: dict[str, dict[str, Figures]]) -> str:
    """The figures as a Markdown table."""
    methods = list(dict.fromkeys(name for methods in results.values() for name in methods))
    rows = [["", *results], ["---"] * (len(results) + 1)]
    rows += [[name, *(f"{methods[name]['foreground']:.3f}" for methods in results.values())] for name in methods]
    for figure in ("centreline", *CLASSES[1:]):
        values = [methods["model"].get(figure) for methods in results.values()]
        rows.append([f"model: {figure}", *("" if value is None else f"{value:.3f}" for value in values)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main(argv: list[str] | None = None) -> int:
    """Runs the program; gives its exit code."""
    args = arguments().parse_args(argv)
    results: dict[str, dict[str, Figures]] = {}
    for order, (kind, look) in enumerate(SETS.items()):
        samples = [generate(look, args.size, args.seed + order, number) for number in range(args.images)]
        classical = {} if args.no_classical else of_classical(samples)
        results[kind] = classical | of_model(args.model, samples)
        print(f"{kind}: {len(samples)} images", file=sys.stderr, flush=True)
    print(f"Dice of the foreground on {args.images} images of {args.size} x {args.size} pixels of each kind:\n")
    print(table(results))
    if args.json:
        args.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
