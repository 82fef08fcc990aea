# /// script
# requires-python = "==3.11.*"
# dependencies = ["numpy", "onnx", "scikit-image", "scipy", "torch==2.13.0"]
# ///
"""Trains the default model on synthetic images and writes it as ONNX.

    uv run --script standard_code/training/train_er.py --output er_default.onnx

The number of iterations is fixed, and everything follows from the seed. It takes about an hour on one core.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from preparing import stretched
from synthetic_er import CLASSES, DARKER, KINDS, Look, generate
from torch import Tensor, nn
from torch.nn import functional
from unet import HALO, MULTIPLE, UNet, export, parameters

Array = np.ndarray[Any, Any]

VERSION = "2"
ITERATIONS = 6000
BATCH, CROP, SIZE = 8, 128, 256  # images, pixels of a crop's side, pixels of an image's side
IMAGES = 2000  # as many of each look, in turn
PEAK_RATE = 4e-3
THREADS = 1  # more add numbers in another order, and gain little for a model this small
# The kinds, low light still darker than they are; and one that spans them all, for what lies between them.
LOOKS = [
    KINDS["plain"],
    KINDS["mixed"],
    KINDS["sheets"],
    DARKER,
    Look(
        spacing=(24.0, 60.0), width=(2.5, 7.5), width_varies=True, brightness=(0.4, 1.3), sheets=(0.0, 0.35),
        blur=(1.0, 2.0), photons=(6.0, 200.0), haze=(0.1, 0.6),
    ),
]  # fmt: skip


def arguments() -> argparse.ArgumentParser:
    """The command line of this program."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="the ONNX file to write")
    parser.add_argument("--seed", type=int, default=20, metavar="N")
    parser.add_argument("--iterations", type=int, default=ITERATIONS, metavar="N")
    parser.add_argument("--images", type=int, default=IMAGES, metavar="N", help="of the training set")
    return parser


def one_image(task: tuple[int, int]) -> tuple[Array, Array]:
    """Image `number` of the training set, as the model sees it, and its truth."""
    seed, number = task
    sample = generate(LOOKS[number % len(LOOKS)], SIZE, seed, number)
    return stretched(sample.image), sample.truth


def training_set(seed: int, count: int) -> tuple[Array, Array]:
    """(N, H, W) images in 0..1 and classes."""
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        pairs = list(pool.map(one_image, ((seed, number) for number in range(count)), chunksize=8))
    images, truths = zip(*pairs, strict=True)
    return np.stack(images), np.stack(truths)


def batches(images: Array, truths: Array, rng: np.random.Generator) -> Any:
    """Random crops, turned and mirrored, without end."""
    while True:
        xs, ys = [], []
        for number in rng.integers(len(images), size=BATCH):
            top, left = rng.integers(SIZE - CROP + 1, size=2)
            part = np.s_[top : top + CROP, left : left + CROP]
            turns, mirror = int(rng.integers(4)), rng.random() < 0.5
            x, y = (np.rot90(values[number][part], turns) for values in (images, truths))
            xs.append(x[:, ::-1] if mirror else x)
            ys.append(y[:, ::-1] if mirror else y)
        yield torch.from_numpy(np.stack(xs)[:, None].copy()), torch.from_numpy(np.stack(ys).astype(np.int64))


def loss_of(logits: Tensor, truth: Tensor) -> Tensor:
    """Cross entropy, and 1 - soft Dice of each class and of the whole foreground."""
    shares = functional.softmax(logits, dim=1)
    wanted = functional.one_hot(truth, logits.shape[1]).permute(0, 3, 1, 2).float()
    shares, wanted = (torch.cat([values[:, 1:], 1 - values[:, :1]], dim=1) for values in (shares, wanted))
    common = (shares * wanted).sum(dim=(0, 2, 3))
    total = (shares + wanted).sum(dim=(0, 2, 3))
    soft_dice = (2 * common + 50) / (total + 50)  # 50 pixels: a class that is rare in a batch must not shake it
    return functional.cross_entropy(logits, truth) + 1 - soft_dice.mean()


def train(seed: int, iterations: int, count: int) -> UNet:
    """The mean of the weights of the last iterations; prints how far it is."""
    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(seed)
    images, truths = training_set(seed, count)
    model = UNet().to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a third faster here
    print(f"{len(images)} images, {parameters(model)} parameters", flush=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK_RATE, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_RATE, total_steps=iterations, pct_start=0.15)
    mean = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.99), use_buffers=True
    )
    start, recent = time.monotonic(), 0.0
    endless = batches(images, truths, np.random.default_rng([seed, len(images)]))
    for number, (image, truth) in enumerate(islice(endless, iterations), 1):
        loss = loss_of(model(image.contiguous(memory_format=torch.channels_last)), truth)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        mean.update_parameters(model)
        recent += loss.item() / 50
        if number % 50 == 0:
            print(f"{number}/{iterations}  loss {recent:.4f}  {time.monotonic() - start:.0f} s", flush=True)
            recent = 0.0
    return mean.module  # type: ignore[return-value]


def main(argv: list[str] | None = None) -> int:
    """Runs the program; gives its exit code."""
    args = arguments().parse_args(argv)
    model = train(args.seed, args.iterations, args.images)
    described = {
        "classes": ",".join(CLASSES), "multiple": str(MULTIPLE), "halo": str(HALO), "version": VERSION,
        "seed": str(args.seed), "iterations": str(args.iterations), "parameters": str(parameters(model)),
    }  # fmt: skip
    export(model, args.output, described)
    print(f"Model: {args.output} ({args.output.stat().st_size} bytes)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
