"""PEP 723 scripts, with the real uv."""

from __future__ import annotations

import codecs
import os
from pathlib import Path

import pytest

from runner.environments import Request
from runner.environments.uv import script
from runner.errors import EnvironmentMissing
from runner.model import EnvironmentSpec, ResolvedFlags
from tests.support.lab import Lab, segment
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
    code, output = run(script.wrap(Request(SPEC, entries, {}, str(shop.repo)), site), site.host.environ)
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
    with pytest.raises(EnvironmentMissing) as caught:
        prepare(shop, str(path))
    assert caught.value.message.endswith("mein skript.py.lock is not up to date with mein skript.py")
    assert caught.value.cure.startswith(f'Run `uv lock --script "{path}"`, then start again.')
    shop.uv("lock", "--script", str(path))
    assert prepare(shop, str(path)) == ["sync"]


def test_a_broken_lock_of_a_script_is_told_by_its_own_name(shop: Shop) -> None:
    path = write(shop, "pass")
    path.with_name(f"{path.name}.lock").write_text("<<<<<<< HEAD\n", encoding="utf-8")
    with pytest.raises(EnvironmentMissing) as caught:
        prepare(shop, str(path))
    assert "mein skript.py.lock is not valid: line 1, column 9" in caught.value.message
    assert "pyproject.toml" not in caught.value.cure.partition("\nuv:")[0]


@pytest.mark.parametrize("text", ['exclude-newer = "2015-01-01T00:00:00Z"\n', "no-index = = true\n"])
def test_a_users_uv_toml_does_not_make_a_scripts_lock_stale(shop: Shop, text: str) -> None:
    path = write(shop, "import alpha; print(alpha.VERSION)")
    shop.uv("lock", "--script", str(path))
    own = Path(shop.environ["HOME"]) / ".config" / "uv" / "uv.toml"
    own.parent.mkdir(parents=True)
    own.write_text(text, encoding="utf-8")
    assert script.check(SPEC, [str(path)], shop.site()) == []
    assert prepare(shop, str(path)) == ["sync"]
    assert start(shop, str(path)) == "1.0\n"


def test_a_block_behind_a_byte_order_mark_counts(shop: Shop) -> None:
    make_wheel(shop.repo / "wheels", "alpha", "1.0")
    path = shop.repo / "marked.py"
    wheels = (shop.repo / "wheels").as_posix()
    block = f'# /// script\n# dependencies = ["alpha"]\n#\n# [tool.uv]\n# find-links = ["{wheels}"]\n# ///\n'
    path.write_bytes(codecs.BOM_UTF8 + f"{block}import alpha; print(alpha.VERSION, __file__)\n".encode())
    assert script.check(SPEC, [str(path)], shop.site()) == []
    assert prepare(shop, str(path)) == ["sync"]
    assert start(shop, str(path)) == f"1.0 {path}\n"
    assert prepare(shop, str(path)) == []


def test_a_byte_order_mark_before_packages_in_folders_is_told_before_anything_runs(shop: Shop) -> None:
    path = write(shop, "pass")
    path.write_bytes(codecs.BOM_UTF8 + path.read_bytes())
    (finding,) = script.check(SPEC, [str(path)], shop.site())
    assert "byte-order mark" in finding.message
    assert "BOM" in finding.cure


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('dependencies = ["six=1.16.0"]', 'no such comparison operator "="'),
        ('dependencies = "six"', "expected a sequence"),
        ('dependencies = ["six >= "]', "line 4: "),
        ("dependencies = [3]", "line 4: "),
        ('requires-python = "3.11.x"', "Failed to parse version"),
        ("requires-python = 3.11", "line 4: "),
        ("dependencies = = []", "at line 4, column"),
    ],
)
def test_metadata_that_uv_does_not_take_is_found_before_anything_runs(shop: Shop, line: str, why: str) -> None:
    path = shop.repo / "x.py"
    path.write_text(f"#!/usr/bin/env python\n\n# /// script\n# {line}\n# ///\n", encoding="utf-8")
    (finding,) = script.check(SPEC, [str(path)], shop.site())
    assert why in finding.message
    assert "line 4" in finding.message
    assert str(path) in finding.message


def test_what_the_index_does_not_have_is_no_fault_of_the_lock(shop: Shop) -> None:
    path = shop.repo / "x.py"
    path.write_text('# /// script\n# dependencies = ["no-such-package-here"]\n# ///\n', encoding="utf-8")
    assert script.check(SPEC, [str(path)], shop.site(UV_OFFLINE="0")) == []
    with pytest.raises(EnvironmentMissing) as caught:
        prepare(shop, str(path))
    assert "what its `# /// script` block asks for cannot be had" in caught.value.message
    assert "uv lock" not in caught.value.cure


