"""The networks on their devices: PyTorch (CPU, CUDA) and onnxruntime (CPU, CUDA, DirectML)."""

from __future__ import annotations

import importlib.util
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import _ernet.layout
from _ernet.tiles import Engine, OutOfMemoryError
from _program.files import UserError

if TYPE_CHECKING:
    import numpy as np
    import onnxruntime

    Array: TypeAlias = np.ndarray[Any, Any]

CPU_CORE = 272  # pixels; 512 x 512 is then four tiles, and each of them stays near the processor's caches
GPU_CORE = 496
UNKNOWN_MULTIPLE, UNKNOWN_HALO = 16, 64  # for an ONNX file that does not say what it needs
BYTES_PER_PIXEL = 2048  # of a tile in float32 on a GPU: five maps of 64 channels, and slices of windows
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider", "directml": "DmlExecutionProvider"}


def engine(path: Path, device: str, *, cores: int, tile_size: int | None, precision: str) -> Engine:
    """The network in a .pth or .onnx file on a device ("auto": the fastest). Raises UserError if it cannot run."""
    if path.suffix.lower() == ".onnx":
        made: Engine = OnnxEngine(path.read_bytes(), device, cores, str(path))
    elif device != "directml" and importlib.util.find_spec("torch"):
        made = TorchEngine(path, device, cores, precision)
    else:
        import _ernet.checkpoint
        import _ernet.onnx_graph

        weights = _ernet.checkpoint.read_without_torch(path)
        made = OnnxEngine(_ernet.onnx_graph.model(weights).SerializeToString(), device, cores, str(path))
    if tile_size:
        made.core = core_of(tile_size, made)
    return made


def core_of(tile_size: int, made: Engine) -> int:
    """What is left of a tile of this size without its halo. Raises UserError where that is nothing."""
    core = (tile_size - 2 * made.halo) // made.multiple * made.multiple
    if core < made.multiple:
        smallest = 2 * made.halo + made.multiple
        raise UserError(f"--tile-size {tile_size} is too small for this network; {smallest} is the smallest.")
    return core


class OnnxEngine:
    """Any segmentation network in ONNX; its metadata name its classes, its grid and its halo."""

    def __init__(self, model: bytes, device: str, cores: int, name: str) -> None:
        import numpy as np

        self.session, self.device = _session(model, device, name, cores)
        on_cpu = self.device == "cpu"
        self.about = f"onnxruntime on {_on_cores(cores) if on_cpu else self.device}"
        about = self.session.get_modelmeta().custom_metadata_map
        if not {"multiple", "halo"} <= set(about):
            logging.warning("%s does not say what overlap its tiles need; %d pixels are taken", name, UNKNOWN_HALO)
        self.multiple = int(about.get("multiple", UNKNOWN_MULTIPLE))
        self.halo = int(about.get("halo", UNKNOWN_HALO))
        self.order = np.array(_order(about.get("classes", ",".join(_ernet.layout.CLASSES)), name), np.uint8)
        self.input = self.session.get_inputs()[0].name
        self.core = CPU_CORE if self.halo <= 16 and on_cpu else GPU_CORE
        self.batch = 1 if on_cpu or self.device == "directml" else 4
        self.workers = cores if on_cpu else 1

    def logits(self, images: Array) -> Array:
        """(N, 1, H, W) float32 in 0..1 gives (N, classes, H, W) in the file's order."""
        try:
            return self.session.run(None, {self.input: images})[0]
        except Exception as error:  # onnxruntime has a class for each of its codes, and none for memory
            if isinstance(error, MemoryError) or "alloc" in str(error).lower() or "memory" in str(error).lower():
                raise OutOfMemoryError(str(error).splitlines()[0]) from error
            raise

    def classes(self, images: Array) -> Array:
        return self.order[self.logits(images).argmax(axis=1)]


def quiet_onnxruntime() -> Any:
    """The library, told not to send anything home: version 1.31 does so and keeps files in the user's cache for it."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read when the library is loaded
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    return onnxruntime


def _session(model: bytes, device: str, name: str, cores: int) -> tuple[onnxruntime.InferenceSession, str]:
    onnxruntime = quiet_onnxruntime()
    there = onnxruntime.get_available_providers()
    if device == "auto":
        device = next(each for each in ("cuda", "directml", "cpu") if PROVIDERS[each] in there)
    if PROVIDERS[device] not in there:
        package = {"cuda": "onnxruntime-gpu", "directml": "onnxruntime-directml (Windows)"}[device]
        raise UserError(
            f"--device {device}: this environment's onnxruntime cannot use it; it has {', '.join(there)}. "
            f"Install {package} in place of onnxruntime, or take --device cpu."
        )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # On a CPU, tiles run side by side instead, which wastes less.
    options.intra_op_num_threads = 1 if device == "cpu" else cores
    if device == "directml":
        options.enable_mem_pattern = False  # DirectML needs both
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    try:
        session = onnxruntime.InferenceSession(model, options, providers=[PROVIDERS[device]])
    except Exception as error:
        raise UserError(f"{name}: onnxruntime cannot load it ({str(error).splitlines()[0]}).") from error
    shape = session.get_inputs()[0].shape
    if len(session.get_inputs()) != 1 or len(shape) != 4 or shape[1] != 1:
        raise UserError(f"{name} is no network for one-channel images: it takes {shape}, and (N, 1, H, W) is needed.")
    if PROVIDERS[device] not in session.get_providers():
        raise UserError(f"--device {device}: its driver or libraries cannot be loaded. Take --device cpu, or see them.")
    return session, device


def _order(names: str, file: str) -> list[int]:
    """Our class number for each of the file's."""
    ours = [each.casefold() for each in _ernet.layout.CLASSES]
    theirs = [each.strip().casefold() for each in names.split(",")]
    if not set(theirs) <= set(ours):
        raise UserError(f"{file} has the classes {names}; known are {', '.join(_ernet.layout.CLASSES)}.")
    return [ours.index(each) for each in theirs]


