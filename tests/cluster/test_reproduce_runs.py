"""A run of a cluster, run again on this machine from its record."""

from __future__ import annotations

from tests.cluster.cluster_lab import ClusterLab


def test_a_run_of_a_cluster_is_run_again_on_this_machine(lab: ClusterLab) -> None:
    lab.files(4)
    script = lab.script(
        "list.py",
        "import os, sys\n"
        "os.makedirs(sys.argv[4], exist_ok=True)\n"
        "open(sys.argv[4] + '/all.txt', 'w').write(str(sorted(os.listdir(sys.argv[2]))))\n",
    )
    flags = {"--input-folder": "%YAML%/out", "--output-folder": "%YAML%/all"}
    count = {"name": "List", "environment": "uv:default", "commands": ["python", str(script), flags]}
    pipeline = lab.pipeline([lab.copy(), count])
    lab.run("run", pipeline)
    told = lab.run("reproduce", pipeline, "-n")
    assert "nothing that is known differs from then" in told.stdout
    done = lab.run("reproduce", pipeline)
    assert "B gives the same results as A in both segments: the same bytes." in done.stdout
    (lab.data / "in" / "item004.tif").write_text("another")
    told = lab.run("reproduce", pipeline, "-n")
    assert "other items than then: item004.tif (new)" in told.stdout
