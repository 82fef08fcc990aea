"""conda's and pip's ways of writing a package, as PEP 508."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement as Pep508
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from runner.migrate.requirement import Requirement, merged, parse_match_spec, parse_pip
from runner.migrate.versions import minors, to_pep440


@pytest.mark.parametrize(
    ("text", "name", "specifier"),
    [
        ("numpy", "numpy", ""),
        ("numpy=1.26", "numpy", "==1.26.*"),
        ("numpy=1.26.*", "numpy", "==1.26.*"),
        ("numpy==1.26.4", "numpy", "==1.26.4"),
        ("numpy 1.26.4", "numpy", "==1.26.4"),
        ("numpy 1.26.* py310_0", "numpy", "==1.26.*"),
        ("numpy=1.26=py310_0", "numpy", "==1.26"),
        ("numpy==1.26.4=py310_0", "numpy", "==1.26.4"),
        ("numpy=1.26.*=py310_0", "numpy", "==1.26.*"),
        ("numpy=1.7|1.8", "numpy", ">=1.7,<=1.8"),
        ("numpy 1.9.3|1.10|2.*", "numpy", ">=1.9.3,<3"),
        ("numpy 1.26.*|1.27.*", "numpy", ">=1.26,<1.28"),
        ("numpy >= 1.2 , < 2", "numpy", ">=1.2,<2"),
        ("numpy>=1.24,<2.0", "numpy", ">=1.24,<2.0"),
        ("numpy 1.8*", "numpy", "==1.8.*"),
        ("numpy>=1.8.*", "numpy", ">=1.8"),
        ("numpy~=1.8", "numpy", "~=1.8"),
        ("numpy!=1.5", "numpy", "!=1.5"),
        ("numpy=*", "numpy", ""),
        ("conda-forge::numpy", "numpy", ""),
        ("conda-forge/linux-64::numpy>=1", "numpy", ">=1"),
        ("numpy[version='>=1.2,<2',build=py310*]", "numpy", ">=1.2,<2"),
        ("pytorch=*=cpu*", "pytorch", ""),
        ("Pillow", "pillow", ""),
        ("bioimageio.core", "bioimageio.core", ""),
        ("h5py", "h5py", ""),
        ("nd2reader", "nd2reader", ""),
        ("pyqt6", "pyqt6", ""),
        ("python='3.10'", "python", "==3.10.*"),
        ("python=3", "python", "==3.*"),
    ],
)
def test_what_conda_reads_in_a_line(text: str, name: str, specifier: str) -> None:
    spec = parse_match_spec(text)
    assert spec is not None
    assert (spec.name, spec.specifier) == (name, specifier)


def test_channel_and_build_string_are_told_apart_from_the_version() -> None:
    spec = parse_match_spec("bioconda::bftools=6.13=hdfd78af_0")
    assert spec is not None
    assert (spec.channel, spec.build) == ("bioconda", "hdfd78af_0")


@pytest.mark.parametrize("text", ["numpy<1.7|>1.8", "jpeg=9e", "openssl=1.1.1k"])
def test_a_version_that_pypi_cannot_say_is_left_open_and_reported(text: str) -> None:
    spec = parse_match_spec(text)
    assert spec is not None
    assert spec.specifier == ""
    assert "left open" in spec.note


@pytest.mark.parametrize("text", ["", "[a]", "!", "a b c; d[", "=1.0"])
def test_what_is_no_package_is_not_taken_for_one(text: str) -> None:
    spec = parse_match_spec(text)
    assert spec is None or not spec.name or spec.note or text == "a b c; d["


@given(
    st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30)),
    st.sampled_from(["=", "==", ">=", "<=", "<", ">", "!="]),
)
def test_every_conda_version_becomes_a_specifier_that_python_reads(
    release: tuple[int, int, int], operator: str
) -> None:
    text = ".".join(map(str, release))
    specifier, note = to_pep440(operator + text)
    assert not note
    holds = Version(text) in SpecifierSet(specifier)
    assert holds == (operator in ("=", "==", ">=", "<="))


@pytest.mark.parametrize(
    "specifier", ["==3.11.*", ">=3.9", ">=3.11,<3.14", "~=3.10", "!=3.12.*,>=3.11", "<3.12", ">3.11", "==3.12.4", ""]
)
def test_the_pythons_that_a_specifier_leaves_are_those_that_packaging_leaves(specifier: str) -> None:
    by_packaging = {
        minor for minor in range(6, 40) if any(f"3.{minor}.{patch}" in SpecifierSet(specifier) for patch in range(40))
    }
    assert minors(specifier) == by_packaging


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("cellpose[gui]==3.0.7", "cellpose[gui]==3.0.7"),
        ("numpy >=1.2, <2 ; sys_platform == 'win32'", "numpy>=1.2,<2 ; sys_platform == 'win32'"),
        ("foo (>=1)", "foo>=1"),
        ("foo=1.2", "foo==1.2.*"),
        ("sam @ git+https://example.org/sam.git@v1", "sam @ git+https://example.org/sam.git@v1"),
        ("git+https://example.org/MobileSAM.git", "MobileSAM @ git+https://example.org/MobileSAM.git"),
        ("git+https://example.org/x.git#egg=foo[all]", "foo[all] @ git+https://example.org/x.git"),
        ("git@example.org:lab/x.git", "x @ git+ssh://git@example.org/lab/x.git"),
        ("https://example.org/Foo-1.2-py3-none-any.whl", "Foo @ https://example.org/Foo-1.2-py3-none-any.whl"),
        ("foo==1.0 --hash=sha256:aa --hash=sha256:bb", "foo==1.0"),
        ("numpy>=1.20.*", "numpy>=1.20"),
        ("numpy~=2, !=2.1.*", "numpy>=2,!=2.1.*"),
    ],
)
def test_what_pip_reads_in_a_line(text: str, wanted: str) -> None:
    found = parse_pip(text)
    assert found is not None
    assert str(found) == wanted
    Pep508(str(found))


@pytest.mark.parametrize("text", ["--pre", "./folder", "foo bar", "foo==", "[x]"])
def test_what_is_no_requirement_is_none(text: str) -> None:
    assert parse_pip(text) is None


def test_two_lines_for_one_package_hold_together() -> None:
    lines = [
        Requirement("roifile"),
        Requirement("Roi_File"),
        Requirement("roifile", ("all",), ">=2"),
        Requirement("roifile", (), "<9"),
    ]
    assert [str(one) for one in merged(lines)] == ["roifile[all]>=2,<9", "Roi_File"]


def test_a_platform_joins_a_marker_that_is_there() -> None:
    one = Requirement("a", (), "", "python_version < '3.12'").with_marker(
        "sys_platform == 'win32' or sys_platform == 'linux'"
    )
    assert one.marker == "python_version < '3.12' and (sys_platform == 'win32' or sys_platform == 'linux')"
