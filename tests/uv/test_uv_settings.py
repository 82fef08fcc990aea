"""uv.toml files of a user, a machine and a repository, and UV_ variables: none decides whether uv.lock is good."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest

from runner.environments import Site
from runner.environments.prepare import run_preparation
from runner.environments.uv import kind as uv
from runner.environments.uv.files import personal_files
from runner.errors import EnvironmentMissing
from runner.host import Host
from runner.process.capture import capture
from tests.support.lab import Lab
from tests.support.wheels import make_wheel
from tests.uv.index import Index
from tests.uv.shop import HEAD, Shop, run

MIRROR = '[[index]]\nurl = "http://127.0.0.1:9/simple"\ndefault = true\n'
TEXTS = {
    "a mirror": MIRROR,
    "an old mirror": 'index-url = "http://127.0.0.1:9/simple"\n',
    "a mirror for pip": '[pip]\nindex-url = "http://127.0.0.1:9/simple"\n',
    "one more index": 'extra-index-url = ["http://127.0.0.1:9/simple"]\n',
    "exclude-newer": 'exclude-newer = "2015-01-01T00:00:00Z"\n',
    "no-index": "no-index = true\n",
    "resolution": 'resolution = "lowest"\n',
    "prerelease": 'prerelease = "allow"\n',
    "required-version": 'required-version = ">=99"\n',
    "no-binary": "no-binary = true\n",
    "no-sources": "no-sources = true\n",
    "upgrade": "upgrade = true\n",
    "constraints": 'override-dependencies = ["alpha>=9"]\n',
    "no TOML": "no-index = = true\n",
    "an unknown key": "indexx = 3\n",
    "a wrong value": 'link-mode = "blub"\nno-index = 3\n',
}


@pytest.fixture(scope="module")
def pypi_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Not that of the other tests, who know no PyPI."""
    return tmp_path_factory.mktemp("pypi cache")


@pytest.fixture
def pypi(shop: Shop, tmp_path: Path, pypi_cache: Path) -> Iterator[Index]:
    """`shop` with a uv.lock that was made with PyPI, whose files come from this machine."""
    index = Index(tmp_path / "index")
    shop.environ |= {"UV_OFFLINE": "0", "UV_CACHE_DIR": str(pypi_cache), "UV_HTTP_RETRIES": "0"}
    project = f'{HEAD}[dependency-groups]\none = ["alpha"]\n[tool.uv]\npackage = false\n'
    extra = f'[[tool.uv.index]]\nurl = "{index.url}"\ndefault = true\n'
    (shop.repo / "pyproject.toml").write_text(project + extra, encoding="utf-8")
    shop.uv("lock", "--quiet")
    (shop.repo / "pyproject.toml").write_text(project, encoding="utf-8")
    lock = shop.repo / "uv.lock"
    text = re.sub(r'registry = "[^"]*"', 'registry = "https://pypi.org/simple"', lock.read_text(encoding="utf-8"))
    lock.write_text(text, encoding="utf-8")
    yield index
    index.close()


def user_file(shop: Shop, text: str) -> Path:
    path = Path(shop.environ["HOME"]) / ".config" / "uv" / "uv.toml"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    return path


def failure(shop: Shop, **environ: str) -> EnvironmentMissing:
    site = shop.site(**environ)
    preparation = uv.prepare(shop.spec("uv:one"), ["python"], site)
    assert preparation is not None
    with pytest.raises(EnvironmentMissing) as caught:
        run_preparation(preparation, lambda command: run(command, site.host.environ))
    return caught.value


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_a_users_uv_toml_does_not_change_what_is_installed(shop: Shop, pypi: Index, text: str) -> None:
    user_file(shop, text)
    before = (shop.repo / "uv.lock").read_bytes()
    assert uv.check(shop.spec("uv:one"), ["python"], shop.site()) == []
    assert shop.prepare("uv:one") == ["sync"]
    assert shop.start("uv:one", "python", "-c", "import alpha; print(alpha.VERSION)") == "1.0\n"
    assert (shop.repo / "uv.lock").read_bytes() == before


