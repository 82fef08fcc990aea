"""A pipeline file for a folder of images, put together from the segments in `runner/templates`."""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from runner.errors import UsageError
from runner.pipeline.report import quoted
from runner.pipeline.schema import SCHEMA_PATH

_TEMPLATES = Path(__file__).parent.parent / "templates"
# task -> what it does, and its segments
TASKS = {
    "threshold": (
        "find objects by brightness, measure and outline them",
        ("convert", "threshold", "measure", "outlines"),
    ),
    "er": ("segment the endoplasmic reticulum and measure its network", ("convert", "er")),
    "rois": ("find objects by brightness and write ROIs for ImageJ", ("convert", "threshold", "rois")),
    "convert": ("convert to OME-TIFF", ("convert",)),
    "metadata": ("list what the files say of themselves", ("metadata",)),
}
# ending -> the group in whose environment such files are read
_PLAIN = dict.fromkeys((".tif", ".tiff", ".png", ".jpg", ".jpeg", ".gif", ".bmp"), "convert_to_tif")
_MICROSCOPE = {".nd2": "bioio", ".lif": "bioio", ".czi": "bioio_czi"}
_OTHERS = dict.fromkeys((".lsm", ".oib", ".oif", ".oir", ".vsi", ".ims", ".dv", ".zvi", ".sld"), "bioio_bioformats")
READERS = _PLAIN | _MICROSCOPE | _OTHERS
_MOST = 100_000  # files that are looked at


@dataclass(frozen=True)
class Images:
    """The images of a folder: those of the commonest ending, and how many others there are."""

    pattern: str  # of their names
    ending: str
    count: int
    others: dict[str, int]


def images_in(folder: Path) -> Images:
    """Raises UsageError where there are none."""
    found: Counter[str] = Counter()
    looked = 0
    for _, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found.update(ending for name in names if (ending := Path(name).suffix) and not name.startswith("."))
        looked += len(names)
        if looked > _MOST:
            break
    by_kind: Counter[str] = Counter()
    for ending, count in found.items():
        if ending.lower() in READERS:
            by_kind[ending.lower()] += count
    if not by_kind:
        holds = ", ".join(f"{count} {ending}" for ending, count in found.most_common(5)) or "no files"
        raise UsageError(
            f"{folder} holds no images that the programs here read: {holds}",
            f"They read {', '.join(READERS)}, also in folders below.",
        )
    kind, count = sorted(by_kind.items(), key=lambda item: (-item[1], item[0]))[0]
    spelled = [ending for ending in found if ending.lower() == kind]
    letters = "".join(f"[{one}{one.upper()}]" if one.isalpha() else one for one in kind)
    return Images(
        f"*{spelled[0] if len(spelled) == 1 else letters}", kind, count, {k: n for k, n in by_kind.items() if k != kind}
    )


def pipeline_text(task: str, folder: Path, images: Images, results: Path, file: Path, environment: str = "") -> str:
    """The text of `file`: `task` for `images` in `folder`, with its results in `results`."""
    values = {
        "IMAGES": f"{_from(file, folder)}/**/{images.pattern}",
        "RESULTS": _from(file, results),
        "OUTPUTS": _from(file, results, in_glob=True),
        "READER": f"uv:{READERS[images.ending]}",
    }
    says, segments = TASKS[task]
    text = "\n".join((_TEMPLATES / f"{name}.yaml").read_text(encoding="utf-8") for name in segments)
    for name, value in values.items():
        text = text.replace(f"%{name}%", value.replace("'", "''"))
    text = re.sub(r"^(  environment: )'(uv:\w+)'$", r"\1\2", text, flags=re.MULTILINE)
    if environment:
        plain = re.fullmatch(r"[\w.-]+(:[\w.-]+)?", environment)
        value = environment if plain else quoted(environment)
        text = re.sub(r"^(  environment: ).*$", lambda match: match[1] + value, text, flags=re.MULTILINE)
    head = [
        f"# yaml-language-server: $schema={_schema(file)}",
        f"# Made by `run-pipeline new`, to {says}. Change what you like.",
        "# %YAML% is the folder of this file, %REPO% that of the repository with the programs. A segment that has run",
        "# does not run again until its text changes. What a program takes: `run-pipeline programs NAME`.",
    ]
    return "\n".join([*head, "run:", text])


def _from(file: Path, path: Path, *, in_glob: bool = False) -> str:
    """`path` as a pipeline file names it: from its own folder where that is near, so that both can move together."""
    relative = _relative(path, file.parent)
    text = path.as_posix() if relative is None else relative
    text = glob.escape(text) if in_glob else text
    return text if relative is None else "%YAML%" + ("" if text == "." else f"/{text}")


def _relative(path: Path, start: Path) -> str | None:
    """None where it is far, or on another drive."""
    try:
        text = Path(os.path.relpath(path, start)).as_posix()
    except ValueError:
        return None
    return None if text.startswith("../../..") else text


def _schema(file: Path) -> str:
    relative = _relative(SCHEMA_PATH, file.parent)
    return SCHEMA_PATH.as_uri() if relative is None else quote(relative)
