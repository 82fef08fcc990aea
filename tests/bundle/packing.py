"""The runner's own packages as wheels, made again from where they are installed: no network, no index."""

from __future__ import annotations

import base64
import hashlib
import sys
import zipfile
from importlib.metadata import Distribution, distribution
from pathlib import Path

NEEDED = (
    *(
        "attrs",
        "click",
        "colorama",
        "jinja2",
        "jsonschema",
        "jsonschema-specifications",
        "markdown-it-py",
        "markupsafe",
    ),
    *(
        "mdurl",
        "nvidia-ml-py",
        "packaging",
        "psutil",
        "pygments",
        "pyyaml",
        "referencing",
        "rich",
        "rpds-py",
        "tomlkit",
    ),
    *("typing-extensions", "uv"),
)


def wheel_of(name: str, folder: Path) -> Path:
    """Without the byte code and the programs beside Python, but that of uv itself."""
    found = distribution(name)
    info = next(str(file).split("/")[0] for file in found.files or () if ".dist-info/" in str(file))
    content = dict(_content(found, info))
    rows = "".join(f"{path},sha256={_sum(data)},{len(data)}\n" for path, data in content.items())
    content[f"{info}/RECORD"] = f"{rows}{info}/RECORD,,\n".encode()
    tags = [line[5:].split("-") for line in content[f"{info}/WHEEL"].decode().splitlines() if line.startswith("Tag: ")]
    tag = "-".join(".".join(sorted(set(parts))) for parts in zip(*tags, strict=True))
    wheel = folder / f"{info.removesuffix('.dist-info')}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, data in content.items():
            entry = zipfile.ZipInfo(path, (2024, 1, 1, 0, 0, 0))
            entry.external_attr = (0o755 if ".data/scripts/" in path else 0o644) << 16
            archive.writestr(entry, data)
    return wheel


def _content(found: Distribution, info: str) -> list[tuple[str, bytes]]:
    out = []
    for file in found.files or ():
        path = Path(str(found.locate_file(file)))
        if path.suffix == ".pyc" or path.name in (
            "RECORD",
            "INSTALLER",
            "REQUESTED",
            "direct_url.json",
            "uv_cache.json",
        ):
            continue
        if not str(file).startswith(".."):
            out.append((str(file), path.read_bytes()))
        elif path.stem in ("uv",):
            out.append((f"{info.removesuffix('.dist-info')}.data/scripts/{path.name}", path.read_bytes()))
    return out


def _sum(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def pylock_of(wheels: list[Path], python: str = f"{sys.version_info[0]}.{sys.version_info[1]}") -> bytes:
    """As it lies in environments/NAME/."""
    text = f'lock-version = "1.0"\ncreated-by = "a test"\nrequires-python = ">={python}"\n'
    for wheel in wheels:
        name, version = wheel.name.split("-")[:2]
        hash_ = hashlib.sha256(wheel.read_bytes()).hexdigest()
        own = f'name = "{wheel.name}", path = "../../wheels/{wheel.name}", hashes = {{ sha256 = "{hash_}" }}'
        text += f'\n[[packages]]\nname = "{name.lower().replace("_", "-")}"\nversion = "{version}"\n'
        text += f"wheels = [{{ {own} }}]\n"
    return text.encode()