class TorchEngine:
    """ERnet-v2 in PyTorch."""

    multiple = _ernet.layout.WINDOW
    halo = _ernet.layout.HALO

    def __init__(self, path: Path, device: str, cores: int, precision: str) -> None:
        import _ernet.checkpoint
        import _ernet.network
        import torch

        reason = "" if device == "cpu" else why_no_cuda()
        if reason and device == "cuda":
            raise UserError(f"--device cuda: {reason}")
        if reason and torch.version.cuda:
            logging.warning("no GPU is used, and the CPU takes many times as long: %s", reason)
        self.device = "cpu" if reason else "cuda" if device == "auto" else device
        self.network = _ernet.network.network(_ernet.checkpoint.read_with_torch(path))
        self.order = torch.tensor([_ernet.layout.CLASSES.index(name) for name in _ernet.layout.RAW_CLASSES])
        self.half = False
        if self.device == "cuda":
            self._prepare_gpu(precision)
            return
        if precision not in ("auto", "fp32"):
            raise UserError(f"--precision {precision} needs a GPU; on a CPU there is fp32 alone.")
        torch.set_num_threads(1)  # tiles run side by side instead, which wastes less
        self.core, self.batch, self.workers = CPU_CORE, 1, cores
        self.about = f"PyTorch {torch.__version__} on {_on_cores(cores)}"
        self.windows = _ernet.network.CPU_WINDOWS

    def _prepare_gpu(self, precision: str) -> None:
        import _ernet.network
        import torch

        torch.backends.cudnn.deterministic = True
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
        self.half = precision == "fp16"
        self.network = self.network.to("cuda", torch.float16 if self.half else torch.float32)
        self.order = self.order.to("cuda")
        self.windows = _ernet.network.CUDA_WINDOWS
        self.core, self.workers = GPU_CORE, 1
        free, _ = torch.cuda.mem_get_info()
        tile = (self.core + 2 * self.halo) ** 2 * BYTES_PER_PIXEL
        self.batch = max(1, min(32, int(0.7 * free) // tile))
        kind = "fp32" if precision == "auto" else precision
        gpu = f"{torch.cuda.get_device_name()}, {kind}, {self.batch} tiles at once"
        self.about = f"PyTorch {torch.__version__} on {gpu}"

    def logits(self, images: Array) -> Array:
        """(N, 1, H, W) float32 in 0..1 gives (N, 4, H, W) float32 in the file's order."""
        return self._run(images).float().cpu().numpy()

    def classes(self, images: Array) -> Array:
        import torch

        return self.order[self._run(images).argmax(1)].to(torch.uint8).cpu().numpy()

    def _run(self, images: Array) -> Any:
        import torch

        kind = torch.float16 if self.half else torch.float32
        try:
            with torch.inference_mode():
                return self.network(torch.from_numpy(images).to(self.device, kind), self.windows)
        except (RuntimeError, MemoryError) as error:
            if not isinstance(error, (torch.cuda.OutOfMemoryError, MemoryError)) and "allocate" not in str(error):
                raise
            reason = str(error).splitlines()[0]
        if self.device == "cuda":
            torch.cuda.empty_cache()
        raise OutOfMemoryError(reason)


def _on_cores(count: int) -> str:
    return f"the CPU, {count} core{'s' if count > 1 else ''}"


def why_no_cuda() -> str:
    """Why PyTorch has no GPU of NVIDIA here, in words; "" when it has one."""
    import torch

    if torch.cuda.is_available():
        return ""
    if torch.version.cuda is None:
        return f"this PyTorch ({torch.__version__}) was built without CUDA. Take an environment with a CUDA build."
    if hasattr(torch, "_C") and torch.cuda.device_count() == 0:
        hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
        if hidden is not None and hidden.strip() in ("", "-1"):
            return f"CUDA_VISIBLE_DEVICES is {hidden!r}, which hides every GPU."
    return (
        f"PyTorch {torch.__version__} (CUDA {torch.version.cuda}) finds no GPU of NVIDIA with a driver for it. "
        "Look at what nvidia-smi says; the driver may be too old, or there is no such GPU."
    )
