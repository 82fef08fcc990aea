"""ERnet-v2 as an ONNX graph, built from the weights without PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from _ernet.layout import (
    BLOCKS,
    CHANNELS,
    GROUPS,
    HALO,
    HEAD_WIDTH,
    HEADS,
    LAYER_NORM_EPSILON,
    LEAKY_SLOPE,
    RAW_CLASSES,
    WINDOW,
    position_index,
)

if TYPE_CHECKING:
    import numpy as np
    import onnx

    Array: TypeAlias = np.ndarray[Any, Any]

TOKENS = WINDOW * WINDOW
OPSET = 17  # the first with LayerNormalization


def model(weights: Mapping[str, Array]) -> onnx.ModelProto:
    """The network with dynamic N, H and W (both even): `image` (N, 1, H, W) gives `logits` (N, 4, H, W)."""
    from onnx import TensorProto, helper

    graph = _Graph(weights)
    logits = _whole(graph, "image")
    graph.node("Identity", logits, output="logits")
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 1, "H", "W"])
    answer = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 4, "H", "W"])
    made = helper.make_graph(graph.nodes, "ernet_v2", [image], [answer], graph.constants)
    whole = helper.make_model(
        made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8, producer_name="segment_ernet"
    )
    helper.set_model_props(whole, {"classes": ",".join(RAW_CLASSES), "multiple": str(WINDOW), "halo": str(HALO)})
    return whole


class _Graph:
    """Collects nodes and constants; every method that adds something gives the name of its result."""

    def __init__(self, weights: Mapping[str, Array]) -> None:
        self.weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.known: set[str] = set()

    def node(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        from onnx import helper

        output = output or f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def constant(self, name: str, values: Array) -> str:
        import numpy as np
        from onnx import numpy_helper

        if name not in self.known:
            self.known.add(name)
            self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def whole(self, *numbers: int) -> str:
        import numpy as np

        return self.constant("int_" + "_".join(map(str, numbers)), np.array(numbers, np.int64))

    def weight(self, name: str) -> str:
        return self.constant(name, self.weights[name])

    def convolution(self, value: str, weight: str, bias: str) -> str:
        return self.node("Conv", value, weight, bias, kernel_shape=[3, 3], pads=[1, 1, 1, 1])

    def named_convolution(self, value: str, name: str) -> str:
        return self.convolution(value, self.weight(f"{name}.weight"), self.weight(f"{name}.bias"))

    def norm(self, tokens: str, name: str) -> str:
        scale, bias = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return self.node("LayerNormalization", tokens, scale, bias, axis=-1, epsilon=LAYER_NORM_EPSILON)

    def linear(self, tokens: str, name: str, weight: Array, bias: Array) -> str:
        """`weight` is (out, in), as PyTorch keeps it."""
        product = self.node("MatMul", tokens, self.constant(f"{name}.transposed", weight.T))
        return self.node("Add", product, self.constant(f"{name}.bias", bias))

    def named_linear(self, tokens: str, name: str) -> str:
        return self.linear(tokens, name, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])


def _whole(graph: _Graph, image: str) -> str:
    first = graph.named_convolution(image, "conv_first")
    features = _each_pixel(graph, first, "patch_embed.norm")
    for number in range(GROUPS):
        features = _group(graph, features, number)
    features = graph.named_convolution(_each_pixel(graph, features, "norm"), "conv_after_body")
    features = graph.named_convolution(graph.node("Add", features, first), "conv_before_upsample.0")
    features = graph.node("LeakyRelu", features, alpha=LEAKY_SLOPE)
    return graph.convolution(features, *_joined_end(graph))


def _joined_end(graph: _Graph) -> tuple[str, str]:
    """The last convolution and the head as one: nothing stands between them, so both are one linear map."""
    import numpy as np

    weights = graph.weights
    head = weights["segmentation_decode.weight"][:, :, 0, 0].astype(np.float64)
    weight = np.einsum("oc,cikl->oikl", head, weights["conv_last.weight"].astype(np.float64))
    bias = head @ weights["conv_last.bias"] + weights["segmentation_decode.bias"]
    return graph.constant("end.weight", weight.astype(np.float32)), graph.constant("end.bias", bias.astype(np.float32))


def _each_pixel(graph: _Graph, features: str, name: str) -> str:
    tokens = graph.norm(graph.node("Transpose", features, perm=[0, 2, 3, 1]), name)
    return graph.node("Transpose", tokens, perm=[0, 3, 1, 2])


def _group(graph: _Graph, features: str, number: int) -> str:
    """Space-to-depth puts a window's four pixels side by side, so one reshape gives the tokens of each window."""
    cut = graph.node("Transpose", graph.node("SpaceToDepth", features, blocksize=WINDOW), perm=[0, 2, 3, 1])
    tokens = graph.node("Reshape", cut, graph.whole(-1, TOKENS, CHANNELS))
    for block in range(BLOCKS):
        tokens = _block(graph, tokens, f"layers.{number}.residual_group.blocks.{block}")
    together = graph.node("Reshape", tokens, graph.node("Shape", cut))
    image = graph.node("DepthToSpace", graph.node("Transpose", together, perm=[0, 3, 1, 2]), blocksize=WINDOW)
    return graph.node("Add", graph.named_convolution(image, f"layers.{number}.resi_connection1"), features)


