"""Makes the modules of the folder `training` importable: the images and the figures there are the same as here."""

import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "training"

if str(FOLDER) not in sys.path:
    sys.path.append(str(FOLDER))
