"""The pipeline that plots sin(x), on the workstation and on Slurm by the same file."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.programs.conftest import REPO, UV_HOME
from tests.support.lab import clean_environ
from tests.support.slurm import Slurm

PIPELINES = REPO / "pipeline_configs"
SITE = """\
[executors.cluster]
kind = "slurm"
time = "5m"
options = ["--mem=800M"]
"""


def test_the_pipeline_that_plots_sine_gives_equal_figures_on_slurm_by_the_same_file(
    slurm: Slurm, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    (home / ".config" / "run-pipeline").mkdir(parents=True)
    (home / ".config" / "run-pipeline" / "run-pipeline.toml").write_text(SITE, encoding="utf-8")
    of_slurm = {name: value for name, value in slurm.environ.items() if name.startswith("SLURM")}
    environ = clean_environ(home) | UV_HOME | of_slurm | {"XDG_CONFIG_HOME": str(home / ".config")}
    figures = {}
    for executor in ("local", "cluster"):
        folder = tmp_path / executor
        folder.mkdir()
        for name in ("plot_sine.yaml", "plot_sine.py", "plot_sine.py.lock"):
            shutil.copy(PIPELINES / name, folder)
        line = [sys.executable, "-m", "runner", "run", folder / "plot_sine.yaml", "--executor", executor]
        done = subprocess.run(line, cwd=REPO, env=environ, capture_output=True, encoding="utf-8", timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        figures[executor] = {path.name: path.read_bytes() for path in (folder / "output_plot_sine").iterdir()}
    assert len(figures["local"]) == 10
    assert figures["local"] == figures["cluster"]
