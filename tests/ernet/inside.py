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
    import _ernet.layout as layout
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


def checkpoints_in(folder: str) -> None:
    checkpoints(Path(folder))


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
    import _ernet.checkpoint
    import torch
    from _ernet.network import network

    with torch.inference_mode():
        return network(_ernet.checkpoint.read_with_torch(path))(torch.from_numpy(image)).numpy()


def run_onnx(path: Path, image: Any) -> Any:
    import _ernet.checkpoint
    import _ernet.onnx_graph
    import onnx
    import onnxruntime

    assert "torch" not in sys.modules
    model = _ernet.onnx_graph.model(_ernet.checkpoint.read_without_torch(path))
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"image": image})[0]


def engine_of(name: str, path: Path, **options: Any) -> Any:
    """The program's own engine; `name` is what the environment should choose."""
    from _ernet.engines import engine

    made = engine(path, **{"device": "cpu", "cores": 2, "tile_size": None, "precision": "auto"} | options)
    assert type(made).__name__ == {"onnx": "OnnxEngine", "torch": "TorchEngine"}[name]
    return made


def tiles_against_whole(engine: str, folder: str) -> dict[str, Any]:
    """How many labels and logits differ between small tiles and the image in one piece, for several sizes."""
    import made_weights
    import numpy as np
    from _ernet.tiles import segment, tiles

    made = engine_of(engine, checkpoints(Path(folder))["bare"])
    found = {}
    for height, width in ((96, 128), (77, 131), (1, 1), (1, 40), (33, 2)):
        image = made_weights.image(height, width)

        def look(rows: slice, columns: slice, image: Any = image) -> Any:
            part = image[rows, columns]
            missing = (rows.stop - rows.start - part.shape[0], columns.stop - columns.start - part.shape[1])
            return np.pad(part, ((0, missing[0]), (0, missing[1])), mode="edge")

        even = look(slice(0, height + height % 2), slice(0, width + width % 2))
        whole = made.logits(even[None, None])[0]
        made.core = 32
        cut = tiles(height, width, 32, made.halo, made.multiple)
        difference = 0.0
        for tile in cut:
            part = made.logits(look(tile.rows.read, tile.columns.read)[None, None])[0]
            inside = part[:, tile.rows.inside, tile.columns.inside]
            difference = max(difference, float(np.abs(inside - whole[:, tile.rows.kept, tile.columns.kept]).max()))
        labels = segment(look, (height, width), made, lambda count: None)
        wanted = made.classes(even[None, None])[0, :height, :width]
        name = f"{height} x {width}"
        found[name] = {"tiles": len(cut), "labels": int((labels != wanted).sum()), "logits": difference}
        found[name]["kinds"] = len(np.unique(wanted))
    return found


def gpu_build_without_gpu(folder: str) -> list[str]:
    """What is said when a PyTorch for GPUs finds none: a PyTorch for the CPU that says of itself to be one."""
    import logging

    import torch

    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    torch.version.cuda = "12.4"
    made = engine_of("torch", checkpoints(Path(folder))["bare"], device="auto")
    return [made.device, *said]


def memory_runs_out(limit: str) -> dict[str, Any]:
    """A device that takes `limit` pixels at once: the result, the batches that it saw, and what follows."""
    import numpy as np
    from _ernet.tiles import OutOfMemoryError, segment
    from _program.files import UserError

    class Device:
        multiple, halo, core, batch, workers = 2, 8, 16, 8, 1

        def __init__(self) -> None:
            self.seen: list[int] = []

        def classes(self, images: Any) -> Any:
            self.seen.append(len(images))
            if images.size > int(limit):
                raise OutOfMemoryError("out of memory")
            return (images[:, 0] * 3).astype(np.uint8)

    device = Device()
    image = (np.arange(160 * 160).reshape(160, 160) % 7 / 6).astype(np.float32)
    try:
        mask = segment(lambda rows, columns: image[rows, columns], image.shape, device, lambda count: None)
    except UserError as error:
        return {"error": str(error)}
    return {"right": bool((mask == (image * 3).astype(np.uint8)).all()), "seen": device.seen, "batch": device.batch}


