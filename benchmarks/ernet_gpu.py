"""ERnet-v2 on a GPU of NVIDIA: images a second in each precision, against a plain implementation on the same GPU.

    python benchmarks/ernet_gpu.py

Also says how many labels a precision changes against fp32, how far fp32 is from the CPU, and which share of the GPU's
own rate of matrix products is reached, and how fast it copies. Without a GPU it says so.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable
from typing import Any

import ernet_plain as plain
import torch
from _ernet.engines import why_no_cuda
from _ernet.network import CUDA_WINDOWS, ErnetV2, network

PRECISIONS = ("fp32", "tf32", "fp16")


def seconds(run: Callable[[], Any], runs: int) -> float:
    """Median time of one call on the GPU, after two for warming up."""
    for _ in range(2):
        run()
    times = []
    for _ in range(runs):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        run()
        end.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(end) / 1000)
    return statistics.median(times)


def use(precision: str) -> torch.dtype:
    """Sets PyTorch to a precision; gives the type of the numbers."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
    return torch.float16 if precision == "fp16" else torch.float32


def matrix_rate(kind: torch.dtype) -> float:
    """Operations a second in a large product of matrices."""
    side = 8192
    left, right = (torch.rand(side, side, device="cuda").to(kind) for _ in range(2))
    return 2 * side**3 / seconds(lambda: left @ right, 5)


def copy_rate() -> float:
    """Bytes a second, read and written, of a large copy."""
    source = torch.empty(2**30, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    return 2 * source.numel() / seconds(lambda: target.copy_(source), 5)


def close_to_cpu(made: ErnetV2) -> float:
    """Largest difference of the logits in fp32 between GPU and CPU, on a small image."""
    use("fp32")
    image = torch.from_numpy(plain.made_weights.image(128, 128))[None, None]
    on_cpu = network(plain.weights())(image)
    return float((made.float()(image.cuda(), CUDA_WINDOWS).cpu() - on_cpu).abs().max())


@torch.inference_mode()
def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=1024, metavar="PIXELS")
    parser.add_argument("--batch", type=int, default=4, metavar="N")
    parser.add_argument("--runs", type=int, default=10, metavar="N")
    args = parser.parse_args()
    reason = why_no_cuda()
    if reason:
        print(f"Nothing was measured: {reason}")
        return 0
    print(f"{torch.cuda.get_device_name(0)}, PyTorch {torch.__version__}, CUDA {torch.version.cuda}")
    made = network(plain.weights()).cuda()
    print(f"fp32: logits differ from the CPU's by {close_to_cpu(made):.1e}")
    one = torch.from_numpy(plain.made_weights.image(args.side, args.side))[None, None].cuda()
    images = one.repeat(args.batch, 1, 1, 1)
    weights = {name: value.cuda() for name, value in plain.weights().items()}
    operations = plain.operations_per_pixel() * images.numel()
    print(f"copy: {copy_rate() / 1e9:.0f} GB/s")
    labels = None
    for precision in PRECISIONS:
        kind = use(precision)
        own, other = made.to(kind), {name: value.to(kind) for name, value in weights.items()}
        shown = images.to(kind)
        found = own(shown[:1], CUDA_WINDOWS).argmax(1)
        labels = found if labels is None else labels
        ours = seconds(lambda own=own, shown=shown: own(shown, CUDA_WINDOWS), args.runs)
        theirs = seconds(lambda other=other, shown=shown: plain.forward(other, shown), args.runs)
        made = network(plain.weights()).cuda()  # fp16 lost digits of the weights
        print(
            f"{precision}: {args.batch / ours:.1f} images/s, plain {args.batch / theirs:.1f}; "
            f"{float((found != labels).float().mean()):.3%} of labels change; "
            f"{operations / ours / 1e12:.1f} TFLOP/s, {operations / ours / matrix_rate(kind):.0%} of a matrix product's"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
