"""Which of the images in a file are taken, and what their results are called."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from pathlib import Path

from _image.stacks import Scene
from _program.files import UserError

FILTERS = ("largest", "smallest", "all", "first", "includes", "excludes")


def choose(scenes: Sequence[Scene], rule: str, texts: Sequence[str]) -> list[Scene]:
    """The scenes that `rule` keeps; of several with as many pixels, the first. Raises UserError where none is left."""
    if rule == "all":
        return list(scenes)
    if rule == "first":
        return [scenes[0]]
    if rule in ("largest", "smallest"):
        best = max(scenes, key=lambda scene: scene.pixels if rule == "largest" else -scene.pixels)
        return [best]
    wanted = rule == "includes"
    kept = [scene for scene in scenes if any(text in scene.name for text in texts) == wanted]
    if not kept:
        names = ", ".join(repr(scene.name) for scene in scenes)
        raise UserError(f"--scene-filter {rule} {' '.join(texts)} leaves none of its images: {names}.")
    return kept


def first_of(scenes: Sequence[Scene]) -> Scene:
    """For programs that take one image of a file."""
    if len(scenes) > 1:
        count = len(scenes)
        logging.warning(
            "it holds %d images; the first is taken. For others, see --scene-filter of convert_to_tif.py", count
        )
    return scenes[0]


def names_of(scenes: Sequence[Scene]) -> list[str]:
    """For each scene, a name that any file system takes; each is there once."""
    names: list[str] = []
    for number, scene in enumerate(scenes, 1):
        name = re.sub(r'[\x00-\x1f<>:"/\\|?*]', "_", scene.name).strip(" .") or f"scene{number}"
        taken = {each.casefold() for each in names}
        names.append(name if name.casefold() not in taken else f"{name}_{number}")
    return names


def target_of(target: Path, name: str, ending: str) -> Path:
    """The result of one scene of many."""
    return target.with_name(f"{target.name.removesuffix(ending)}__{name}{ending}")
