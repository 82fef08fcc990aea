"""Says which PyTorch, CUDA, driver and GPU this environment has, and lets the GPU compute something."""

from __future__ import annotations

import argparse
import importlib.util
import platform
import shutil
import subprocess
import sys
import time

SIDE = 2048  # of the matrices that are multiplied
GROUP = "segment_ernet"  # whose environment has its packages


def arguments() -> argparse.ArgumentParser:
    """The command line of this program."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda"),
        default="auto",
        help="cuda: end with 1 where no GPU can be used; auto: use one where there is one (default: auto)",
    )
    return parser


def driver() -> str:
    """What the driver says of itself and the GPUs; "" without one."""
    program = shutil.which("nvidia-smi")
    if not program:
        return ""
    fields = "--query-gpu=driver_version,name,memory.total"
    try:
        done = subprocess.run(
            [program, fields, "--format=csv,noheader"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def compute(device: str) -> tuple[float, float]:
    """Multiplies matrices; gives the largest difference to the CPU's result, as a share of it, and the seconds."""
    import torch

    torch.manual_seed(0)
    left, right = torch.rand(SIDE, SIDE), torch.rand(SIDE, SIDE)
    there = left.to(device), right.to(device)
    there[0] @ there[1]  # the first call loads libraries
    if device == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    product = there[0] @ there[1]
    if device == "cuda":
        torch.cuda.synchronize()
    seconds = time.perf_counter() - start
    wanted = left.double() @ right.double()
    return float(((product.cpu().double() - wanted).abs() / wanted).max()), seconds


def main(argv: list[str] | None = None) -> int:
    """Runs the program; gives its exit code."""
    args = arguments().parse_args(argv)
    print(f"Python {platform.python_version()} on {platform.platform()}")
    if not importlib.util.find_spec("torch"):
        print("error: this environment has no PyTorch. Take environment: uv:segment_ernet.", file=sys.stderr)
        return 1
    import torch
    from _ernet.engines import why_no_cuda

    build = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built without CUDA"
    print(f"PyTorch {torch.__version__}, {build}")
    print(f"Driver and GPUs: {driver() or 'nvidia-smi finds none'}")
    reason = why_no_cuda()
    if reason and args.device == "cuda":
        print(f"error: CUDA was asked for and cannot be used: {reason}", file=sys.stderr)
        return 1
    device = "cpu" if args.device == "cpu" or reason else "cuda"
    if device == "cuda":
        about = torch.cuda.get_device_properties(0)
        print(
            f"GPU: {about.name}, {about.total_memory / 2**30:.1f} GiB, compute capability {about.major}.{about.minor}"
        )
    elif reason:
        print(f"No GPU: {reason}")
    difference, seconds = compute(device)
    print(f"A product of two {SIDE} x {SIDE} matrices on {device}: {2 * SIDE**3 / seconds / 1e12:.2f} TFLOP/s")
    if not difference < 1e-3:
        print(f"error: its result is wrong (relative difference {difference:.2g}).", file=sys.stderr)
        return 1
    print(f"Its result is right (relative difference {difference:.1g}).")
    return 0


if __name__ == "__main__":
    sys.exit(main())
