"""Runs inside the environment of the group segment_er, for the tests: computes what they look at."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

REPO = Path(sys.argv[1])
sys.path[:0] = [str(REPO / "standard_code" / "training"), str(REPO / "standard_code" / "python")]


def digest(data: Any) -> str:
    return hashlib.sha256(data.tobytes()).hexdigest()


def generator() -> dict[str, Any]:
    """Facts about small images of each kind."""
    import numpy as np
    from synthetic_er import KINDS, generate

    facts: dict[str, Any] = {}
    for kind, look in KINDS.items():
        one, again, other = (generate(look, 128, seed, 3) for seed in (5, 5, 6))
        foreground = one.truth > 0
        facts[kind] = {
            "same": digest(one.image) == digest(again.image) and digest(one.truth) == digest(again.truth),
            "other": digest(one.image) != digest(other.image) and digest(one.truth) != digest(other.truth),
            "types": [str(one.image.dtype), str(one.truth.dtype), list(one.image.shape), list(one.truth.shape)],
            "classes": np.unique(one.truth).tolist(),
            "share": float(foreground.mean()),
            "contrast": float(one.image[foreground].mean() / one.image[~foreground].mean()),
        }
    whole, broken, dark = (
        generate(KINDS["plain"], 128, 5, 3, **how) for how in ({"break_prob": 0}, {"break_prob": 1}, {"darkness": 0.9})
    )
    facts["broken"] = float((broken.truth > 0).sum() / (whole.truth > 0).sum())
    facts["dark"] = float((dark.image.mean() - 100) / (generate(KINDS["plain"], 128, 5, 3).image.mean() - 100))
    facts["tiny"] = list(generate(KINDS["sheets"], 16, 1).truth.shape)
    return facts


def drawn_line() -> dict[str, Any]:
    """What one straight line of radius 2 becomes."""
    import numpy as np
    from synthetic_er import TUBULE, Line, _drawn

    points = np.stack([np.full(121, 20.0), np.linspace(-10, 50, 121)], axis=1)
    light, inside = _drawn([Line(TUBULE, points, slice(0), 2.0, 1.0)], 40)
    return {"rows": np.flatnonzero(inside.all(axis=1)).tolist(), "light": light[16:25, 20].tolist()}


def measures() -> dict[str, Any]:
    """Agreement of masks whose figures are known."""
    import numpy as np
    from measures import centreline_dice, dice

    empty, line, thick = (np.zeros((40, 40), bool) for _ in range(3))
    line[20, 5:35] = True
    thick[18:23, 4:36] = True
    half = line & (np.arange(40) < 20)
    return {
        "empty": [dice(empty, empty), centreline_dice(empty, empty)],
        "nothing found": [dice(empty, line), centreline_dice(empty, line)],
        "thicker": [dice(line, thick), centreline_dice(line, thick)],
        "half": [dice(half, line), centreline_dice(half, line)],
    }


def model_file() -> dict[str, Any]:
    """What the ONNX file says about itself."""
    import onnx
    from predicting import MODEL

    made = onnx.load(MODEL)
    onnx.checker.check_model(made, full_check=True)

    def shape(value: Any) -> list[Any]:
        return [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]

    return {
        "bytes": MODEL.stat().st_size,
        "opset": made.opset_import[0].version,
        "metadata": {entry.key: entry.value for entry in made.metadata_props},
        "inputs": {value.name: shape(value) for value in made.graph.input},
        "outputs": {value.name: shape(value) for value in made.graph.output},
    }


def tiles() -> dict[str, Any]:
    """The largest difference between the whole image and tiles with the model's own multiple and halo."""
    import numpy as np
    from predicting import logits, session
    from preparing import stretched
    from synthetic_er import KINDS, generate

    model = session()
    halo, core = int(model.get_modelmeta().custom_metadata_map["halo"]), 88
    image = stretched(generate(KINDS["sheets"], 264, 3).image)
    whole, tiled = logits(model, image), np.empty((4, 264, 264), np.float32)
    for top in range(0, 264, core):
        for left in range(0, 264, core):
            y0, x0 = max(top - halo, 0), max(left - halo, 0)
            part = logits(model, image[y0 : top + core + halo, x0 : left + core + halo])
            tiled[:, top : top + core, left : left + core] = part[
                :, top - y0 : top - y0 + core, left - x0 : left - x0 + core
            ]
    far = image.copy()
    far[:, :88] = 1 - far[:, :88]  # 48 pixels and more away from column 136, which starts a core
    return {
        "difference": float(abs(whole - tiled).max()),
        "labels": int((whole.argmax(0) != tiled.argmax(0)).sum()),
        "far": float(abs(logits(model, far) - whole)[:, :, 136:].max()),
        "near": float(abs(logits(model, far) - whole)[:, :, 88:136].max()),
    }