@pytest.mark.parametrize(
    "options",
    [["-W", "ignore"], ["-X", "utf8"], ["-u"], ["-Wignore", "-Xutf8"], ["-uW", "ignore"], ["-B", "-X", "utf8", "-I"],
     ["--check-hash-based-pycs", "always"], ["-E", "--"]],
)  # fmt: skip
def test_options_of_python_may_stand_before_the_script(shop: Shop, options: list[str]) -> None:
    path = write(shop, "import sys; print(sys.argv[1:])")
    entries = ["python", *options, str(path), "-W", "x"]
    assert script.check(SPEC, entries, shop.site()) == []
    prepare(shop, *entries)
    assert start(shop, *entries) == "['-W', 'x']\n"


def test_a_plan_is_shown_though_the_script_is_missing(shop: Shop) -> None:
    command = script.wrap(Request(SPEC, ["python", "-u", "gone.py", "--x"], {}, str(shop.repo), dry=True), shop.site())
    assert command.argv == ("python", "-u", "gone.py", "--x")


def test_an_environment_that_the_cache_lost_is_made_again(shop: Shop) -> None:
    path = write(shop, "pass")
    prepare(shop, str(path))
    Path(script.wrap(Request(SPEC, [str(path)], {}, str(shop.repo)), shop.site()).argv[0]).unlink()
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
    for entries in (
        [],
        ["python"],
        ["python", "-c", "pass"],
        ["-m", "tool"],
        ["-um", "tool"],
        ["-Wi", "-cpass"],
        ["-"],
    ):
        (finding,) = script.check(SPEC, entries, shop.site())
        assert "names none" in finding.message


def test_a_dry_run_with_a_missing_script_shows_the_plan_and_what_stops_it(lab: Lab) -> None:
    pipeline = lab.pipeline(
        [segment("one", "echo 1", environment="cmd"), segment("two", "python", "gone.py", environment="script")]
    )
    done = lab.run(pipeline, "--dry-run", check=None)
    said = done.stdout + done.stderr
    assert "echo 1" in said
    assert "python gone.py" in said
    assert "there is no script" in said, said


@pytest.mark.parametrize(
    "text",
    [
        "# /// script \n# dependencies = []\n# ///\n",
        "# /// script\n# dependencies = []\n# /// \n",
        "# /// script\n# dependencies = []\nprint(1)\n",
        "#/// script\n# dependencies = []\n#///\n",
        "  # /// script\n  # dependencies = []\n  # ///\n",
        "# /// script\n# dependencies = []\n\n# requires-python = '>=3.11'\n# ///\n",
        "# /// script\n#\tdependencies = []\n# ///\n",
        "# /// script\r# dependencies = []\r# ///\r",
    ],
)
def test_a_block_that_uv_does_not_see_is_told_with_its_line_before_anything_runs(shop: Shop, text: str) -> None:
    path = shop.repo / "x.py"
    path.write_bytes(b"#!/usr/bin/env python\n" + text.encode())
    (finding,) = script.check(SPEC, [str(path)], shop.site())
    assert finding.message == f"what begins in line 2 of {path} is no whole `# /// script` block"


def test_a_segments_own_path_does_not_hide_the_programs_of_the_environment(shop: Shop) -> None:
    path = write(shop, "import os; print(os.environ['PATH'])")
    prepare(shop, str(path))
    site = shop.site()
    request = Request(SPEC, [str(path)], {"PATH": "/opt/tools"}, str(shop.repo))
    code, output = run(script.wrap(request, site), site.host.environ)
    assert code == 0
    folder = script.folder(SPEC, [str(path)], site)
    first, second = output.strip().split(os.pathsep)
    assert Path(first).parent == folder
    assert second == "/opt/tools"


def test_items_keep_the_environment_that_the_first_of_them_had(shop: Shop) -> None:
    path = write(shop, "pass")
    prepare(shop, str(path))
    site = shop.site()

    def wrapped(*, many: bool) -> str:
        return script.wrap(Request(SPEC, [str(path), "--image", "1.tif"], {}, str(shop.repo), many=many), site).argv[0]

    python = wrapped(many=True)
    assert python == wrapped(many=False)
    write(shop, "pass", "2.0")  # while the run goes on
    assert wrapped(many=True) == python
    with pytest.raises(EnvironmentMissing, match="not prepared"):
        wrapped(many=False)
