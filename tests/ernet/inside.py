"""Runs inside a program's environment, for the tests: the network on one engine, and what came of it as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "standard_code" / "python")]


def tensors() -> dict[str, Any]:
    """All 188 of the official file."""
    import _ernet_layout as layout
    import made_weights
    import numpy as np

    made = made_weights.weights(layout.used_shapes() | layout.UNUSED)
    return made | {name: np.array(layout.position_index()) for name in layout.INDEX_TABLES}


def checkpoints(folder: Path) -> dict[str, Path]:
    """The weights as the official file has them, alone, and as several GPUs leave them."""
    import writing_checkpoints

    made = tensors()
    optimizer = {
        "state": {0: {"step": made["norm.bias"], "exp_avg": made["norm.bias"]}},
        "param_groups": [{"lr": 1e-4}],
    }
    contents = {
        "official": {"epoch": 1, "state_dict": made, "optimizer": optimizer, "scheduler": {"last_epoch": 3}},
        "bare": made,
        "prefixed": {"epoch": 1, "state_dict": {f"module.{name}": value for name, value in made.items()}},
    }
    return {name: writing_checkpoints.save(content, folder / f"{name}.pth") for name, content in contents.items()}


def conformance(engine: str, folder: str) -> dict[str, float]:
    """Largest difference to the reference's logits, for each way to write the same weights."""
    import made_weights
    import numpy as np

    reference = np.load(HERE / "reference_logits.npy")
    image = made_weights.image()[None, None]
    found = {}
    for name, path in checkpoints(Path(folder)).items():
        logits = run_torch(path, image) if engine == "torch" else run_onnx(path, image)
        found[name] = float(np.abs(logits[0] - reference).max())
    return found


def run_torch(path: Path, image: Any) -> Any:
    import _ernet_checkpoint
    import torch
    from _ernet_network import network

    with torch.inference_mode():
        return network(_ernet_checkpoint.read_with_torch(path))(torch.from_numpy(image)).numpy()


def run_onnx(path: Path, image: Any) -> Any:
    import _ernet_checkpoint
    import _ernet_onnx
    import onnx
    import onnxruntime

    assert "torch" not in sys.modules
    model = _ernet_onnx.model(_ernet_checkpoint.read_without_torch(path))
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"image": image})[0]


if __name__ == "__main__":
    json.dump(globals()[sys.argv[1]](*sys.argv[2:]), sys.stdout)