def percentiles() -> list[list[float]]:
    """The program's percentiles of many kinds of images, and NumPy's."""
    import numpy as np
    from _ernet.prepare import percentiles as ours

    random = np.random.default_rng(0)
    images = [
        random.integers(0, 65535, (101, 97)).astype(np.uint16),
        random.integers(0, 9, (5, 7)).astype(np.uint8),
        random.normal(size=(33, 57)).astype(np.float32),
        random.normal(size=(40, 30)) * 1e5,
        random.integers(-9, 0, (50, 7)).astype(np.int32),
        np.full((1, 1), 7, np.uint16),
        np.where(np.eye(64) > 0, -0.0, 0.0).astype(np.float32),
    ]
    return [[*ours(image, (1, 99)), *np.percentile(image.astype(np.float32), [1, 99]).tolist()] for image in images]


def preparing() -> dict[str, Any]:
    """A ramp and a constant image, as the networks see them."""
    import numpy as np
    from _ernet.prepare import prepare

    ramp = prepare(np.arange(0, 20000, 2, dtype=np.uint16).reshape(100, 100))
    whole = slice(0, 100), slice(0, 100)
    seen = ramp(*whole)
    flat = prepare(np.full((4, 4), 9, np.uint8))(slice(0, 4), slice(0, 6))
    steps = float(np.abs(seen * 255 - np.round(seen * 255)).max())
    return {
        "low": float(seen.min()),
        "high": float(seen.max()),
        "steps": steps,
        "flat": [*flat.shape, float(flat.max())],
    }


def measuring() -> dict[str, Any]:
    """Measures of drawn networks, and whether bands of rows change anything."""
    import _ernet.measure as measure
    import numpy as np
    from scipy import ndimage

    cross, ring, specks = (np.zeros((60, 60), np.uint8) for _ in range(3))
    cross[30, 5:55] = cross[5:55, 30] = measure.TUBULE
    ring[10:50, 10:50] = measure.TUBULE
    ring[14:46, 14:46] = 0
    ring[0:10, 0:30] = measure.SHEET
    specks[5:8, 5:8] = specks[28:32, 2:50] = measure.TUBULE
    found: dict[str, Any] = {"cross": measure.measures(cross, 0.5), "ring": measure.measures(ring, None)}
    saltire = np.hypot(*np.mgrid[-30:30, -30:30]) < 28
    saltire &= (abs(np.subtract(*np.mgrid[:60, :60])) < 4) | (abs(np.add(*np.mgrid[:60, :60]) - 60) < 4)
    found["saltire"] = measure.measures(saltire.astype(np.uint8), None)
    found["nothing"] = measure.measures(np.zeros((5, 5), np.uint8), None)
    measure.remove_specks(specks, 10)
    found["left"] = int((specks > 0).sum())
    noise = (ndimage.gaussian_filter(np.random.default_rng(0).random((700, 120)), 3) > 0.5).astype(np.uint8)
    masks = []
    for pixels in (64 * 120, 10**6):
        measure.BAND_PIXELS = pixels
        masks.append(noise.copy())
        measure.remove_specks(masks[-1], 200)
    found["bands"] = bool((masks[0] == masks[1]).all()) and int(masks[0].sum()) < int(noise.sum())
    return found


def networks() -> dict[str, Any]:
    """Masks whose tubules are thin or wide, have loops, and touch each other across every seam."""
    import numpy as np
    from scipy import ndimage

    found = {}
    for seed in range(3):
        random = np.random.default_rng(seed)
        size = (int(random.integers(500, 900)), int(random.integers(60, 200)))
        noise = ndimage.gaussian_filter(random.random(size), 1 + seed)
        middle = noise.mean()
        blobs, lines = noise > middle, abs(noise - middle) < 0.4 * noise.std()
        found |= {f"blobs {seed}": blobs, f"lines {seed}": lines, f"noise {seed}": random.random(size) > 0.3}
    down, across = np.mgrid[:1300, :500]
    found["a ring over all seams"] = abs(np.hypot(down - 600, across - 250) - 230)[:900] < 3
    found["grid"] = ((down % 64 < 3) | (across % 64 < 3))[:900]
    found["wedge"] = abs(across - 250) < 2 + down / 8
    found["one row"], found["one column"], found["none"] = np.ones((1, 90)) > 0, np.ones((900, 1)) > 0, down[:90] < 0
    return found


