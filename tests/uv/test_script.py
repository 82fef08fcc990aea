"""PEP 723 scripts, with the real uv."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.environments import script
from runner.errors import EnvironmentMissing
from runner.model import EnvironmentSpec, ResolvedFlags
from tests.uv.shop import Shop, carry_out, make_wheel, run

SPEC = EnvironmentSpec("script", text="script")


def write(shop: Shop, body: str, version: str = "1.0") -> Path:
    """A script that needs the wheel `alpha` of that version."""
    wheel = make_wheel(shop.repo / "wheels", "alpha", version)
    path = shop.repo / "mein skript.py"
    path.write_text(
        '# /// script\n# dependencies = ["alpha"]\n#\n# [tool.uv.sources]\n'
        f'# alpha = {{ path = "wheels/{wheel.name}" }}\n# ///\n{body}\n',
        encoding="utf-8",
    )
    return path


def prepare(shop: Shop, *entries: str | ResolvedFlags) -> list[str]:
    site = shop.site()
    preparation = script.prepare(SPEC, entries, site)
    return [] if preparation is None else carry_out(preparation, site)


def start(shop: Shop, *entries: str | ResolvedFlags) -> str:
    site = shop.site(PYTHONPATH="/nowhere", VIRTUAL_ENV="/nowhere")
    code, output = run(script.wrap(SPEC, entries, {}, str(shop.repo), site), site.host.environ)
    assert code == 0, output
    return output


def test_a_script_runs_with_the_packages_that_it_names(shop: Shop) -> None:
    path = write(
        shop, "import alpha, os, sys; print(alpha.VERSION, sys.argv[1:], os.environ['VIRTUAL_ENV'] == sys.prefix)"
    )
    entries = ("python", str(path), ResolvedFlags((("--x", "a b"), ("--quiet", None))))
    assert script.check(SPEC, entries, shop.site()) == []
    assert prepare(shop, *entries) == ["sync"]
    assert start(shop, *entries) == "1.0 ['--x', 'a b', '--quiet'] True\n"
    assert script.fingerprint(SPEC, entries, shop.site())["packages"] == {"alpha": "1.0"}


def test_its_environment_is_made_again_when_its_packages_change_and_not_when_its_code_does(shop: Shop) -> None:
    path = write(shop, "print('one')")
    assert prepare(shop, str(path)) == ["sync"]
    assert prepare(shop, str(path)) == []
    path = write(shop, "print('two')")
    assert prepare(shop, str(path)) == []
    write(shop, "import alpha; print(alpha.VERSION)", "2.0")
    assert prepare(shop, str(path)) == ["sync"]
    assert start(shop, str(path)) == "2.0\n"


def test_a_scripts_lock_is_held_to(shop: Shop) -> None:
    path = write(shop, "pass")
    shop.uv("lock", "--script", str(path))
    assert prepare(shop, str(path)) == ["sync"]
    assert script.fingerprint(SPEC, [str(path)], shop.site())["locked"] is True
    write(shop, "pass", "2.0")
    with pytest.raises(EnvironmentMissing, match="not up to date"):
        prepare(shop, str(path))


def test_an_environment_that_the_cache_lost_is_made_again(shop: Shop) -> None:
    path = write(shop, "pass")
    prepare(shop, str(path))
    Path(script.wrap(SPEC, [str(path)], {}, str(shop.repo), shop.site()).argv[0]).unlink()
    assert prepare(shop, str(path)) == ["sync"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("print(1)\n", "no `# /// script` block"),
        ("# /// script\n# dependencies = [\n# ///\n", "not valid TOML"),
        ("# /// script\n# x = 1\n# ///\n\n# /// script\n# x = 1\n# ///\n", "more than one"),
    ],
)
def test_a_script_without_good_metadata_is_found_before_anything_runs(shop: Shop, text: str, expected: str) -> None:
    path = shop.repo / "x.py"
    path.write_text(text, encoding="utf-8")
    (finding,) = script.check(SPEC, [str(path)], shop.site())
    assert expected in finding.message
    assert "# /// script" in finding.cure
    assert finding.key == "commands"


def test_a_missing_script_is_found_before_anything_runs(shop: Shop) -> None:
    (finding,) = script.check(SPEC, ["python", "gone.py"], shop.site())
    assert "there is no script" in finding.message
    for entries in ([], ["python"], ["python", "-c", "pass"], ["-m", "tool"]):
        (finding,) = script.check(SPEC, entries, shop.site())
        assert "names none" in finding.message
