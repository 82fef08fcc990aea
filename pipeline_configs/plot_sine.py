# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "matplotlib>=3.9",
#     "numpy>=1.26",
# ]
# ///
"""Plots sin(x) over some waves and saves the figure."""

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")  # without a screen

from matplotlib import pyplot as plt

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--waves", type=int, default=1)
parser.add_argument("--output", type=Path, required=True)
args = parser.parse_args()

x = np.linspace(0, 2 * np.pi * args.waves, 200 * args.waves)
plt.plot(x, np.sin(x))
plt.xlabel("x")
plt.ylabel("sin(x)")
args.output.parent.mkdir(parents=True, exist_ok=True)
plt.savefig(args.output)
print(args.output)
