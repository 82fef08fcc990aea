"""Who in the repository still needs a conda environment, its recipe or a pipeline: asked before anything is removed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from unicodedata import normalize

import yaml

from runner.environments.spec import conda_below, conda_environment
from runner.errors import PipelineError
from runner.ground.told import read_json
from runner.migrate.files import YAML
from runner.migrate.pipelines import as_pipeline, conda_name, plain_name, stands_on, uses
from runner.migrate.recipe_lines import read_text
from runner.model import FlagMap, Pipeline

# `conda run -n cells`, `mamba run -p D:/envs/cells`, `activate cells`, `D:\envs\cells\python.exe`
_BY_HAND = (
    r"(?:\b(?:conda|mamba|micromamba)(?:\.\w+)?\b[^\n]*?[\s\"'](?:-n|--name|-p|--prefix|activate)[\s=\"',]+"
    r"|\bactivate(?:\.bat)?[\"']?\s+|\benvs[/\\])(?:[^\s\"']*[/\\])?%s(?![\w.-])"
)


@dataclass(frozen=True)
class Wanted:
    """An environment by all its names, and what tokens of pipelines stand for (.env)."""

    names: frozenset[str]  # in lower case, without folders
    dotenv: Mapping[str, str]

    @classmethod
    def of(cls, names: Iterable[str], dotenv: Mapping[str, str]) -> Wanted:
        return cls(frozenset(filter(None, map(plain_name, names))), dotenv)

    def used_by(self, pipeline: Pipeline) -> bool:
        """Whether a segment's `environment:` names it."""
        return bool(uses(pipeline, self.names, self.dotenv)) or stands_on(pipeline, self.names, self.dotenv)

    def other_uses(self, pipeline: Pipeline) -> Iterator[str]:
        """How else it may need the environment: an unknown token, or conda called by hand."""
        for segment in pipeline.segments:
            names = (conda_name(segment, pipeline, self.dotenv, find=find) for find in (conda_environment, conda_below))
            if any(re.fullmatch(r"%[^%]+%", name) for name in names):
                yield f"segment {segment.number} runs in {segment.environment}, which .env does not tell here"
            words = [part for entry in segment.commands for part in _words(entry)]
            for found in self._by_hand(" ".join(words)):
                yield f"segment {segment.number} calls it by itself: `{found}`"

    def calls_in(self, script: Path) -> list[str]:
        """How a script calls conda with the environment by hand."""
        try:
            data = script.read_bytes().replace(b"\0", b"")
        except OSError:
            return []  # `mentioned` tells
        return self._by_hand(data.decode("utf-8", "replace"))

    def _by_hand(self, text: str) -> list[str]:
        """The first call, if there is one."""
        pattern = re.compile(_BY_HAND % f"(?:{'|'.join(map(re.escape, sorted(self.names)))})", re.IGNORECASE)
        found = pattern.search(text)
        return [found[0]] if found else []


def read(path: Path) -> Pipeline | str | None:
    """The pipeline in a file, None when it is none, or why the file cannot be read."""
    try:
        return as_pipeline(path)
    except PipelineError as error:
        first = next(iter(error.diagnostics), None)
        place = f"line {first.mark.line}, column {first.mark.column}: " if first and first.mark else ""
        return f"{place}{first.message if first else error.message}"


def may_mention(path: Path, names: Iterable[str]) -> bool:
    """Whether the bytes of a file that is no readable YAML hold one of the names, in any encoding and case."""
    try:
        data = path.read_bytes().replace(b"\0", b"")
    except OSError:
        return True
    texts = [normalize("NFC", data.decode(coding, "replace")).lower() for coding in ("utf-8", "latin-1")]
    return any(re.search(_whole(name), text) for name in names for text in texts)


def mentioned(path: Path, names: Iterable[str]) -> list[str]:
    """The names of files that a value (not a comment) of this YAML file holds, or this script or shortcut anywhere."""
    wanted = [name for name in names if may_mention(path, [name.lower()])]
    if not wanted or path.suffix.lower() not in YAML:
        return wanted

    try:
        loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
        events = list(yaml.parse(read_text(path), Loader=loader))
    except Exception:  # no YAML, or no text: what it mentions may be meant
        return wanted
    values = [event.value.lower() for event in events if isinstance(event, yaml.ScalarEvent)]
    return [name for name in wanted if any(re.search(_whole(name.lower()), value) for value in values)]


def signed_pipelines(folder: Path, repo: Path) -> Iterator[Path]:
    """The pipelines, in the repository or not, that somebody has compared and signed."""
    for file in sorted(folder.glob("*.json")):
        known = (read_json(file) or {}).get("pipelines")
        for text in known if isinstance(known, list) else []:
            path = repo / str(text)
            if path.is_file():
                yield path


def _whole(name: str) -> str:
    return rf"(?<![\w.-]){re.escape(name)}(?![\w-])"


def _words(entry: str | FlagMap) -> list[str]:
    values: list[object] = [entry] if isinstance(entry, str) else [value for pair in entry.items for value in pair]
    return [one if isinstance(one, str) else json.dumps(one, default=str) for one in values if one not in (None, "")]
