"""The default model: a small U-Net, and its export to ONNX."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    import onnx

WIDTHS = (48, 64, 96)  # channels at half, quarter and eighth size
MULTIPLE = 8  # sides of an image; the origin of a tile
HALO = 48  # pixels around a tile's core: no output pixel depends on an input further away


class UNet(nn.Module):
    """(N, 1, H, W) in 0..1 to (N, 4, H, W) logits.

    It works at half size and below, where a convolution costs a quarter; the first and the last layer carry the
    position within a pixel of that size as channels.
    """

    def __init__(self, classes: int = 4) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, WIDTHS[0], 4, stride=2, padding=1)
        inputs = (WIDTHS[0], *WIDTHS[:-1])
        self.down = nn.ModuleList(_two_convolutions(a, b) for a, b in zip(inputs, WIDTHS, strict=True))
        pairs = list(zip(WIDTHS[1:], WIDTHS[:-1], strict=True))
        self.up = nn.ModuleList(_two_convolutions(deep + flat, flat) for deep, flat in reversed(pairs))
        self.last = nn.ConvTranspose2d(WIDTHS[0], classes, 4, stride=2, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """The logits of each class."""
        value = functional.relu(self.first(image))
        seen: list[Tensor] = []
        for step in self.down:
            value = step(functional.max_pool2d(value, 2) if seen else value)
            seen.append(value)
        for step, flat in zip(self.up, reversed(seen[:-1]), strict=True):
            value = step(torch.cat([functional.interpolate(value, scale_factor=2.0, mode="nearest"), flat], dim=1))
        return self.last(value)  # type: ignore[no-any-return]


def _two_convolutions(inputs: int, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers += [nn.Conv2d(channels, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers)


def parameters(model: nn.Module) -> int:
    """How many numbers were learnt."""
    return sum(parameter.numel() for parameter in model.parameters())


def export(model: nn.Module, path: Path, metadata: dict[str, str]) -> None:
    """Writes the ONNX file: opset 17, any batch and any size that is a multiple of 8; weights stored as float16."""
    import onnx

    dynamic = {"image": {0: "n", 2: "h", 3: "w"}, "logits": {0: "n", 2: "h", 3: "w"}}
    torch.onnx.export(
        model.eval(),
        (torch.zeros(1, 1, 64, 64),),
        str(path),
        opset_version=17,
        input_names=["image"],
        output_names=["logits"],
        dynamic_axes=dynamic,
        dynamo=False,  # the newer exporter writes opset 18 at least
    )
    made = in_half_the_bytes(onnx.load(path))
    onnx.helper.set_model_props(made, metadata)
    onnx.checker.check_model(made, full_check=True)
    onnx.save(made, path)


def in_half_the_bytes(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same network with weights stored as float16, which onnxruntime turns into float32 once, when it loads them.

    What is computed stays float32. Biases keep their digits: they are few.
    """
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and len(tensor.dims) > 1:
            name, values = tensor.name, numpy_helper.to_array(tensor)
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
            casts.append(helper.make_node("Cast", [tensor.name], [name], to=TensorProto.FLOAT))
    for cast in reversed(casts):
        model.graph.node.insert(0, cast)
    return model