def wide_tubules() -> dict[str, int]:
    """Pixels of the skeleton that differ between bands and the whole mask."""
    import _ernet.measure as measure
    import numpy as np
    from skimage.morphology import skeletonize

    down, across = np.mgrid[:1500, :900]
    drawn = {
        "disc": np.hypot(down - 700, across - 450) < 440,
        "bar with branches": ((across > 50) & (across < 850)) | (down % 500 < 7),
    }
    measure.BAND_PIXELS = 64 * 900
    return {
        name: int((np.concatenate(list(measure.skeleton_bands(one.astype(np.uint8)))) != skeletonize(one)).sum())
        for name, one in drawn.items()
    }


def bands_against_whole() -> list[str]:
    """Where the measures of bands differ from those of the whole mask; of the latter the graph is made plainly."""
    import _ernet.measure as measure
    import numpy as np
    from skimage.morphology import skeletonize

    different = []
    for name, drawn in networks().items():
        mask = drawn.astype(np.uint8)
        skeleton = skeletonize(measure.without_specks(drawn, measure.SPECK))
        expected = plain_graph(skeleton)
        for rows in (64, 333):
            measure.BAND_PIXELS = rows * mask.shape[1]
            if (np.concatenate(list(measure.skeleton_bands(mask))) != skeleton).any():
                different.append(f"skeleton of {name}, {rows} rows")
        for rows in (1, 2, 7, 64):
            found = measure.network(skeleton[start : start + rows] for start in range(0, len(skeleton), rows))
            if found != expected:
                different.append(f"graph of {name}, {rows} rows: {found} for {expected}")
    return different


def plain_graph(skeleton: Any) -> dict[str, float]:
    """Of a whole skeleton, pixel by pixel; loops are its holes."""
    import numpy as np
    from skimage.measure import euler_number, label

    points = {(int(row), int(column)) for row, column in np.argwhere(skeleton)}
    joined: dict[tuple[int, int], set[tuple[int, int]]] = {point: set() for point in points}
    straight = diagonal = 0
    for row, column in points:
        for down, across in ((0, 1), (1, 0), (1, 1), (1, -1)):
            other = (row + down, column + across)
            corners = {(row + down, column), (row, column + across)} - {(row, column), other}
            if other in points and not corners & points:
                joined[row, column].add(other)
                joined[other].add((row, column))
                straight, diagonal = (straight, diagonal + 1) if down and across else (straight + 1, diagonal)

    def pieces(among: set[tuple[int, int]]) -> int:
        number, left = 0, set(among)
        while left:
            number, waiting = number + 1, [left.pop()]
            while waiting:
                near = joined[waiting.pop()] & left
                left -= near
                waiting += near
        return number

    return {
        "tubule_length_px": round(straight + 2**0.5 * diagonal, 2),
        "junctions": pieces({point for point, near in joined.items() if len(near) > 2}),
        "ends": sum(len(near) == 1 for near in joined.values()),
        "loops": label(skeleton, connectivity=2).max() - euler_number(skeleton, connectivity=2),
        "pieces": pieces(points),
    }


def memory_of_measuring() -> float:
    """Bytes that a further pixel of a dense network costs, the mask's own included. POSIX."""
    import resource

    import _ernet.measure as measure
    import numpy as np
    from scipy import ndimage

    measure.BAND_PIXELS = 2**19
    noise = ndimage.gaussian_filter(np.random.default_rng(1).random((1000, 1000)), 4, mode="wrap")
    block = (abs(noise - noise.mean()) < 0.2 * noise.std()).astype(np.uint8)
    peaks = []
    for blocks in (3, 25):
        mask = np.tile(block, (blocks, 1))
        measure.remove_specks(mask, 50)
        measure.measures(mask, None)
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024))
        del mask
    return float(peaks[1] - peaks[0]) / (22 * block.size)


