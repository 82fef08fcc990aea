"""One pipeline file that mixes conda, a uv group, a PEP 723 script, Fiji and a plain command."""

from __future__ import annotations

import os
import sys

import pytest

from tests.conda.conda_layout import make_base, make_environment
from tests.support.lab import Lab, segment, shell

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="environments are laid out as on POSIX here")

FIJI = """\
#!/bin/sh
for last; do :; done
echo "macro got $last"
"""


def test_segments_of_every_kind_run_in_one_pipeline(lab: Lab) -> None:
    base = make_base(lab.root / "conda")
    make_environment(base / "envs/ernet", variables={"v.json": {"ERNET_MODELS": "a b$c"}})
    own = make_environment(lab.root / "my own prefix", scripts={"x.sh": 'export FROM_SCRIPT="it\'s"\n'})
    fiji = lab.root / "Fiji.app/ImageJ-linux64"
    fiji.parent.mkdir()
    fiji.write_text(FIJI)
    fiji.chmod(0o755)
    (lab.repo / ".env").write_text(f"CONDA_PATH={base}\nIMAGEJ_PATH={fiji}\n")
    (lab.repo / "macro.ijm").write_text("#@ String input\n")
    inline = lab.script(
        "inline.py", "# /// script\n# dependencies = []\n# ///\nimport sys\nprint('inline', sys.argv[1:])\n"
    )
    show = "import os, sys; print(sys.prefix, os.environ.get('ERNET_MODELS'), os.environ.get('FROM_SCRIPT'))"
    pipeline = lab.pipeline(
        [
            segment("by name", "python", "-c", show, environment="ernet"),
            segment("explicit", "python", "-c", show, environment="conda:ernet"),
            segment("by prefix", "python", "-c", show, environment=str(own)),
            segment("base", "python", "-c", show, environment="Base"),
            segment("program", "erode", environment="ernet"),
            segment("group", "python", "-c", "import sys; print('group', sys.prefix)"),
            segment("inline", str(inline), {"--x": "a b"}, environment="script"),
            segment("fiji", "%REPO%/macro.ijm", {"input": "user's data"}, environment="imagej"),
            shell("line", "printf '%s|' one two"),
        ]
    )
    done = lab.run(pipeline)
    assert f"{base}/envs/ernet a b$c None" in done.stdout
    assert f"{own} None it's" in done.stdout
    assert f"{base} None None" in done.stdout
    assert "erode ernet" in done.stdout
    assert f"group {lab.repo}/.venvs/default" in done.stdout
    assert "inline ['--x', 'a b']" in done.stdout
    assert 'macro got input="user\'s data"' in done.stdout
    assert "one|two|" in done.stdout
    kinds = [receipt["environment"]["kind"] for receipt in lab.receipts(pipeline)]
    assert kinds == ["conda"] * 5 + ["uv", "script", "imagej", "shell"]
    assert lab.receipts(pipeline)[0]["environment"]["packages"]["erosion-tools"]


def test_neither_conda_nor_uv_is_looked_for_when_no_segment_needs_it(lab: Lab) -> None:
    """Programs of these names on PATH would leave a trace."""
    traps = lab.root / "traps"
    traps.mkdir()
    for name in ("conda", "mamba", "micromamba", "uv"):
        (traps / name).write_text(f"#!/bin/sh\necho asked >> '{lab.root}/asked'\nexit 1\n")
        (traps / name).chmod(0o755)
    pipeline = lab.pipeline([shell("line", "true")])
    lab.run(pipeline, PATH=f"{traps}{os.pathsep}{os.environ['PATH']}")
    assert not (lab.root / "asked").exists()
