"""Lists what image files say about themselves. The result is a YAML file for each of them."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import _program.arguments
import _program.work
from _program.files import Job, writing

GROUP = "bioio"  # whose environment has its packages


def arguments() -> argparse.ArgumentParser:
    """The command line of this program."""
    parser = _program.arguments.parser(__doc__ or "", suffix="_metadata")
    parser.epilog = (
        "No pixels are read. TIFF, PNG, JPEG, GIF and BMP are read in the environment uv:convert_to_tif, ND2 and LIF "
        "too in uv:bioio, CZI in uv:bioio_czi, and all that Bio-Formats knows in uv:bioio_bioformats."
    )
    return parser


def extract(job: Job, args: argparse.Namespace) -> str:
    """Lists one file; gives what to say about it."""
    from _reading.formats import open_scenes

    with open_scenes(job.source) as scenes:
        images = [{"name": scene.name or None} | described(scene.open()) | scene.details() for scene in scenes]
    content = {"file": (job.subfolder / job.source.name).as_posix(), "bytes": job.source.stat().st_size}
    with writing(job.target) as part:
        part.write_text(as_yaml(content | {"images": images}), encoding="utf-8", newline="\n")
    sizes = images[0]["sizes"]
    each = ", ".join(f"{sizes[axis]} {axis}" for axis in "TCZYX")
    return f"{len(images)} image{'s, the first' if len(images) != 1 else ''} with {each}"


def described(stack: Any) -> dict[str, Any]:
    """An image in plain values; what is not known is None."""
    size = stack.pixel_size
    return {
        "sizes": dict(zip("TCZYX", stack.shape, strict=True)),
        "values": str(stack.dtype),
        "colour": stack.rgb,
        "pixel_size_um": {"x": size.x, "y": size.y, "z": size.z} if size else None,
        "time_interval_s": stack.time_interval,
        "channels": list(stack.channels),
    }


def as_yaml(content: dict[str, Any]) -> str:
    """Nested values as YAML. Each line's value is JSON, which is YAML too, so no text can be misread."""
    lines: list[str] = []
    for name, value in content.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            lines.append(f"{name}:")
            for each in value:
                first, *others = as_yaml(each).splitlines()
                lines += [f"- {first}", *(f"  {line}" for line in others)]
        elif isinstance(value, dict):
            lines += [f"{name}:", *(f"  {line}" for line in as_yaml(value).splitlines())]
        else:
            lines.append(f"{name}: {json.dumps(value, ensure_ascii=False)}")
    return "\n".join(lines) + "\n"


def main(argv: list[str] | None = None) -> int:
    """Runs the program; gives its exit code."""
    return _program.work.run(arguments().parse_args(argv), extract, ending=".yaml")


if __name__ == "__main__":
    sys.exit(main())