def refusals(engine: str, folder: str) -> dict[str, str]:
    """What is said of files that are not the weights."""
    import zipfile

    import _ernet.checkpoint
    import numpy as np
    import writing_checkpoints
    from _program.files import UserError

    read = _ernet.checkpoint.read_with_torch if engine == "torch" else _ernet.checkpoint.read_without_torch
    place = Path(folder)
    table = "layers.0.residual_group.blocks.0.attn.relative_position_bias_table"
    good = tensors()
    contents: dict[str, Any] = {
        "shifted windows": good | {table: np.zeros((49, 8), "f4")},
        "rcab": good | {"layers.0.resi_connection2.0.weight": np.zeros((64, 64, 3, 3), "f4")},
        "colour": good | {"conv_first.weight": np.zeros((64, 3, 3, 3), "f4")},
        "three classes": good | {"segmentation_decode.weight": np.zeros((3, 64, 1, 1), "f4")},
        "restoring": {name: value for name, value in good.items() if "decode" not in name},
        "resnet": {f"{name}.weight": np.zeros((64, 64, 3, 3), "f4") for name in ("conv1", "layer1.0.conv1")},
        "unknown": {"a.weight": np.zeros((2, 2), "f4")},
        "incomplete": {name: value for name, value in good.items() if not name.startswith("norm.")},
        "other index": good | {table.replace("bias_table", "index"): np.zeros((4, 4), "i8")},
        "numbers": {"epoch": 3, "loss": 0.5},
        "list": [1, 2],
        "program": {"state_dict": good, "path": Path("x")},
    }
    files = {name: writing_checkpoints.save(content, place / f"{name}.pth") for name, content in contents.items()}
    whole = files["unknown"].read_bytes()
    raw = {"page": b"<!DOCTYPE html><html>404</html>", "empty": b"", "keras": b"\x89HDF\r\n", "cut": whole[:-30],
           "old": b"\x80\x02}", "junk": b"hello", "lfs": b"version https://git-lfs.github.com/spec/v1"}  # fmt: skip
    for name, content in raw.items():
        files[name] = place / f"{name}.pth"
        files[name].write_bytes(content)
    files["zip"] = place / "zip.pth"
    with zipfile.ZipFile(files["zip"], "w") as archive:
        archive.writestr("a.txt", "x")
    found = {}
    for name, path in files.items():
        try:
            read(path)
            found[name] = "accepted"
        except UserError as error:
            found[name] = str(error)
    return found


def made_up(engine: str, folder: str, kind: str) -> dict[str, Any]:
    """What is said of a checkpoint that nothing good can have written, and the memory that it took, in bytes."""
    import pickle
    import resource
    import zipfile

    import _ernet.checkpoint
    import writing_checkpoints
    from _program.files import UserError

    path, name = Path(folder) / f"{kind}.pth", "norm.weight"
    good = tensors()
    if kind in ("wide", "named"):
        good[name if kind == "wide" else "another"] = writing_checkpoints.Claimed(100_000, 100_000)
        writing_checkpoints.save(good, path)
    elif kind in ("beyond", "bomb", "without"):
        writing_checkpoints.save(good, path.with_suffix(".all"))
        with zipfile.ZipFile(path.with_suffix(".all")) as whole, zipfile.ZipFile(path, "w") as archive:
            for entry in whole.namelist():
                content = whole.read(entry)
                if kind == "bomb" or entry != f"archive/data/{list(good).index(name)}":
                    archive.writestr(entry, content)
                elif kind == "beyond":
                    archive.writestr(entry, content[:-4])
        if kind == "bomb":
            archive = zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=1)
            with archive, archive.open("archive/data/500", "w", force_zip64=True) as file:
                for _ in range(2**9):
                    file.write(bytes(2**20))
    else:
        doubled = b")" + b"q\x01h\x01\x86" * 60  # tuples of two, each twice in the next one
        words = {
            "call": b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)R.",
            "reference": b"\x80\x02X\x01\x00\x00\x00aQ.",
            "unhashable": b"\x80\x02}]]s.",
            "long": b"\x80\x04\x8e" + (37 * 2**30).to_bytes(8, "little") + b"x.",
            "memo": b"\x80\x02]r\xff\xff\xff\x7f.",
            "stack": b"\x80\x02.",
            "empty": b"",
            "key": b"\x80\x02}" + doubled + b"Ns.",
            "keys": b"\x80\x02}(" + doubled + b"Nu.",
            "made": b"\x80\x02(" + doubled + b"Nd.",
            "set": b"\x80\x04\x8f(" + doubled + b"\x90.",
            "frozen": b"\x80\x04(" + doubled + b"\x91.",
            "ordered": b"\x80\x02ccollections\nOrderedDict\n]" + doubled + b"N\x86a\x85R.",
            "storage": b"\x80\x02(K\x00" + doubled + b"K\x00K\x00K\x00tQ.",
            "entry": b"\x80\x02(K\x00X\x01\x00\x00\x00a" + doubled + b"K\x00K\x00tQ.",
            "strides": b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(N\x86K\x00)" + doubled + b"tR.",
            "number": pickle.dumps({"a": 1}),
            "deep": b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b".",
        }
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", words[kind])
    read = _ernet.checkpoint.read_with_torch if engine == "torch" else _ernet.checkpoint.read_without_torch
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        read(path)
        said = "accepted"
    except UserError as error:
        said = str(error)
    return {"said": said, "memory": 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)}


