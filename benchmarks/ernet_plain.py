"""ERnet-v2 written plainly, to compare with: every block over all windows of the image at once, matrix products."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

REPO = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPO / "standard_code" / "python"), str(REPO / "tests" / "ernet")]

import _ernet.layout as layout  # noqa: E402
import made_weights  # noqa: E402


def weights() -> dict[str, Tensor]:
    """Made ones: trained ones would take the same time."""
    return {name: torch.from_numpy(value) for name, value in made_weights.weights(layout.used_shapes()).items()}


def forward(w: Mapping[str, Tensor], image: Tensor) -> Tensor:
    """(N, 1, H, W) gives logits (N, 4, H, W)."""
    first = _convolution(w, "conv_first", image)
    features = _norm_image(w, "patch_embed.norm", first)
    for group in range(layout.GROUPS):
        before = features
        for block in range(layout.BLOCKS):
            features = _block(w, f"layers.{group}.residual_group.blocks.{block}", features)
        features = _convolution(w, f"layers.{group}.resi_connection1", features) + before
    features = _convolution(w, "conv_after_body", _norm_image(w, "norm", features)) + first
    features = functional.leaky_relu(_convolution(w, "conv_before_upsample.0", features), layout.LEAKY_SLOPE)
    features = _convolution(w, "conv_last", features)
    return functional.conv2d(features, w["segmentation_decode.weight"], w["segmentation_decode.bias"])


def _convolution(w: Mapping[str, Tensor], name: str, features: Tensor) -> Tensor:
    return functional.conv2d(features, w[f"{name}.weight"], w[f"{name}.bias"], padding=1)


def _norm(w: Mapping[str, Tensor], name: str, tokens: Tensor) -> Tensor:
    shape = (layout.CHANNELS,)
    return functional.layer_norm(tokens, shape, w[f"{name}.weight"], w[f"{name}.bias"], layout.LAYER_NORM_EPSILON)


def _norm_image(w: Mapping[str, Tensor], name: str, features: Tensor) -> Tensor:
    return _norm(w, name, features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def _linear(w: Mapping[str, Tensor], name: str, tokens: Tensor) -> Tensor:
    return functional.linear(tokens, w[f"{name}.weight"], w[f"{name}.bias"])


def _block(w: Mapping[str, Tensor], name: str, features: Tensor) -> Tensor:
    n, channels, height, width = features.shape
    image = features.permute(0, 2, 3, 1)
    cut = _norm(w, f"{name}.norm1", image).reshape(n, height // 2, 2, width // 2, 2, channels)
    windows = cut.transpose(2, 3).reshape(-1, 4, channels)
    mixed = _attention(w, f"{name}.attn", windows).view(n, height // 2, width // 2, 2, 2, channels)
    image = image + mixed.transpose(2, 3).reshape(n, height, width, channels)
    hidden = functional.gelu(_linear(w, f"{name}.mlp.fc1", _norm(w, f"{name}.norm2", image)))
    return (image + _linear(w, f"{name}.mlp.fc2", hidden)).permute(0, 3, 1, 2)


def _attention(w: Mapping[str, Tensor], name: str, windows: Tensor) -> Tensor:
    count = len(windows)
    cut = _linear(w, f"{name}.qkv", windows).view(count, 4, 3, layout.HEADS, layout.HEAD_WIDTH)
    q, k, v = cut.permute(2, 0, 3, 1, 4)
    table: Any = w[f"{name}.relative_position_bias_table"]
    bias = table[torch.tensor(layout.position_index(), device=table.device)].permute(2, 0, 1)
    scores = (q * layout.HEAD_WIDTH**-0.5) @ k.transpose(-2, -1) + bias
    mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(count, 4, layout.CHANNELS)
    return _linear(w, f"{name}.proj", mixed)


def operations_per_pixel() -> int:
    """Multiplications and additions of the network for one pixel."""
    c = layout.CHANNELS
    linear = 2 * (3 * c * c + c * c + 2 * c * c + 2 * c * c)
    attention = 2 * 2 * 4 * c
    convolutions = 2 * 9 * (c + 5 * c * c) + 2 * 4 * c
    return layout.GROUPS * layout.BLOCKS * (linear + attention) + convolutions
