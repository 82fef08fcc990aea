"""What is shown of uv while it prepares an environment."""

import pytest

from runner.executors.preparer import Calm

SAID = b'Downloading scipy (33.7MiB)\nInstalled 2 packages in 5ms\n + numpy==2.1.0\n - old==1\n{\n  "a": [\n    1\n  ]\n}\nend\n'


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_packages_and_reports_are_left_out_however_the_output_is_cut(size: int) -> None:
    calm = Calm()
    shown = b"".join(calm.feed(SAID[i : i + size]) for i in range(0, len(SAID), size))
    assert shown.split(b"\n")[:2] == [b"Downloading scipy (33.7MiB)", b"Installed 2 packages in 5ms"]
    assert b"numpy" not in shown
    assert b"old" not in shown
    assert b"{" not in shown
    assert shown.endswith(b"end\n")
