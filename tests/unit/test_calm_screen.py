"""What is shown of uv while it prepares an environment."""

import pytest

from runner.executors.preparer import Calm

SAID = b"""\
Downloading scipy (33.7MiB)
Installed 2 packages in 5ms
 + numpy==2.1.0
 - old==1
{
  "a": [
    1
  ]
}
end
"""


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_packages_and_reports_are_left_out_however_the_output_is_cut(size: int) -> None:
    calm = Calm()
    shown = b"".join(calm.feed(SAID[i : i + size]) for i in range(0, len(SAID), size))
    assert shown.split(b"\n")[:2] == [b"Downloading scipy (33.7MiB)", b"Installed 2 packages in 5ms"]
    assert b"numpy" not in shown
    assert b"old" not in shown
    assert b"{" not in shown
    assert shown.endswith(b"end\n")
