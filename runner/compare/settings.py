"""Tolerances: the key `compare:` of a pipeline file, and `--tolerance` on the command line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.errors import UsageError
from runner.pipeline.compare_block import KEYS, LIMITS, NAMES, number_of, problems, read_block

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


def read_settings(
    files: Iterable[Path], options: Iterable[str], ignore: Iterable[str], ignore_columns: Iterable[str] = ()
) -> Settings:
    """From `compare:` of each file (a later one wins), then the command line. Raises PipelineError, UsageError."""
    settings = Settings()
    for file in files:
        _take(settings, read_block(file))
    for option in options:
        _take(settings, _of_option(option))
    settings.ignore += list(ignore)
    _take(settings, {"table": {"ignore-columns": [*ignore_columns]}})
    return settings


def _of_option(option: str) -> dict[str, Any]:
    name, sign, value = option.partition("=")
    if not sign:
        raise UsageError(f"--tolerance {option}: there is no =", "Write it as --tolerance image.max=1.")
    number = number_of(value.strip())
    texts = [part.strip() for part in value.split(",")]
    block = _nested(name.strip().split("."), texts if number is None else number)
    for problem in problems(block):
        raise UsageError(f"--tolerance {option}: {problem.message}", problem.cure)
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


def _take(settings: Settings, block: Mapping[str, Any]) -> None:
    """Of a block without problems."""
    for key, value in block.items():
        if key in LIMITS:
            limits = _limits(value)
            if left_out := [*settings.table.get("ignore-columns", ()), *limits.pop("ignore-columns", ())]:
                settings.table["ignore-columns"] = list(dict.fromkeys(left_out))
            getattr(settings, key).update(limits)
        elif key == "noise-factor":
            settings.noise_factor = float(value)
        else:
            getattr(settings, key.replace("-", "_")).extend([value] if isinstance(value, str) else value)


def _limits(block: Mapping[Any, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, value in block.items():
        if name in NAMES:
            out[name] = [str(one) for one in (value if isinstance(value, list) else [value])]
        elif name == "columns":
            out["columns"] = {str(column): {n: float(v) for n, v in own.items()} for column, own in value.items()}
        else:
            out[str(name)] = float(value)
    return out
