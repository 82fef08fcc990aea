"""The training of the default model, where there is a PyTorch: a seed gives the same model each time."""

import subprocess

from tests.programs.conftest import REPO


def trained(engine, name):
    """The file of a training that is far too short to be of use."""
    path = engine.folder / name
    program = REPO / "standard_code" / "training" / "train_er.py"
    options = ["--seed", "4", "--iterations", "3", "--images", "2", "--output", str(path)]
    done = subprocess.run(
        [str(engine.python), "-W", "ignore", str(program), *options],
        env=engine.environ(),
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "2 images, 447540 parameters" in done.stdout
    return path.read_bytes()


def test_a_seed_gives_the_same_model_each_time(pytorch):
    first = trained(pytorch, "first.onnx")
    assert trained(pytorch, "again.onnx") == first
    assert len(first) < 1_000_000
