"""Run by a group's own Python: does PyTorch compute on the GPU? One JSON object on the last line.

Fills a part of the GPU's memory, multiplies two matrices there and on the CPU, and compares.
"""

from __future__ import annotations

import json
import time
from importlib import import_module
from typing import Any

SIDE = 1024  # of the matrices
FILLED = 256 << 20  # bytes, or a quarter of what is free
CLOSE = 0.05  # largest allowed difference, absolute; fast number formats of newer GPUs give 0.01


def probe() -> dict[str, Any]:
    """What was seen; `error` says what did not work."""
    try:
        torch = import_module("torch")
    except Exception as error:  # a missing library shows in many ways
        return {"error": f"PyTorch cannot be imported: {error}"}
    found: dict[str, Any] = {}
    try:
        found = {"torch": torch.__version__, "cuda": torch.version.cuda}
        if torch.version.cuda is None:
            return {**found, "error": f"PyTorch {torch.__version__} is the one for the CPU alone"}
        if not torch.cuda.is_available():
            return {**found, "error": "PyTorch sees no GPU", "detail": _why(torch)}
        return found | _on_gpu(torch)
    except Exception as error:  # out of memory, no kernel for this GPU, a broken driver
        return {**found, "error": f"computing on the GPU failed: {error}"}


def _why(torch: Any) -> str:
    """PyTorch's own reason, which `is_available` keeps to itself."""
    try:
        torch.cuda.init()
    except Exception as error:
        return str(error)
    return ""


def _on_gpu(torch: Any) -> dict[str, Any]:
    free, total = torch.cuda.mem_get_info()
    size = min(FILLED, free // 4)
    block = torch.ones(size // 4, dtype=torch.float32, device="cuda")
    filled = float(block[-1].item())
    del block
    torch.manual_seed(1)
    left, right = torch.rand(SIDE, SIDE), torch.rand(SIDE, SIDE)
    on_gpu_left, on_gpu_right = left.cuda(), right.cuda()
    torch.cuda.synchronize()
    began = time.perf_counter()
    product = on_gpu_left @ on_gpu_right
    torch.cuda.synchronize()
    seconds = time.perf_counter() - began
    expected = left @ right
    difference = float((product.cpu() - expected).abs().max().item()) / float(expected.abs().max().item())
    found = {
        "name": torch.cuda.get_device_name(0),
        "free": int(free),
        "total": int(total),
        "seconds": seconds,
        "difference": difference,
    }
    if filled != 1.0 or not difference < CLOSE:
        found["error"] = f"the GPU computes wrongly: a matrix product is off by {difference:.2g}"
    return found


if __name__ == "__main__":
    print(json.dumps(probe()))
