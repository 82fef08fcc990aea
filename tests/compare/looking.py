"""Runs in the environment of the group `compare`: tells what the pictures of a report show, as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = {
    "yellow": (240, 228, 66), "sky blue": (86, 180, 233), "blue": (0, 114, 178), "vermilion": (213, 94, 0),
    "white": (255, 255, 255), "black": (0, 0, 0),
}  # fmt: skip


def seen(path: Path) -> dict[str, float]:
    """The share of each colour, and how many shades of grey there are."""
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
    found = {name: float((abs(pixels - colour).max(axis=2) < 60).mean()) for name, colour in COLOURS.items()}
    grey = pixels[(np.ptp(pixels, axis=2) < 12)]
    return found | {"shades": len(np.unique(grey.mean(axis=1).astype(int)) if grey.size else [])}


if __name__ == "__main__":
    report = Path(sys.argv[1])
    files = [f for part in json.loads((report / "report.json").read_text("utf-8"))["parts"] for f in part["files"]]
    print(json.dumps({
        file["name"]: {one["shows"]: seen(report / one["file"]) for one in file["pictures"]} for file in files
    }))  # fmt: skip