def several_images(path: str) -> None:
    """Two images of different sizes in one file."""
    import numpy as np
    import tifffile

    with tifffile.TiffWriter(path, ome=True) as tif:
        for shape in ((20, 30), (40, 50)):
            tif.write(np.zeros(shape, np.uint8), metadata={"axes": "YX"})


def make_images(folder: str) -> None:
    """Images of many kinds for the program."""
    import numpy as np
    import tifffile
    from scipy import ndimage

    place = Path(folder)
    place.mkdir()
    smooth = ndimage.gaussian_filter(np.random.default_rng(0).random((67, 91)), 3)
    smooth = (smooth - smooth.min()) / (smooth.max() - smooth.min())
    tifffile.imwrite(place / "u8.tif", (smooth * 255).astype(np.uint8))
    pixels = {"axes": "YX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    tifffile.imwrite(place / "ü 16 [1].ome.tif", (smooth * 60000).astype(np.uint16), ome=True, metadata=pixels)
    tifffile.imwrite(place / "float.tif", smooth.astype(np.float32), compression="zlib")
    tifffile.imwrite(place / "one.tif", np.full((1, 1), 5, np.uint8))
    tifffile.imwrite(place / "flat.tif", np.full((20, 31), 700, np.uint16))
    tifffile.imwrite(place / "nan.tif", np.full((8, 8), np.nan, np.float32))
    stack = (np.stack([smooth[:40, :50]] * 6).reshape(2, 3, 40, 50) * 255).astype(np.uint8)
    tifffile.imwrite(place / "stack.tif", stack, ome=True, metadata={"axes": "TZYX"})
    (place / "corrupt.tif").write_bytes((place / "u8.tif").read_bytes()[:300])


def look(folder: str) -> dict[str, Any]:
    """What is in the masks, tables and pictures of a folder."""
    import csv

    import numpy as np
    import tifffile
    from PIL import Image

    found: dict[str, Any] = {}
    for path in sorted(Path(folder).iterdir()):
        if path.suffix == ".tif":
            with tifffile.TiffFile(path) as tif:
                data, text = tif.asarray(), tif.ome_metadata or ""
            about = {"shape": data.shape, "dtype": str(data.dtype), "classes": np.unique(data).tolist()}
            found[path.name] = about | {"named": "1 tubule, 2 sheet, 3 SBT" in text, "size": "PhysicalSizeX" in text}
            found[path.name]["sum"] = int(data.sum())
        elif path.suffix == ".csv":
            with path.open(newline="", encoding="utf-8") as file:
                found[path.name] = list(csv.DictReader(file))
        elif path.suffix == ".png":
            with Image.open(path) as picture:
                found[path.name] = [picture.mode, *picture.size]
    return found


def small_model(path: str, halo: str = "8") -> None:
    """An ONNX file that marks what is brighter than its surroundings as tubule: fast, for tests of everything else."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weight = np.zeros((4, 1, 3, 3), np.float32)
    weight[0] = 1 / 9
    weight[1, 0, 1, 1] = 1
    bias = np.array([0.02, 0, -9, -9], np.float32)
    node = helper.make_node("Conv", ["image", "w", "b"], ["logits"], kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", channels, "H", "W"])
        for name, channels in (("image", 1), ("logits", 4))
    ]
    constants = [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(bias, "b")]
    graph = helper.make_graph([node], "small", values[:1], values[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"classes": "background,tubule,sheet,SBT", "multiple": "8", "halo": halo})
    onnx.save(model, path)


def large_image(path: str, side: str) -> None:
    """Lines on a dark ground, uint16, not compressed."""
    import numpy as np
    import tifffile

    block = np.full((100, 100), 100, np.uint16)
    block[40:44] = block[:, 60:64] = 9000
    count = int(side) // 100
    tifffile.imwrite(path, np.tile(block, (count, count)))


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    json.dump(globals()[sys.argv[1]](*sys.argv[2:]), sys.stdout)