@pytest.mark.parametrize("text", [MIRROR, TEXTS["no TOML"]])
@pytest.mark.parametrize("place", ["XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "above", "repository"])
def test_it_does_not_matter_where_the_uv_toml_lies(shop: Shop, pypi: Index, text: str, place: str) -> None:
    folder = shop.repo.parent / "settings"
    if place.startswith("XDG"):
        shop.environ[place] = str(folder)
    path = {"above": shop.repo.parent, "repository": shop.repo}.get(place, folder / "uv") / "uv.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    if place == "above":
        project = shop.repo / "pyproject.toml"
        project.write_text(project.read_text(encoding="utf-8").partition("[tool.uv]")[0], encoding="utf-8")
    assert shop.prepare("uv:one") == ["sync"]
    assert shop.start("uv:one", "python", "-c", "import alpha; print(alpha.VERSION)") == "1.0\n"


@pytest.mark.parametrize(
    "variable",
    [
        "UV_DEFAULT_INDEX=http://127.0.0.1:9/simple",
        "UV_RESOLUTION=lowest",
        "UV_NO_INDEX=1",
        "UV_EXCLUDE_NEWER=2015-01-01",
    ],
)
def test_a_variable_does_not_change_what_is_installed(shop: Shop, pypi: Index, variable: str) -> None:
    name, _, value = variable.partition("=")
    assert shop.prepare("uv:one", shop.site(**{name: value})) == ["sync"]


def test_a_lock_that_was_made_with_the_users_mirror_stays_good(shop: Shop, pypi: Index) -> None:
    lock = shop.repo / "uv.lock"
    text = lock.read_text(encoding="utf-8").replace("https://pypi.org/simple", "http://127.0.0.1:9/simple")
    lock.write_text(text, encoding="utf-8")
    user_file(shop, MIRROR)
    assert shop.prepare("uv:one") == ["sync"]


def test_a_lock_that_was_made_with_the_repositorys_uv_toml_stays_good(shop: Shop, pypi: Index) -> None:
    (shop.repo / "uv.toml").write_text(f'[[index]]\nurl = "{pypi.url}"\ndefault = true\n', encoding="utf-8")
    shop.uv("lock", "--quiet")
    assert f'registry = "{pypi.url}/"' in (shop.repo / "uv.lock").read_text(encoding="utf-8")
    assert shop.prepare("uv:one") == ["sync"]
    user_file(shop, TEXTS["exclude-newer"])
    (shop.folder("uv:one").with_name("one-py3.11.json")).unlink()
    assert shop.prepare("uv:one") == ["sync"]


@pytest.mark.parametrize("by", ["uv.toml", "UV_DEFAULT_INDEX"])
def test_a_mirror_serves_the_files_where_those_of_the_lock_cannot_be_reached(
    shop: Shop, pypi: Index, tmp_path: Path, by: str
) -> None:
    mirror = Index(tmp_path / "mirror")
    for path in (pypi.folder / "alpha").iterdir():
        shutil.copy(path, mirror.folder / "alpha")
    shop.environ["UV_CACHE_DIR"] = str(tmp_path / "empty")
    pypi.close()
    environ = {by: mirror.url} if by.isupper() else {}
    if not environ:
        user_file(shop, f'[[index]]\nurl = "{mirror.url}"\ndefault = true\n')
    before = (shop.repo / "uv.lock").read_bytes()
    try:
        assert shop.prepare("uv:one", shop.site(**environ)) == ["sync", "pip", "sync"]
        assert shop.start("uv:one", "python", "-c", "import alpha; print(alpha.VERSION)") == "1.0\n"
    finally:
        mirror.close()
    assert (shop.repo / "uv.lock").read_bytes() == before


def test_a_mirror_with_another_file_than_that_of_the_lock_serves_nothing(
    shop: Shop, pypi: Index, tmp_path: Path
) -> None:
    mirror = Index(tmp_path / "mirror")
    (wheel,) = (mirror.folder / "alpha").glob("*.whl")
    (mirror.folder / "alpha" / "index.html").write_text(f'<a href="{wheel.name}">{wheel.name}</a>', encoding="utf-8")
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("more.py", "")
    shop.environ["UV_CACHE_DIR"] = str(tmp_path / "empty")
    pypi.close()
    user_file(shop, f'[[index]]\nurl = "{mirror.url}"\ndefault = true\n')
    try:
        assert "cannot be reached" in failure(shop).message
    finally:
        mirror.close()


def test_what_the_repository_itself_says_counts_beside_a_users_uv_toml(shop: Shop, pypi: Index) -> None:
    """exclude-newer stands in the lock; an index that is a folder stands in it as a relative path."""
    wheels = shop.repo / "räder"
    (pypi.folder / "alpha").rename(wheels)
    project = shop.repo / "pyproject.toml"
    text = project.read_text(encoding="utf-8").replace(
        "package = false", 'package = false\nexclude-newer-package = { alpha = false }\nexclude-newer = "2030-01-01"'
    )
    text += '[[tool.uv.index]]\nurl = "./räder"\nformat = "flat"\ndefault = true\n'
    project.write_text(text, encoding="utf-8")
    (shop.repo / "uv.lock").unlink()
    shop.uv("lock", "--quiet")
    assert 'registry = "räder"' in (shop.repo / "uv.lock").read_text(encoding="utf-8")
    user_file(shop, 'exclude-newer = "2015-01-01"\n' + MIRROR)
    assert shop.prepare("uv:one") == ["sync"]


def test_a_stale_lock_beside_a_uv_toml_is_not_to_be_written_with_what_that_says(shop: Shop, pypi: Index) -> None:
    path = user_file(shop, MIRROR)
    project = shop.repo / "pyproject.toml"
    project.write_text(project.read_text(encoding="utf-8").replace('["alpha"]', "[]"), encoding="utf-8")
    error = failure(shop)
    assert "uv.lock is not up to date" in error.message
    assert str(path) in error.cure
    assert error.cure.startswith("Run `run-pipeline env lock` (")
    path.unlink()
    assert "what UV_DEFAULT_INDEX says" in failure(shop, UV_DEFAULT_INDEX="http://127.0.0.1:9/simple").cure
    assert failure(shop).cure.startswith("Run `uv lock` in ")


def test_how_packages_get_here_is_the_users_choice(shop: Shop, pypi: Index, tmp_path: Path) -> None:
    del shop.environ["UV_CACHE_DIR"]
    user_file(
        shop, f"{MIRROR.replace('[[', chr(10) + '[[')}".replace("\n[[", f'cache-dir = "{tmp_path / "mine"}"\n[[', 1)
    )
    assert shop.prepare("uv:one") == ["sync"]
    assert (tmp_path / "mine").is_dir()


def test_a_python_that_a_uv_toml_forbids_to_fetch_is_found_before_the_run_and_names_it(shop: Shop) -> None:
    shop.write(one=[])
    del shop.environ["UV_PYTHON_DOWNLOADS"], shop.environ["UV_OFFLINE"]
    assert uv.check(shop.spec("uv@3.99:one"), ["python"], shop.site()) == []
    path = user_file(shop, 'python-downloads = "never"\n')
    (finding,) = uv.check(shop.spec("uv@3.99:one"), ["python"], shop.site())
    assert "needs Python 3.99" in finding.message
    assert str(path) in finding.cure


def test_a_broken_uv_toml_is_named_once(shop: Shop, pypi: Index) -> None:
    path = user_file(shop, "no-index = = true\n")
    site = shop.site()
    assert shop.prepare("uv:one", site) == ["sync"]
    (note,) = site.notes
    assert str(path) in note
    assert "line 1, column 12" in note


def test_without_a_uv_toml_uv_is_started_as_ever(shop: Shop) -> None:
    shop.write(one=[])
    preparation = uv.prepare(shop.spec("uv:one"), ["python"], shop.site())
    assert preparation is not None
    assert "--config-file" not in preparation.commands[0].argv
    shop.prepare("uv:one")
    assert not (shop.repo / ".venvs" / ".uv").exists()


@pytest.mark.parametrize(
    ("environ", "places"),
    [
        ({"APPDATA": "{root}/roaming"}, ["roaming"]),
        ({}, ["home/AppData/Roaming"]),
        ({"AppData": "{root}/roaming", "SystemDrive": "{root}/c"}, ["roaming", "c/ProgramData"]),
    ],
)
def test_windows_places_are_looked_at(tmp_path: Path, environ: dict[str, str], places: list[str]) -> None:
    files = [tmp_path / place / "uv" / "uv.toml" for place in places]
    for path in files:
        path.parent.mkdir(parents=True)
        path.write_text("", encoding="utf-8")
    values = {name: text.replace("{root}", str(tmp_path)) for name, text in environ.items()}
    host = Host("win32", values, PureWindowsPath(tmp_path / "home"), lambda name: None, capture)
    assert personal_files(Site(host, PureWindowsPath(tmp_path), {}, PureWindowsPath(tmp_path / ".venvs"))) == files


def test_the_first_of_the_machines_files_counts_as_with_uv(tmp_path: Path) -> None:
    files = [tmp_path / name / "uv" / "uv.toml" for name in ("first", "second")]
    for path in files:
        path.parent.mkdir(parents=True)
        path.write_text("", encoding="utf-8")
    environ = {"XDG_CONFIG_DIRS": f"{tmp_path}/none:{tmp_path}/first:{tmp_path}/second"}
    for more, expected in ({}, files[0]), ({"UV_CONFIG_FILE": str(files[1])}, files[1]):
        host = Host("linux", {**environ, **more}, PurePosixPath(tmp_path), lambda name: None, capture)
        assert personal_files(Site(host, PurePosixPath(tmp_path), {}, PurePosixPath(tmp_path))) == [expected]


def test_env_lock_writes_what_the_repository_says_alone(lab: Lab) -> None:
    path = lab.home / ".config" / "uv" / "uv.toml"
    path.parent.mkdir(parents=True)
    path.write_text('exclude-newer = "2015-01-01T00:00:00Z"\n', encoding="utf-8")
    project = lab.repo / "pyproject.toml"
    project.write_text(project.read_text("utf-8").replace("default = []", "default = []\nthird = []"), encoding="utf-8")
    said = lab.run("env", "sync", "third", check=3, UV_OFFLINE="1").stderr
    assert "Run `run-pipeline env lock` (" in said
    assert str(path) in said
    lab.run("env", "lock", UV_RESOLUTION="lowest", UV_OFFLINE="1")
    text = (lab.repo / "uv.lock").read_text("utf-8")
    assert "third = []" in text
    assert "exclude-newer" not in text
    assert "resolution-mode" not in text
    lab.run("env", "sync", "third", UV_OFFLINE="1")


@pytest.mark.parametrize("lock", [None, "<<<<<<< HEAD\nversion = 1\n=======\n>>>>>>> mine\n", "version = = 1\n"])
def test_no_advice_about_a_lock_writes_what_a_uv_toml_says_into_it(lab: Lab, lock: str | None) -> None:
    own = lab.home / ".config" / "uv" / "uv.toml"
    own.parent.mkdir(parents=True)
    own.write_text(MIRROR, encoding="utf-8")
    path = lab.repo / "uv.lock"
    path.unlink()
    if lock:
        path.write_text(lock, encoding="utf-8")
    pipeline = lab.pipeline([{"name": "a", "environment": "uv:default", "commands": ["python", "-c", "0"]}])
    for args, code in (("check", 3), ("doctor", 1)):
        done = lab.run(args, pipeline, check=code, UV_OFFLINE="1")
        said = " ".join((done.stdout + done.stderr).split())
        assert "run-pipeline env lock" in said
        assert not re.search(r"(?:[Rr]un|then) `uv lock", said)


def test_env_lock_hands_options_of_uv_on_and_locks_a_script(lab: Lab) -> None:
    assert "env lock [OPTIONS]" in lab.run("env", "lock", "--help").stdout
    assert "Resolved" in lab.run("env", "lock", "--upgrade", UV_OFFLINE="1").stdout
    script = lab.data / "s.py"
    script.write_text("# /// script\n# dependencies = []\n# ///\n", encoding="utf-8")
    own = lab.home / ".config" / "uv" / "uv.toml"
    own.parent.mkdir(parents=True)
    own.write_text(TEXTS["exclude-newer"], encoding="utf-8")
    lab.run("env", "lock", "--script", script, UV_OFFLINE="1")
    assert "exclude-newer" not in script.with_name("s.py.lock").read_text("utf-8")


def test_env_lock_takes_no_package_out_of_a_folder_of_wheels_that_only_the_user_has(lab: Lab) -> None:
    make_wheel(lab.root / "wheels", "alpha", "1.0")
    project = lab.repo / "pyproject.toml"
    project.write_text(project.read_text("utf-8").replace("default = []", 'default = ["alpha"]', 1), encoding="utf-8")
    said = lab.run("env", "lock", check=3, UV_OFFLINE="1", UV_FIND_LINKS=str(lab.root / "wheels")).stderr
    assert "No solution found" in said
    assert "alpha" not in (lab.repo / "uv.lock").read_text("utf-8")


def test_how_to_add_a_package_does_not_write_a_mirror_into_the_lock(shop: Shop, pypi: Index) -> None:
    assert "uv add --group one scipy" in uv.how_to_add("scipy", shop.spec("uv:one"), shop.site())
    user_file(shop, MIRROR)
    said = uv.how_to_add("scipy", shop.spec("uv:one"), shop.site())
    assert "uv add" not in said
    assert "run `run-pipeline env lock`" in said
