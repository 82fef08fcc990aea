"""The scripts and options for PBS, through the qsub that Debian has for Slurm (slurm-wlm-torque).

It is not PBS: its numbers and states are Slurm's. It shows that a real qsub takes what we write, and that it runs.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from runner.cluster.jobs import ClusterError, Submission
from runner.cluster.pbs import Pbs, make
from runner.cluster.script import script_text
from runner.model import Resources
from runner.site_file import ExecutorSettings
from tests.support.slurm import Slurm


def test_a_real_qsub_takes_the_options_and_runs_the_script(slurm: Slurm, tmp_path: Path) -> None:
    if not shutil.which("qsub"):
        pytest.skip("no qsub here (Debian: apt-get install slurm-wlm-torque)")
    script, log = tmp_path / "job.sh", tmp_path / "jobs"
    log.mkdir()
    # this qsub does not set PBS's variables
    first = f"#!/bin/sh\nPBS_ARRAY_INDEX=$SLURM_ARRAY_TASK_ID; exec > {log}/$SLURM_ARRAY_TASK_ID\n"
    words = ["/usr/bin/printf", "'%s %s\\n'", '"$GIVEN"', Pbs.index]
    text = script_text(words, {"PATH": "/usr/bin:/bin"}, {"GIVEN": "a 'b'"}, [])
    script.write_text(text.replace("#!/bin/sh\n", first))
    sent = Submission("rp-smoke", script, tmp_path, log, (0, 1, 2), Resources(cpus=2, memory=200 << 20), 300)
    one = make(ExecutorSettings("pbs", "pbs", partition="main", at_once=2), slurm.host())
    job = slurm.run("qsub", *one.options(sent), script).split(".")[0]
    assert slurm.wait(job, "COMPLETED") == ["COMPLETED"] * 3
    assert [(log / str(number)).read_text() for number in range(3)] == [f"a 'b' {n}\n" for n in range(3)]
    assert slurm.run("squeue", "-h", "-t", "all", "-j", f"{job}_1", "-o", "%j %P %m") == "rp-smoke main 200M"
    one.asking = replace(one.asking, kept=("SLURM_CONF",))
    with pytest.raises(ClusterError, match="not that of PBS"):
        one.test(sent)
