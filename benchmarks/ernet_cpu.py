"""ERnet-v2 on the CPU: this project's implementations against a plain one, each in a process of its own. POSIX.

    python benchmarks/ernet_cpu.py --runs 3

Needs torch and onnxruntime. Prints the median of the wall and the processor time of one image, the largest memory of
the process, and how far the logits are from the plain implementation's. On a busy machine compare processor times.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

KINDS = ("plain", "torch", "onnxruntime")


def prepare(kind: str, cores: int) -> Callable[[Any], Any]:
    """Gives what turns an image (H, W) into logits (4, H, W)."""
    import ernet_plain as plain
    import numpy as np
    import torch

    if kind == "plain":
        torch.set_num_threads(cores)
        weights = plain.weights()

        def whole(image: Any) -> Any:
            with torch.inference_mode():
                return plain.forward(weights, torch.from_numpy(image)[None, None])[0].numpy()

        return whole
    from concurrent.futures import ThreadPoolExecutor

    from _ernet.tiles import tiles

    made = engine(kind, cores)

    def tiled(image: Any) -> Any:
        result = np.empty((4, *image.shape), np.float32)

        def one(tile: Any) -> None:
            part = made.logits(image[tile.rows.read, tile.columns.read][None, None])[0]
            result[:, tile.rows.kept, tile.columns.kept] = part[:, tile.rows.inside, tile.columns.inside]

        with ThreadPoolExecutor(made.workers) as pool:
            list(pool.map(one, tiles(*image.shape, made.core, made.halo, made.multiple)))
        return result

    return tiled


def engine(kind: str, cores: int) -> Any:
    """The engine of _segment_ernet.py, with made weights."""
    import ernet_plain as plain
    import torch
    from _ernet.engines import OnnxEngine, TorchEngine

    if kind == "onnxruntime":
        import _ernet.onnx_graph

        model = _ernet.onnx_graph.model({name: value.numpy() for name, value in plain.weights().items()})
        return OnnxEngine(model.SerializeToString(), "cpu", cores, "made weights")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "made.pth"
        torch.save(plain.weights(), path)
        return TorchEngine(path, "cpu", cores, "auto")


def measure(kind: str, side: int, runs: int, cores: int, result: Path) -> dict[str, float]:
    """One implementation in this process; its logits go to a file."""
    import ernet_plain as plain
    import numpy as np

    image = plain.made_weights.image(side, side)
    run = prepare(kind, cores)
    logits = run(image)
    walls, processor = [], []
    for _ in range(runs):
        wall, own = time.perf_counter(), time.process_time()
        run(image)
        walls.append(time.perf_counter() - wall)
        processor.append(time.process_time() - own)
    np.save(result, logits)
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30
    return {"wall": statistics.median(walls), "processor": statistics.median(processor), "memory": peak}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=512, metavar="PIXELS")
    parser.add_argument("--runs", type=int, default=3, metavar="N")
    parser.add_argument("--cores", type=int, default=2, metavar="N")
    parser.add_argument("--only", nargs=2, metavar=("KIND", "FILE"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.only:
        print(json.dumps(measure(args.only[0], args.side, args.runs, args.cores, Path(args.only[1]))))
        return
    import numpy as np

    numbers = [f"--{name}={getattr(args, name)}" for name in ("side", "runs", "cores")]
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            file = Path(folder) / f"{kind}.npy"
            command = [sys.executable, __file__, *numbers, "--only", kind, str(file)]
            found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
            plain, own = np.load(Path(folder) / "plain.npy"), np.load(file)
            changed = (plain.argmax(0) != own.argmax(0)).mean()
            print(
                f"{kind:12} {found['wall']:6.2f} s, {found['processor']:6.2f} s of processor time, "
                f"{found['memory']:.2f} GiB, logits differ by {np.abs(plain - own).max():.1e}, labels by {changed:.3%}"
            )


if __name__ == "__main__":
    main()
