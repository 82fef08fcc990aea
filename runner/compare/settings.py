"""Tolerances: the key `compare:` of a pipeline file, and `--tolerance` on the command line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from runner.errors import UsageError

LIMITS = {
    "image": ("max", "p99.9", "rmse", "psnr", "ssim"),
    "labels": ("pq", "iou", "dice", "cl-dice", "mean-iou"),
    "table": ("rtol", "atol", "keys", "columns"),
}
LISTS = ("ignore", "labels-files", "images-files")
KEYS = (*LIMITS, *LISTS, "noise-factor")
# as the measuring program calls them
_NAMES = {"rmse": "rmse_over_range", "cl-dice": "cl_dice", "mean-iou": "mean_iou"}
NOISE_FACTOR = 1.5  # A against A is one sample of the noise, and B another


@dataclass
class Settings:
    """What counts as the same. Empty limits mean those that the measuring program has for each kind."""

    image: dict[str, float] = field(default_factory=dict)
    labels: dict[str, float] = field(default_factory=dict)
    table: dict[str, Any] = field(default_factory=dict)
    ignore: list[str] = field(default_factory=list)
    labels_files: list[str] = field(default_factory=list)
    images_files: list[str] = field(default_factory=list)
    noise_factor: float = NOISE_FACTOR

    def for_program(self) -> dict[str, Any]:
        """As the measuring program reads them."""
        return {
            "image": {_NAMES.get(k, k): v for k, v in self.image.items()},
            "labels": {_NAMES.get(k, k): v for k, v in self.labels.items()},
            "table": self.table,
            "labels_files": self.labels_files,
            "images_files": self.images_files,
        }

    def as_data(self) -> dict[str, Any]:
        return {key: getattr(self, key.replace("-", "_")) for key in KEYS}


def read_settings(files: Iterable[Path], options: Iterable[str], ignore: Iterable[str]) -> Settings:
    """From `compare:` of each file (a later one wins), then the command line. Raises UsageError."""
    settings = Settings()
    for file in files:
        _take(settings, _block(file), str(file.name))
    for option in options:
        name, sign, value = option.partition("=")
        if not sign:
            raise UsageError(f"--tolerance {option}: there is no =", "Write it as --tolerance image.max=1.")
        _take(settings, _nested(name.strip().split("."), _number_or_text(value.strip())), f"--tolerance {option}")
    settings.ignore += list(ignore)
    return settings


def _block(file: Path) -> Mapping[str, Any]:
    import yaml

    try:
        whole = yaml.safe_load(file.read_bytes())
    except yaml.YAMLError as error:
        raise UsageError(f"{file}: {error}", "Check the file with `run-pipeline check`.") from error
    block = whole.get("compare") if isinstance(whole, dict) else None
    if block is None:
        return {}
    if not isinstance(block, dict):
        raise UsageError(f"{file.name}: `compare` holds no keys", f"It may hold: {', '.join(KEYS)}.")
    return block


def _nested(names: list[str], value: Any) -> dict[str, Any]:
    if names[:1] == ["image"] and len(names) > 2:  # p99.9 has a dot of its own
        names = ["image", ".".join(names[1:])]
    if names[:2] == ["table", "columns"] and len(names) > 4:  # so may a column
        names = [*names[:2], ".".join(names[2:-1]), names[-1]]
    for name in reversed(names):
        value = {name: value}
    assert isinstance(value, dict)
    return value


def _number_or_text(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return [part.strip() for part in text.split(",")]


def _take(settings: Settings, block: Mapping[str, Any], where: str) -> None:
    for key, value in block.items():
        if key not in KEYS:
            raise UsageError(f"{where}: `{key}` is no key of `compare`", _hint(str(key), KEYS))
        if key in LIMITS:
            getattr(settings, key).update(_limits(key, value, where))
        elif key == "noise-factor":
            settings.noise_factor = _number(value, f"{where}: noise-factor")
        else:
            texts = [value] if isinstance(value, str) else value
            if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
                raise UsageError(f"{where}: `{key}` is no list of patterns", f"Write for example {key}: ['*.log'].")
            getattr(settings, key.replace("-", "_")).extend(texts)


def _limits(key: str, block: Any, where: str) -> dict[str, Any]:
    if not isinstance(block, dict):
        raise UsageError(f"{where}: `{key}` holds no limits", f"It may hold: {', '.join(LIMITS[key])}.")
    for name in block:
        if str(name) not in LIMITS[key]:
            raise UsageError(f"{where}: `{name}` is no limit of `{key}`", _hint(str(name), LIMITS[key]))
    out: dict[str, Any] = {}
    for name, value in block.items():
        at = f"{where}: {key}.{name}"
        if name == "keys":
            out["keys"] = [value] if isinstance(value, str) else [str(one) for one in value]
        elif name == "columns":
            out["columns"] = {str(column): _column(given, f"{at}.{column}") for column, given in value.items()}
        else:
            out[str(name)] = _number(value, at)
    return out


def _column(given: Any, where: str) -> dict[str, float]:
    if not isinstance(given, dict) or not set(given) <= {"rtol", "atol"}:
        raise UsageError(f"{where} has no rtol or atol", "Write for example area_px: {atol: 2}.")
    return {name: _number(value, f"{where}.{name}") for name, value in given.items()}


def _number(value: Any, where: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1.0
    if isinstance(value, bool) or not number >= 0:
        raise UsageError(f"{where} is {value!r}, which is no number of at least 0", "Correct it.")
    return number


def _hint(name: str, known: tuple[str, ...]) -> str:
    near = get_close_matches(name, known, 1, 0.6)
    return f"Did you mean `{near[0]}`?" if near else f"It may be: {', '.join(known)}."