def accuracy() -> dict[str, Any]:
    """Foreground Dice on a few images of each kind that the model was not trained on; odd sizes; no image at all."""
    import numpy as np
    from evaluate_er import agreement, mean
    from predicting import classes, session
    from synthetic_er import KINDS, generate

    model = session()
    found: dict[str, Any] = {}
    for kind, look in KINDS.items():
        samples = [generate(look, 250, 77, number) for number in range(2)]
        found[kind] = mean([agreement(classes(model, one.image), one.truth) for one in samples])
    found["constant"] = int(classes(model, np.full((65, 31), 7, np.uint16)).sum())
    found["shape"] = list(classes(model, samples[0].image[:33, :130]).shape)
    return found


def card() -> list[str]:
    """The rows of the table in the model card, made from the figures."""
    from evaluate_er import table
    from predicting import MODEL

    return table(json.loads(MODEL.with_suffix(".json").read_text(encoding="utf-8"))).splitlines()


def retina() -> dict[str, Any]:
    """The model on the vessels in a photograph of a retina, turned to bright on dark."""
    from importlib.resources import files

    import numpy as np
    from PIL import Image
    from predicting import classes, session
    from scipy import ndimage

    with files("skimage.data").joinpath("retina.jpg").open("rb") as file:
        photograph = 255.0 - np.asarray(Image.open(file))[400:912, 400:912, 1]
    lines = np.isin(classes(session(), photograph), (1, 3))  # on the glow of the fovea it sees tubules on a sheet
    vessels = photograph - ndimage.gaussian_filter(photograph, 15)
    return {"share": float(lines.mean()), "of vessels": float(lines[vessels > np.percentile(vessels, 97)].mean())}


def look(path: str) -> dict[str, Any]:
    """What a TIFF file holds."""
    import numpy as np
    import tifffile
    from _tiff.in_memory import read_tiff

    image = read_tiff(Path(path))
    with tifffile.TiffFile(path) as tif:
        ome = tif.is_ome
    return {
        "shape": list(image.data.shape),
        "type": str(image.data.dtype),
        "pixel_size": image.pixel_size and image.pixel_size.x,
        "ome": ome,
        "values": np.unique(image.data)[:5].tolist(),
    }


def empty_mask(path: str, size: str) -> None:
    """Writes a prediction that finds nothing."""
    import numpy as np
    from _image.images import Image
    from _tiff.in_memory import write_tiff

    write_tiff(Path(path), Image(np.zeros((1, 1, 1, int(size), int(size)), np.uint8)))


def colours_of_classes(mask: str, picture: str) -> list[Any]:
    """The one colour that each class has in a picture of the mask alone."""
    import numpy as np

    pixels, classes = _picture_and_mask(mask, picture)
    found = [np.unique(pixels[classes == one], axis=0) for one in (1, 2, 3)]
    return [colours[0].tolist() if len(colours) == 1 else colours.tolist() for colours in found]


def tints_of_classes(mask: str, picture: str) -> list[list[float]]:
    """How much more green and blue than red each class has over a grey image, on average."""
    pixels, classes = _picture_and_mask(mask, picture)
    means = [pixels[classes == one].astype(float).mean(axis=0) for one in (1, 2, 3)]
    return [(mean - mean[0]).tolist() for mean in means]


def _picture_and_mask(mask: str, picture: str) -> tuple[Any, Any]:
    import numpy as np
    from _tiff.in_memory import read_tiff
    from PIL import Image

    return np.asarray(Image.open(picture).convert("RGB")), read_tiff(Path(mask)).data[0, 0, 0]


if __name__ == "__main__":
    task, *arguments = sys.argv[2:]
    print(json.dumps(globals()[task](*arguments)))
