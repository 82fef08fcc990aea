"""Which CUDA a recipe means, and the index of PyTorch that has wheels for it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from runner.environments.spec import normalised_group as normalised
from runner.errors import UsageError
from runner.migrate.recipe import Recipe, Source
from runner.migrate.requirement import Requirement, parse_match_spec, parse_pip

_NUMBER = re.compile(r"(\d+)(?:\.(\d+))?")
_LOCAL = re.compile(r"\+(cu\d{3}|cpu)\b")


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
        texts = {"--cuda": option.lower().removeprefix("cuda").removeprefix("cu")}
        if not (option.lower() == "cpu" or _NUMBER.fullmatch(texts["--cuda"])):
            raise UsageError(f"--cuda {option}: no version of CUDA", "Give a version such as 12.4, or `cpu`.")
        if re.fullmatch(r"\d{3}", texts["--cuda"]):  # cu124
            texts["--cuda"] = f"{texts['--cuda'][:2]}.{texts['--cuda'][2:]}"
    torch = uses_torch(recipe, table)
    if not texts:
        hint = "which CUDA is not said: on Windows PyPI's torch has none; --cuda 12.4 takes PyTorch's own builds"
        return Cuda("", usual, hint if torch else "")
    name, text = next(iter(texts.items()))
    if text == "cpu":
        return Cuda("cpu" if torch else "", usual)
    found = _NUMBER.search(text)
    if not found:
        return Cuda("", usual)
    major = int(found[1])
    if not torch:
        return Cuda("", major)
    if found[2]:
        return Cuda(f"cu{found[1]}{found[2]}", major)
    return _by_major(name, major, list(urls), table)


def _by_major(name: str, major: int, urls: list[str], table: Mapping[str, Any]) -> Cuda:
    """`cuda-version=12`: the index that the repository has already, else the newest of that major."""
    tags = [tag for tag in table["pytorch"]["tags"] if tag.startswith(f"cu{major}")]
    ours = [tag for tag in tags if any(url.rstrip("/").endswith(f"/{tag}") for url in urls)]
    if not tags:
        return Cuda("", major, f"{name} says CUDA {major}, for which PyTorch has no builds: torch is PyPI's")
    tag = (ours or tags)[-1]
    return Cuda(tag, major, f"{name} says CUDA {major} only: {tag} was taken; --cuda names another")


def _cuda_lines(recipe: Recipe) -> Iterable[tuple[str, str]]:
    """Package or option -> version of CUDA ("cpu" for none), the most telling first."""
    found: dict[str, str] = {}
    for line in recipe.lines:
        if local := _LOCAL.search(line.text):
            found["pip"] = "cpu" if local[1] == "cpu" else f"{local[1][2:4]}.{local[1][4:]}"
        if url := re.search(r"/whl/(?:nightly/)?(cpu|cu\d{3})\b", line.text):
            found["pip"] = "cpu" if url[1] == "cpu" else f"{url[1][2:4]}.{url[1][4:]}"
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
        elif spec.name in ("pytorch-cuda", "cudatoolkit", "cuda-version", "cuda-toolkit", "cuda") and spec.specifier:
            found[spec.name] = spec.specifier
    order = ("pip", "cpuonly", "build", "pytorch-cuda", "cudatoolkit", "cuda-toolkit", "cuda", "cuda-version")
    return [(name, found[name]) for name in order if name in found]


def uses_torch(recipe: Recipe, table: Mapping[str, Any]) -> bool:
    """Whether the recipe itself asks for PyTorch."""
    wanted = {*table["pytorch"]["packages"], "pytorch", "pytorch-gpu", "pytorch-cpu"}
    for line in recipe.lines:
        if line.source is Source.CONDA and (spec := parse_match_spec(line.text)) and spec.name in wanted:
            return True
        if line.source is Source.PIP and (one := parse_pip(line.text)) and one.key in wanted:
            return True
    return False


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


def torch_keys(table: Mapping[str, Any]) -> frozenset[str]:
    """The packages that PyTorch's index has in builds of its own."""
    return frozenset(normalised(name) for name in table["pytorch"]["packages"])
