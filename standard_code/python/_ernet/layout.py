"""The tensors of the ERnet-v2 checkpoint, and what another file is when it is not that one. Needs nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from _program.files import UserError

CHANNELS = 64
HEADS = 8
HEAD_WIDTH = CHANNELS // HEADS
GROUPS = 2
BLOCKS = 6  # in each group
WINDOW = 2  # pixels; never shifted
LEAKY_SLOPE = 0.01
LAYER_NORM_EPSILON = 1e-5

HALO = 8  # pixels; an output pixel depends on no input pixel farther away

CLASSES = ("background", "tubule", "sheet", "SBT")  # their numbers in our masks; SBT: sheet-based tubule
RAW_CLASSES = ("background", "SBT", "tubule", "sheet")  # the order of the network's logits

Shape = tuple[int, ...]


def _with_bias(name: str, shape: Shape) -> dict[str, Shape]:
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}


def block_names() -> list[str]:
    """The twelve blocks in the order of the forward pass."""
    return [f"layers.{group}.residual_group.blocks.{block}" for group in range(GROUPS) for block in range(BLOCKS)]


def used_shapes() -> dict[str, Shape]:
    """Every float tensor that segmenting reads."""
    wide = CHANNELS
    shapes = _with_bias("conv_first", (wide, 1, 3, 3)) | _with_bias("patch_embed.norm", (wide,))
    for block in block_names():
        shapes |= _with_bias(f"{block}.norm1", (wide,))
        shapes[f"{block}.attn.relative_position_bias_table"] = ((2 * WINDOW - 1) ** 2, HEADS)
        shapes |= _with_bias(f"{block}.attn.qkv", (3 * wide, wide)) | _with_bias(f"{block}.attn.proj", (wide, wide))
        shapes |= _with_bias(f"{block}.norm2", (wide,))
        shapes |= _with_bias(f"{block}.mlp.fc1", (2 * wide, wide)) | _with_bias(f"{block}.mlp.fc2", (wide, 2 * wide))
    for group in range(GROUPS):
        shapes |= _with_bias(f"layers.{group}.resi_connection1", (wide, wide, 3, 3))
    shapes |= _with_bias("norm", (wide,))
    for name in ("conv_after_body", "conv_before_upsample.0", "conv_last"):
        shapes |= _with_bias(name, (wide, wide, 3, 3))
    return shapes | _with_bias("segmentation_decode", (len(RAW_CLASSES), wide, 1, 1))


# In the file for training the network as a denoiser; segmenting never reads them.
UNUSED = _with_bias("conv_combine", (1, 1, 3, 3))
INDEX_TABLES = {f"{block}.attn.relative_position_index": (WINDOW**2, WINDOW**2) for block in block_names()}


def position_index() -> list[list[int]]:
    """Row of the bias table for query token i and key token j of a window, tokens in row-major order."""
    side = 2 * WINDOW - 1
    places = [(row, column) for row in range(WINDOW) for column in range(WINDOW)]
    return [[(r1 - r2 + WINDOW - 1) * side + (c1 - c2 + WINDOW - 1) for r2, c2 in places] for r1, c1 in places]


def state_dict_of(content: object) -> dict[str, Any]:
    """The tensors by name, out of a training checkpoint or alone, without DataParallel's prefix."""
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not content:
        raise UserError(f"it is no set of weights: it holds {_kind_of(content)}, not tensors by name.")
    tensors = {str(key): value for key, value in content.items()}
    if any(not hasattr(value, "shape") for value in tensors.values()):
        raise UserError(f"it is no set of weights: its parts are {_some(list(tensors))}, and not all are tensors.")
    if all(key.startswith("module.") for key in tensors):
        return {key.removeprefix("module."): value for key, value in tensors.items()}
    return tensors


def _kind_of(content: object) -> str:
    return "nothing" if content is None or content == {} else f"an object of the type {type(content).__name__}"


def check_shapes(tensors: Mapping[str, Any]) -> None:
    """Raises UserError, which says what the weights belong to, unless they are those of ERnet-v2 (four classes).

    No number of a tensor is looked at.
    """
    shapes = {name: tuple(int(side) for side in tensor.shape) for name, tensor in tensors.items()}
    what = recognise(shapes)
    if what:
        raise UserError(f"these are not the weights of ERnet-v2 for four classes: {what}")
    wanted = used_shapes()
    missing = [name for name in wanted if name not in shapes]
    if missing:
        raise UserError(f"they are incomplete: {len(missing)} of {len(wanted)} tensors are missing ({_some(missing)}).")
    wrong = [name for name, shape in wanted.items() if shapes[name] != shape]
    if wrong:
        name = wrong[0]
        raise UserError(f"the tensor {name} has the shape {shapes[name]} and should have {wanted[name]}.")
    foreign = [name for name in shapes if name not in wanted | UNUSED | INDEX_TABLES]
    if foreign:
        raise UserError(f"they have {len(foreign)} tensors that this network does not have ({_some(foreign)}).")


def check_index_tables(tensors: Mapping[str, Any]) -> None:
    """Another table would mean other windows behind the same shapes."""
    for name in INDEX_TABLES:
        if name in tensors and [list(map(int, row)) for row in tensors[name]] != position_index():
            raise UserError(f"the table {name} has other numbers than windows of 2 x 2 pixels need.")


def recognise(shapes: Mapping[str, Shape]) -> str:
    """What the weights are, as a sentence, where they are something known and not ours; else nothing."""
    head = shapes.get("segmentation_decode.weight")
    table = shapes.get("layers.0.residual_group.blocks.0.attn.relative_position_bias_table")
    first = shapes.get("conv_first.weight")
    if any(".resi_connection2." in name or ".resi_connection3." in name for name in shapes):
        return "this is the variant with channel attention (RCAB)."
    if first and len(first) == 4 and first[1] == 3:
        return "this is the variant for three-channel (colour) images; the one for one channel is needed."
    if table and table[0] == 49:
        return "this model was trained again with shifted windows of 4 x 4 pixels; those of 2 x 2 are needed."
    if table and head is None:
        return "this is a SwinIR network that restores images; it has no classes."
    if table and table[0] != 9:
        return f"its windows have {(round(table[0] ** 0.5) + 1) // 2} pixels a side; 2 are needed."
    if head and head[0] != 4:
        return f"it tells {head[0]} classes apart, not four (the first ERnet had three)."
    if table and head:
        return ""
    return _recognise_other(shapes)


def _recognise_other(shapes: Mapping[str, Shape]) -> str:
    signs = {
        "layer1.0.conv1.weight": "this is a ResNet for naming what a photograph shows.",
        "downsample.down.res_down_0.conv.conv_0.0.weight": "this is a Cellpose network.",
        "encoder.neck.0.weight": "this is a Cellpose-SAM or Segment Anything network.",
        "image_encoder.neck.0.weight": "this is a Segment Anything network.",
        "patch_embed.proj.weight": "this is a vision transformer.",
    }
    for sign, meaning in signs.items():
        if any(name == sign or name.endswith(f".{sign}") for name in shapes):
            return meaning
    if not any(name in shapes for name in used_shapes()):
        return f"it is an unknown network of {len(shapes)} tensors ({_some(list(shapes))})."
    return ""


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return f"{shown}, …" if len(names) > 3 else shown
