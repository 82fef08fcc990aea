"""Environment files as people write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.errors import UsageError
from runner.migrate.recipe import read_recipe
from runner.migrate.recipe_lines import Source


def write(folder: Path, text: str, name: str = "env.yml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_every_entry_is_a_line_with_its_place(tmp_path: Path) -> None:
    recipe = read_recipe(
        write(
            tmp_path,
            "name: cells\nchannels:\n  - conda-forge\n"
            "dependencies:\n- numpy\n- pip\n- pip:\n    - napari[all]\nprefix: /a\n",
        )
    )
    assert recipe.name == "cells"
    assert [(line.number, line.text, line.source) for line in recipe.lines] == [
        (3, "conda-forge", Source.CHANNEL),
        (5, "numpy", Source.CONDA),
        (6, "pip", Source.CONDA),
        (8, "napari[all]", Source.PIP),
        (9, "prefix: /a", Source.SETTING),
    ]


def test_a_recipe_without_a_name_is_called_as_its_file(tmp_path: Path) -> None:
    assert read_recipe(write(tmp_path, "dependencies: [numpy]\n", "cells.yml")).name == "cells"


def test_variables_are_one_line_each(tmp_path: Path) -> None:
    recipe = read_recipe(write(tmp_path, "dependencies: [pip]\nvariables:\n  A: 1\n  B: two\n"))
    assert [line.text for line in recipe.lines][1:] == ["variables: A=1", "variables: B=two"]


@pytest.mark.parametrize(
    ("comment", "marker"),
    [
        ("# [win]", "sys_platform == 'win32'"),
        ("# [not osx]", "sys_platform != 'darwin'"),
        ("# [linux or win]", "sys_platform == 'linux' or sys_platform == 'win32'"),
        (
            "# [linux and x86_64]",
            "sys_platform == 'linux' and (platform_machine == 'x86_64' or platform_machine == 'AMD64')",
        ),
        ("# [not win and py<312]", "sys_platform != 'win32' and python_version < '3.12'"),
        ("#[py==311]", "python_version == '3.11'"),
        (
            "# [win or osx and arm64]",
            "sys_platform == 'win32' or sys_platform == 'darwin' and platform_machine == 'arm64'",
        ),
        ("# [py27]", ""),
        ("# [vc>=14]", ""),
        ("# a word in [brackets, so]", ""),
    ],
)
def test_a_selector_behind_an_entry_is_a_marker(tmp_path: Path, comment: str, marker: str) -> None:
    (line,) = read_recipe(write(tmp_path, f"dependencies:\n  - pywin32  {comment}\n")).lines
    assert line.marker == marker


def test_a_selector_that_is_not_understood_is_never_passed_over_in_silence(tmp_path: Path) -> None:
    (line,) = read_recipe(write(tmp_path, "dependencies:\n  - pywin32  # [win and vc>=14]\n")).lines
    assert (line.marker, line.remark) == (
        "",
        "the selector [win and vc>=14] is not understood: taken for every platform",
    )


def test_a_selector_behind_a_requirements_file_is_that_of_its_lines_and_no_other(tmp_path: Path) -> None:
    write(tmp_path, "numpy\n# a comment\ntifffile\nzarr\n", "r.txt")
    text = "dependencies:\n- pip\n- pip:\n  - tqdm  # [osx]\n  - -r r.txt  # [win]\n"
    lines = {line.text: line for line in read_recipe(write(tmp_path, text)).lines}
    assert lines["tqdm"].marker == "sys_platform == 'darwin'"
    assert {lines[name].marker for name in ("numpy", "tifffile", "zarr")} == {"sys_platform == 'win32'"}
    assert lines["zarr"].remark == "only for [win]"


def test_a_selector_as_a_key_is_a_marker_too(tmp_path: Path) -> None:
    (line,) = read_recipe(write(tmp_path, "dependencies:\n  - sel(win): pywin32\n")).lines
    assert (line.text, line.marker) == ("pywin32", "sys_platform == 'win32'")


def test_requirements_files_are_read_with_those_that_they_name(tmp_path: Path) -> None:
    write(tmp_path, "# tools\nnumpy>=1 \\\n   ,<2  # why\n-r sub/more.txt\n\n--pre\n", "a b.txt")
    (tmp_path / "sub").mkdir()
    write(tmp_path / "sub", "tifffile\n", "more.txt")
    recipe = read_recipe(write(tmp_path, "dependencies:\n- pip:\n  - -r a b.txt\n"))
    assert [(line.file.name, line.number, line.text) for line in recipe.lines] == [
        ("a b.txt", 2, "numpy>=1     ,<2"),
        ("more.txt", 1, "tifffile"),
        ("a b.txt", 6, "--pre"),
    ]


def test_a_requirements_file_that_names_itself_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "-r r.txt\n", "r.txt")
    with pytest.raises(UsageError, match="names itself"):
        read_recipe(write(tmp_path, "dependencies:\n- pip:\n  - -r r.txt\n"))


def test_entries_below_an_empty_pip_are_taken_for_its_entries_and_said_so(tmp_path: Path) -> None:
    recipe = read_recipe(write(tmp_path, "dependencies:\n- pip\n- pip:\n- nellie\n"))
    assert recipe.lines[-1].source is Source.PIP
    assert "empty `pip:`" in recipe.lines[-1].remark


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("run:\n- name: a\n", "no list `dependencies:`"),
        ("dependencies: [a\n", "no valid YAML, line"),
        ("", "no list `dependencies:`"),
        ("- a\n", "no list `dependencies:`"),
        ("name: a\ndependencies: {numpy: 1}\n", "line 2: `dependencies:` is no list"),
        ("name: a\ndependencies:\n", "asks for no packages"),
        ("name: a\ndependencies: []\n", "asks for no packages"),
    ],
)
def test_what_is_no_recipe_is_refused_in_plain_words(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        read_recipe(write(tmp_path, text))
    assert said in error.value.message
    assert error.value.cure


def test_utf_16_with_a_mark_is_read_and_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "env.yml"
    path.write_bytes("name: Größe\ndependencies: [numpy]\n".encode("utf-16"))
    assert read_recipe(path).name == "Größe"
    path.write_bytes(b"dependencies: [numpy]\nname: Gr\xf6\xdfe\n")
    with pytest.raises(UsageError, match=r"is not UTF-8 text \(line 2\)"):
        read_recipe(path)


def test_entries_of_a_shape_that_conda_does_not_know_are_lines_too(tmp_path: Path) -> None:
    text = "dependencies:\n- [numpy, scipy]\n- pip: {a: b}\n- tqdm\n"
    found = [(line.number, line.source, line.remark) for line in read_recipe(write(tmp_path, text)).lines]
    assert found == [
        (2, Source.SETTING, "no kind of entry that conda knows"),
        (3, Source.SETTING, "`pip:` holds no list"),
        (4, Source.CONDA, ""),
    ]


@pytest.mark.parametrize("name", ["null", "~", "", "Null", "!!null ''", '"  "'])
def test_a_name_of_null_is_none_and_the_file_gives_it(tmp_path: Path, name: str) -> None:
    assert read_recipe(write(tmp_path, f"name: {name}\ndependencies: [numpy]\n", "cells.yml")).name == "cells"


def test_a_name_in_quotes_is_one_even_if_it_says_null(tmp_path: Path) -> None:
    assert read_recipe(write(tmp_path, "name: 'null'\ndependencies: [numpy]\n")).name == "null"


@pytest.mark.parametrize(
    ("text", "key", "lines"),
    [
        ("dependencies: [numpy]\nname: a\ndependencies: [scipy]\n", "dependencies", "1 and 3"),
        ("dependencies:\n- numpy\n'dependencies':\n- scipy\n", "dependencies", "1 and 3"),
        ("name: a\nname: b\ndependencies: [scipy]\n", "name", "1 and 2"),
        ("channels: [a]\ndependencies: [scipy]\nchannels: [b]\n", "channels", "1 and 3"),
    ],
)
def test_a_key_that_is_given_twice_is_refused_with_both_lines_as_conda_does(
    tmp_path: Path, text: str, key: str, lines: str
) -> None:
    with pytest.raises(UsageError, match=f"`{key}:` is given twice, in lines {lines}"):
        read_recipe(write(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (
            "# platform: linux-64\n@EXPLICIT\nhttps://conda.anaconda.org/conda-forge/linux-64/numpy-1.26.4-py312_0.conda#1a\n",
            "@EXPLICIT",
        ),
        ("\ufeff@EXPLICIT\r\nhttps://x.org/noarch/a-1-0.tar.bz2\r\n", "@EXPLICIT"),
        (
            "# This file may be used to create an environment using:\n# $ conda create --name <env> …\n"
            "numpy=1.26.4=py312_0\n",
            "conda list",
        ),
        ("# packages in environment at /opt/envs/cells:\n#\n# Name  Version\nnumpy  1.26.4  py312_0\n", "conda list"),
    ],
)
def test_a_list_of_builds_is_told_apart_from_a_recipe_with_what_to_do(tmp_path: Path, text: str, kind: str) -> None:
    with pytest.raises(UsageError, match=kind) as caught:
        read_recipe(write(tmp_path, text, "cells.txt"))
    assert "conda create --name cells --file cells.txt" in caught.value.cure
    assert "--prefix cells --pin" in caught.value.cure
