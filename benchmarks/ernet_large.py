"""Segments one very large image, and says how long it took and how much memory at most. POSIX.

    uv run --only-group segment_er python benchmarks/ernet_large.py --side 20000

The image is a pattern of ridges that repeats, uint16. `--weights` as of _segment_ernet.py.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAM = Path(__file__).resolve().parents[1] / "standard_code" / "python" / "_segment_ernet.py"


def ridges(side: int, path: Path, compressed: bool) -> None:
    """A TIFF of `side` x `side` pixels with lines such as a network has."""
    import numpy as np
    import tifffile
    from scipy import ndimage

    block = 1000
    noise = ndimage.gaussian_filter(np.random.default_rng(1).random((block, block)), 6, mode="wrap")
    pattern = (20_000 * np.exp(-(((noise - noise.mean()) / (0.15 * noise.std())) ** 2)) + 500).astype(np.uint16)
    row = np.tile(pattern, (1, -(-side // block)))[:, :side]
    bands = (np.ascontiguousarray(row[: min(block, side - start)]) for start in range(0, side, block))
    if compressed:
        strips = (band for band in bands)
        tifffile.imwrite(path, strips, shape=(side, side), dtype=np.uint16, compression="zlib", rowsperstrip=block)
        return
    image = tifffile.memmap(path, shape=(side, side), dtype=np.uint16)
    for number, band in enumerate(bands):
        image[number * block : number * block + len(band)] = band
    image.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=20_000, metavar="PIXELS")
    parser.add_argument("--weights", default="default", metavar="MODEL")
    parser.add_argument("--compressed", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "large.tif"
        ridges(args.side, image, args.compressed)
        command = [sys.executable, str(PROGRAM), "--input-search-pattern", str(image), "--output-folder", folder]
        # The child's share of what this process has in memory would count as its own.
        start = time.monotonic()
        subprocess.run([*command, "--weights", args.weights], check=True)
        seconds = time.monotonic() - start
    unit = 2**10 if sys.platform == "darwin" else 1
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / unit / 2**20
    print(f"{args.side} x {args.side} pixels: {seconds:.0f} s, {peak:.2f} GiB at most")


if __name__ == "__main__":
    main()
