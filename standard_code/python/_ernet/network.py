"""ERnet-v2 (Lu et al. 2023) in PyTorch, for inference: a transformer on windows of 2 x 2 pixels at full resolution.

Tokens are brought into the order of their windows once a group, not once a block, and the blocks then run over slices
of windows that stay in the processor's cache: windows never exchange anything inside a group.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from _ernet.layout import (
    BLOCKS,
    CHANNELS,
    GROUPS,
    HEAD_WIDTH,
    HEADS,
    LAYER_NORM_EPSILON,
    LEAKY_SLOPE,
    WINDOW,
    position_index,
)
from torch import Tensor, nn
from torch.nn import functional

TOKENS = WINDOW * WINDOW
CPU_WINDOWS = 512  # a slice whose largest intermediate has 1.5 MB: it fits the second-level cache
WHOLE_STEPS = 128  # windows; softmax takes what is left over by another program, whose last bits differ
CUDA_WINDOWS = 65_536  # enough to fill a GPU, with about 0.6 GB of intermediates in float32


class Block(nn.Module):
    """Attention inside each window and a perceptron for each token, both with a short cut."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(CHANNELS, LAYER_NORM_EPSILON)
        self.attn = Attention()
        self.norm2 = nn.LayerNorm(CHANNELS, LAYER_NORM_EPSILON)
        self.mlp = nn.ModuleDict(
            {"fc1": nn.Linear(CHANNELS, 2 * CHANNELS), "fc2": nn.Linear(2 * CHANNELS, CHANNELS)},
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """`tokens` is (4, windows, 64)."""
        tokens = tokens + self.attn(self.norm1(tokens))
        hidden = functional.gelu(self.mlp["fc1"](self.norm2(tokens)))
        return tokens + self.mlp["fc2"](hidden)


class Attention(nn.Module):
    """Eight heads over the four tokens of a window, with a learned bias for each relative position."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(CHANNELS, 3 * CHANNELS)
        self.proj = nn.Linear(CHANNELS, CHANNELS)
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * WINDOW - 1) ** 2, HEADS))
        self.register_buffer("relative_position_index", torch.tensor(position_index()))

    def forward(self, tokens: Tensor) -> Tensor:
        """By sums over long rows of windows: products of 4 x 4 matrices would take five times as long."""
        windows = tokens.shape[1]
        mixed = torch.addmm(self.qkv.bias[:, None], self.qkv.weight, tokens.reshape(-1, CHANNELS).t())
        q, k, v = mixed.view(3, HEADS, HEAD_WIDTH, TOKENS, windows)
        q = q.mul_(HEAD_WIDTH**-0.5)
        bias = self.relative_position_bias_table[self.relative_position_index].permute(2, 0, 1)[..., None]
        scores = torch.addcmul(bias, q[:, 0, :, None], k[:, 0, None])  # heads, query token, key token, windows
        for channel in range(1, HEAD_WIDTH):
            scores.addcmul_(q[:, channel, :, None], k[:, channel, None])
        scores = scores.softmax(2)
        out = scores[:, None, :, 0] * v[:, :, None, 0]  # heads, channel, query token, windows
        for token in range(1, TOKENS):
            out.addcmul_(scores[:, None, :, token], v[:, :, None, token])
        return self.proj(out.view(CHANNELS, TOKENS * windows).t()).view(TOKENS, windows, CHANNELS)


class Group(nn.Module):
    """Six blocks and a convolution, with a short cut."""

    def __init__(self) -> None:
        super().__init__()
        self.residual_group = nn.ModuleDict({"blocks": nn.ModuleList(Block() for _ in range(BLOCKS))})
        self.resi_connection1 = _convolution(CHANNELS, CHANNELS)

    def forward(self, features: Tensor, slice_size: int) -> Tensor:
        windows = _to_windows(features)
        for part in windows.split(slice_size, dim=1):
            count = part.shape[1]
            tokens = functional.pad(part, (0, 0, 0, -count % WHOLE_STEPS))
            for block in self.residual_group["blocks"]:
                tokens = block(tokens)
            part.copy_(tokens[:, :count])
        return self.resi_connection1(_from_windows(windows, features)).add_(features)


class ErnetV2(nn.Module):
    """The whole network: (N, 1, H, W) in 0..1 with even H and W gives logits (N, 4, H, W) in the file's class order."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_first = _convolution(1, CHANNELS)
        self.patch_embed = nn.ModuleDict({"norm": nn.LayerNorm(CHANNELS, LAYER_NORM_EPSILON)})
        self.layers = nn.ModuleList(Group() for _ in range(GROUPS))
        self.norm = nn.LayerNorm(CHANNELS, LAYER_NORM_EPSILON)
        self.conv_after_body = _convolution(CHANNELS, CHANNELS)
        self.conv_before_upsample = nn.Sequential(_convolution(CHANNELS, CHANNELS), nn.LeakyReLU(LEAKY_SLOPE))
        self.conv_last = _convolution(CHANNELS, CHANNELS)
        self.segmentation_decode = nn.Conv2d(CHANNELS, 4, 1)

    def forward(self, image: Tensor, slice_size: int = CPU_WINDOWS) -> Tensor:
        first = _first(self.conv_first, image)
        features = _each_pixel(self.patch_embed["norm"], first)
        for group in self.layers:
            features = group(features, slice_size)
        features = self.conv_after_body(_each_pixel(self.norm, features)).add_(first)
        features = functional.leaky_relu_(self.conv_before_upsample[0](features), LEAKY_SLOPE)
        return functional.conv2d(features, *self._joined_end(), padding=1)

    def _joined_end(self) -> tuple[Tensor, Tensor]:
        """The last convolution and the head as one: nothing stands between them, so both are one linear map."""
        head = self.segmentation_decode.weight[:, :, 0, 0]
        weight = torch.einsum("oc,cikl->oikl", head, self.conv_last.weight)
        return weight, head @ self.conv_last.bias + self.segmentation_decode.bias


def _convolution(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def _first(convolution: nn.Conv2d, image: Tensor) -> Tensor:
    """The same as the convolution of one channel, as one product of matrices; the memory has the order channels last.

    PyTorch convolves one channel by one of two programs, according to the image's size, and their last bits differ:
    a tile would not give exactly what the whole image gives.
    """
    height, width = image.shape[2:]
    filled = functional.pad(image[:, 0], (1, 1, 1, 1))
    seen = [filled[:, y : y + height, x : x + width] for y in range(3) for x in range(3)]
    weight = convolution.weight.reshape(CHANNELS, len(seen))
    return functional.linear(torch.stack(seen, dim=-1), weight, convolution.bias).permute(0, 3, 1, 2)


def _each_pixel(norm: nn.Module, features: Tensor) -> Tensor:
    """LayerNorm over the channels of each pixel; the memory stays in the order channels last."""
    return norm(features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def _to_windows(features: Tensor) -> Tensor:
    """(N, 64, H, W) as (4, windows, 64), always a copy."""
    n, channels, height, width = features.shape
    cut = features.permute(0, 2, 3, 1).reshape(n, height // WINDOW, WINDOW, width // WINDOW, WINDOW, channels)
    cut = cut.permute(2, 4, 0, 1, 3, 5).clone(memory_format=torch.contiguous_format)
    return cut.view(TOKENS, -1, channels)


def _from_windows(windows: Tensor, like: Tensor) -> Tensor:
    n, channels, height, width = like.shape
    cut = windows.view(WINDOW, WINDOW, n, height // WINDOW, width // WINDOW, channels)
    return cut.permute(2, 3, 0, 4, 1, 5).reshape(n, height, width, channels).permute(0, 3, 1, 2)


def network(tensors: Mapping[str, Tensor]) -> ErnetV2:
    """The network with these weights, ready for inference. They were checked before (`_ernet.layout.check`)."""
    made = ErnetV2()
    known = made.state_dict()
    made.load_state_dict({name: tensor for name, tensor in tensors.items() if name in known}, strict=False)
    made.eval().requires_grad_(False).to(memory_format=torch.channels_last)
    return made