def _block(graph: _Graph, tokens: str, name: str) -> str:
    attention = _attention(graph, graph.norm(tokens, f"{name}.norm1"), f"{name}.attn")
    tokens = graph.node("Add", tokens, attention)
    hidden = _gelu(graph, graph.named_linear(graph.norm(tokens, f"{name}.norm2"), f"{name}.mlp.fc1"))
    return graph.node("Add", tokens, graph.named_linear(hidden, f"{name}.mlp.fc2"))


def _attention(graph: _Graph, tokens: str, name: str) -> str:
    weight, bias = graph.weights[f"{name}.qkv.weight"], graph.weights[f"{name}.qkv.bias"]
    parts = {}
    for place, part in enumerate("qkv"):
        rows = slice(place * CHANNELS, (place + 1) * CHANNELS)
        scale = HEAD_WIDTH**-0.5 if part == "q" else 1.0
        mixed = graph.linear(tokens, f"{name}.{part}", weight[rows] * weight.dtype.type(scale),
                             bias[rows] * bias.dtype.type(scale))  # fmt: skip
        heads = graph.node("Reshape", mixed, graph.whole(-1, TOKENS, HEADS, HEAD_WIDTH))
        parts[part] = graph.node("Transpose", heads, perm=[0, 2, 3, 1] if part == "k" else [0, 2, 1, 3])
    table = graph.weights[f"{name}.relative_position_bias_table"][position_index()].transpose(2, 0, 1)
    scores = graph.node("Add", graph.node("MatMul", parts["q"], parts["k"]), graph.constant(f"{name}.bias", table))
    mixed = graph.node("MatMul", graph.node("Softmax", scores, axis=-1), parts["v"])
    joined = graph.node("Transpose", mixed, perm=[0, 2, 1, 3])
    return graph.named_linear(graph.node("Reshape", joined, graph.whole(-1, TOKENS, CHANNELS)), f"{name}.proj")


def _gelu(graph: _Graph, value: str) -> str:
    """Exact, by the error function; onnxruntime runs these five nodes as one."""
    import numpy as np

    def number(name: str, value: float) -> str:
        return graph.constant(name, np.array(value, np.float32))

    share = graph.node("Erf", graph.node("Div", value, number("root_of_two", 2**0.5)))
    share = graph.node("Add", share, number("one", 1.0))
    return graph.node("Mul", graph.node("Mul", value, share), number("half", 0.5))
