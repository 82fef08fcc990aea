"""Which CUDA a recipe means, and the index of PyTorch that has wheels for it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from runner.errors import UsageError
from runner.ground.words import joined
from runner.migrate.recipe_lines import Recipe, Source
from runner.migrate.requirement import Requirement, parse_match_spec, parse_pip
from runner.migrate.versions import allows

_NUMBER = re.compile(r"(\d+)(?:\.(\d+))?")
_TAG = r"cpu|cu\d{2,3}"
# packages whose version is that of CUDA, the most telling first
_PINS = (
    "pytorch-cuda", "cudatoolkit", "cuda-toolkit", "cuda", "cuda-version", "cuda-runtime", "cuda-cudart", "cuda-nvcc",
)  # fmt: skip
_LABEL = re.compile(r"\bnvidia/label/cuda-(\d+\.\d+)")
_LOCAL = re.compile(rf"\+({_TAG})\b")


@dataclass(frozen=True)
class Cuda:
    """What is known of the CUDA that a recipe wants."""

    tag: str = ""  # of PyTorch's index: cu124, cpu; "" when no index is needed
    major: int = 12
    note: str = ""


def find_cuda(recipe: Recipe, option: str, urls: Iterable[str], table: Mapping[str, Any]) -> Cuda:
    """From --cuda, else what the recipe says. `urls`: of the indexes that the repository has. Raises UsageError."""
    usual = int(table["cuda"]["major"])
    texts = dict(_cuda_lines(recipe))
    if option:
        text = option.lower().removeprefix("cuda").removeprefix("=")
        text = f"cu{text}" if re.fullmatch(r"\d{3}", text) else text
        if not (re.fullmatch(_TAG, text) or _NUMBER.fullmatch(text.removeprefix("cu"))):
            raise UsageError(f"--cuda {option}: no version of CUDA", "Give a version such as 12.4, or `cpu`.")
        texts = {"--cuda": text if re.fullmatch(_TAG, text) else text.removeprefix("cu")}
    torch = uses_torch(recipe, table)
    if not texts:
        hint = "which CUDA is not said: on Windows PyPI's torch has none; --cuda 12.4 takes PyTorch's own builds"
        return Cuda("", usual, hint if torch else "")
    name, text = next(iter(texts.items()))
    if re.fullmatch(_TAG, text) and _can_be(text, table):  # the very index is named
        return Cuda(text if torch else "", usual if text == "cpu" else _version(text)[0])
    if re.fullmatch(_TAG, text):
        text = ".".join(map(str, _version(text)))
    found = _NUMBER.search(text)
    if not found:
        return Cuda("", usual)
    major = int(found[1])
    if not torch:
        return Cuda("", major)
    tag, note = _nearest(name, text, list(urls), table)
    return Cuda(tag, major, note)


def _can_be(tag: str, table: Mapping[str, Any]) -> bool:
    """Whether PyTorch has an index of that name, or may have by now."""
    known = {*table["pytorch"]["tags"], *table["pytorch"]["more"]}
    return tag == "cpu" or tag in known or _version(tag) > max(map(_version, known))


def _nearest(name: str, text: str, urls: list[str], table: Mapping[str, Any]) -> tuple[str, str]:
    """The index for a version of CUDA or a specifier, and a remark where it is not the very one that was asked for.

    Of several that fit, that of the repository, else the newest. Where none fits, the nearest one below: PyTorch has
    builds for some versions only, and an NVIDIA driver runs those of an earlier CUDA.
    """
    settings = table["pytorch"]
    tags = sorted({*settings["tags"], *settings["more"]}, key=_version)
    asked = text if text[0] in "=<>!~" else f"=={text}" + ("" if "." in text else ".*")
    fitting = [tag for tag in tags if allows(_minor_only(asked), ".".join(map(str, _version(tag))))]
    ours = [tag for tag in fitting if any(url.rstrip("/").endswith(f"/{tag}") for url in urls)]
    said = f"{name} says CUDA {text.removeprefix('==').removesuffix('.*')}"
    if fitting:
        tag = (ours or [tag for tag in fitting if tag in settings["tags"]] or fitting)[-1]
        several = f"{said} only: {tag} was taken; --cuda names another" if len(fitting) > 1 else ""
        return tag, several or _age(tag)
    wanted = _NUMBER.search(text)
    assert wanted is not None
    below = [tag for tag in tags if _version(tag) <= (int(wanted[1]), int(wanted[2] or 0))]
    if not below:
        return "", f"{said}, for which PyTorch has no builds, nor for one before it: torch is PyPI's"
    remark = f"{said}, for which PyTorch has no index: {below[-1]}, the nearest before it, was taken"
    return below[-1], joined(remark, "--cuda names another", _age(below[-1]))


def _age(tag: str) -> str:
    return f"the wheels of {tag} are for Python 3.10 and older" if _version(tag) < (11, 6) else ""


def _version(tag: str) -> tuple[int, int]:
    """cu124 -> 12, 4."""
    return int(tag[2:-1]), int(tag[-1])


def _minor_only(specifier: str) -> str:
    """Indexes know no patch versions: `==12.4.1` is `==12.4.*`."""
    return re.sub(r"(?<=\d)\.(\d+)\.\d+(?:\.\*)?", r".\1", specifier)


def _cuda_lines(recipe: Recipe) -> Iterable[tuple[str, str]]:
    """Package or option -> version of CUDA, or the tag of an index ("cpu" for none), the most telling first."""
    found: dict[str, str] = {}
    for line in recipe.lines:
        if local := _LOCAL.search(line.text):
            found["pip"] = local[1]
        if url := re.search(rf"/whl/(?:nightly/)?({_TAG})\b", line.text):
            found["pip"] = url[1]
        if label := _LABEL.search(line.text):
            found["channel"] = label[1]
        spec = parse_match_spec(line.text) if line.source is Source.CONDA else None
        if spec is None:
            continue
        if spec.name == "cpuonly":
            found["cpuonly"] = "cpu"
        elif spec.name in ("pytorch", "libtorch", "pytorch-cpu") and (
            "cpu" in spec.build or spec.name == "pytorch-cpu"
        ):
            found["build"] = "cpu"
        elif spec.name == "pytorch" and (build := re.search(r"cuda_?(\d{2})\.?(\d)?", spec.build)):
            found["build"] = ".".join(part for part in build.groups() if part)
        elif spec.name in _PINS and spec.specifier:
            found[spec.name] = spec.specifier
    order = ("pip", "cpuonly", "build", *_PINS, "channel")
    return [(name, found[name]) for name in order if name in found]


def uses_torch(recipe: Recipe, table: Mapping[str, Any]) -> bool:
    """Whether the recipe itself asks for PyTorch."""
    wanted = {*table["pytorch"]["packages"], "pytorch", "pytorch-gpu", "pytorch-cpu"}
    conda = (parse_match_spec(line.text) for line in recipe.lines if line.source is Source.CONDA)
    pip = (parse_pip(line.text) for line in recipe.lines if line.source is Source.PIP)
    return any(one and one.name in wanted for one in conda) or any(one and one.key in wanted for one in pip)


def split_local(requirement: Requirement, marker: str) -> list[Requirement]:
    """`torch==2.4.0+cu124` is for systems with such wheels; elsewhere the same version without the label."""
    if not _LOCAL.search(requirement.specifier):
        return [requirement]
    opposite = marker.replace("!=", "==")
    plain = replace(requirement, specifier=_LOCAL.sub("", requirement.specifier))
    return [requirement.with_marker(marker), plain.with_marker(opposite)]


def is_torch_index(url: str, table: Mapping[str, Any]) -> bool:
    """Whether `url` is one of PyTorch's indexes."""
    return url.rstrip("/").startswith(str(table["pytorch"]["index"]).partition("{")[0].rstrip("/"))
