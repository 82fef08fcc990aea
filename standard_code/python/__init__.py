"""Segment programs. Each runs by its path, or as `python -m standard_code.python.<name>`.

What several of them use lies in the folders beside them.
"""

import sys
from pathlib import Path

# By path, Python puts this folder on sys.path itself; with -m it does not.
sys.path.insert(0, str(Path(__file__).resolve().parent))
