"""Which jobs share an environment: asked when one is prepared, and when its packages are noted in a receipt."""

from runner.model import EnvironmentSpec, ResolvedEntry, ResolvedFlags, Segment, SegmentType
from runner.tasks import Task

SEGMENT = Segment(1, "a", SegmentType.NORMAL, "hash")


def job(kind: str, *entries: ResolvedEntry, name: str = "") -> Task:
    return Task(SEGMENT, EnvironmentSpec(kind, name), entries, {}, "/repo", ())


def test_two_scripts_share_none_however_they_are_started() -> None:
    assert job("script", "python", "a.py").environment_key != job("script", "python", "b.py").environment_key
    assert (
        job("script", "python", "-u", "a.py").environment_key != job("script", "python", "-u", "b.py").environment_key
    )
    assert job("script", "python", "a.py").environment_key == job("script", "python", "a.py").environment_key


def test_a_script_has_one_environment_whatever_its_arguments_are() -> None:
    a = job("script", "python", "%REPO%/a.py", ResolvedFlags((("--image", "1.tif"),)))
    b = job("script", "-X", "utf8", "%REPO%/a.py", "--verbose", ResolvedFlags((("--image", "2.tif"),)))
    assert a.environment_key == b.environment_key
    assert job("script", "a.py", "b.py").environment_key != job("script", "b.py", "a.py").environment_key


def test_segments_of_one_group_share_one_whatever_they_run() -> None:
    assert job("uv", "a.py", name="g").environment_key == job("uv", "b.py", name="g").environment_key
    assert job("uv", "a.py", name="g").environment_key != job("uv", "a.py", name="h").environment_key
