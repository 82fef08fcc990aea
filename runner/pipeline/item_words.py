"""Whether the tokens of items stand where they mean something, and whether each item is told to the program."""

from __future__ import annotations

import re
from collections.abc import Sequence

from runner.frozen import frozen
from runner.model import Many, Mark, Segment
from runner.pipeline.near import near
from runner.pipeline.report import Report
from runner.pipeline.tokens import ITEM_TOKEN, ITEM_TOKENS, texts_of

# of other tools: `{sample}`, `{wildcards.sample}`, `${{ matrix.sigma }}`, `{}`
_FOREIGN = re.compile(r"\$\{\{\s*(?:[\w-]+\.)*(?P<github>[\w-]+)\s*\}\}|(?<!\$)\{(?:\w+\.)?(?P<name>[\w-]*)\}")
_MEANT = {
    **dict.fromkeys(("", "item", "input", "file", "path"), "%ITEM%"),
    **{name.lower(): f"%{name}%" for name in ITEM_TOKENS},
    **dict.fromkeys(("sample", "basename"), "%STEM%"),
}
_TOKEN_FIRST = re.compile(r"%[^\W\d][\w.-]*%")
_PLACES = ("commands", "env", "cwd")  # where an item is told to the program


@frozen
class _Word:
    key: str  # as in Segment.marks
    text: str

    @property
    def place(self) -> str:
        return self.key.partition(".")[0]

    @property
    def tokens(self) -> list[re.Match[str]]:
        return list(ITEM_TOKEN.finditer(self.text)) if "%" in self.text else []

    @property
    def names(self) -> set[str]:
        """Of its tokens; `COL:x` for a column."""
        return {token["name"] or f"COL:{token['column'].strip()}" for token in self.tokens}


def look_at_words(segment: Segment, report: Report) -> None:
    """Reports what is wrong with the tokens of a segment that has `foreach` or `matrix`."""
    if segment.many is not None and not segment.is_control:
        _Look(segment, segment.many, report).all()


class _Look:
    def __init__(self, segment: Segment, many: Many, report: Report) -> None:
        self._segment = segment
        self._many = many
        self._report = report
        self._parameters = [name for name, _ in many.matrix]
        self._words = [_Word(*told) for told in texts_of(segment, flags=True)]
        self._words += [_Word("matrix", text) for _, values in many.matrix for text in values]

    def all(self) -> None:
        before = self._report.error_count
        for word in self._words:
            for token in word.tokens:
                if wrong := self._wrong(word, token):
                    self._error(word.key, *wrong)
            if word.place == "matrix" and not word.tokens and (own := _TOKEN_FIRST.match(word.text)):
                cure = f"Write it where the value is used: '{own[0]}/%COL:{self._parameters[0]}%'."
                self._error("matrix", f"{own[0]} is not replaced in a value of `matrix`", cure)
            elif word.place not in ("foreach", "matrix") and (foreign := _FOREIGN.search(word.text)):
                self._on_foreign(word, foreign)
        if self._report.error_count == before:
            self._on_items_untold()
            self._on_parameters_untold()

    def _wrong(self, word: _Word, token: re.Match[str]) -> tuple[str, str] | None:
        name, many = token["name"], self._many
        if word.place == "environment":
            return f"{token[0]} cannot stand here: all items run in one environment", "Write a segment for each."
        if word.place in ("foreach", "matrix"):
            return f"{token[0]} cannot stand in `{word.place}`, which says what the items are", "Write a value."
        if name is None:
            return self._wrong_column(word, token)
        if name == "MATRIX":
            if many.matrix:
                return None
            return "%MATRIX% means something only with `matrix:`", "Write %STEM% for the name of the item's file."
        if name in ("ITEMS", "ITEMS_FILE"):
            return self._wrong_items(word, token)
        if name == "INDEX" or many.foreach is not None:
            return self._wrong_in_batch(word, token)
        cure = f"Write %MATRIX%, or %COL:{self._parameters[0]}% for one parameter; or add `foreach:`."
        return f"{token[0]} means something only with `foreach:`; `matrix` alone has no files", cure

    def _wrong_column(self, word: _Word, token: re.Match[str]) -> tuple[str, str] | None:
        column, foreach = token["column"].strip(), self._many.foreach
        if column in self._parameters:
            return None
        if foreach is not None and foreach.csv:
            return self._wrong_in_batch(word, token)
        if not self._parameters:
            cure = "Write %ITEM% for the item itself, or take the items from a file: foreach: {csv: plates.csv}."
            return f"{token[0]} means something only with a CSV file or `matrix:`", cure
        meant = near(column, self._parameters)
        names = ", ".join(f"%COL:{name}%" for name in self._parameters)
        cure = f"Did you mean %COL:{meant}%?" if meant else f"There are: {names}."
        return f"`matrix` has no parameter `{column}`", cure

    def _wrong_items(self, word: _Word, token: re.Match[str]) -> tuple[str, str] | None:
        if "batch" not in self._segment.marks:
            cure = "Add for example batch: 50, or write %ITEM% for the one item that each start gets."
            return f"{token[0]} means something only with `batch:`", cure
        if word.place not in ("commands", "env") or (token["name"] == "ITEMS" and word.place == "env"):
            return f"{token[0]} cannot stand in `{word.place}`", "Put it into `commands`."
        if token["name"] == "ITEMS" and word.text != token[0]:
            cure = "Write it as a word of its own, or %ITEMS_FILE% for a file with one item a line."
            return "%ITEMS% becomes one argument for each item, so nothing can stand beside it", cure
        return None

    def _wrong_in_batch(self, word: _Word, token: re.Match[str]) -> tuple[str, str] | None:
        """In `outputs` it is clear with `batch` too: each item has its own."""
        if self._many.batch == 1 or word.place == "outputs":
            return None
        cure = "Write %ITEMS%, or %ITEMS_FILE% for a file with one item a line; or delete `batch`."
        return f"{token[0]} is one item, and with `batch` the program gets many at once", cure

    def _on_foreign(self, word: _Word, found: re.Match[str]) -> None:
        name = found["github"] or found["name"]
        meant = f"%COL:{name}%" if name in self._parameters else _MEANT.get(name.lower())
        if meant is None and found["github"] is None:
            return  # no tool's sign for an item: text of the program's own
        cure = f"Write {meant or '%ITEM%'} for the item."
        self._report.warning(self._mark(word.key), f"`{found[0]}` stays as it is", cure)

    def _told(self, places: Sequence[str]) -> set[str]:
        return {name for word in self._words if word.place in places for name in word.names}

    def _on_items_untold(self) -> None:
        foreach = self._many.foreach
        if foreach is None:
            if self._many.batch > 1:
                cure = "Delete it: each combination has a command line of its own."
                self._error("batch", "`batch` means something only with `foreach`", cure)
            return
        of_matrix = {"MATRIX", *(f"COL:{name}" for name in self._parameters)}
        told = self._told(_PLACES) - of_matrix
        if self._many.batch > 1 and not told & {"ITEMS", "ITEMS_FILE"}:
            cure = "Write %ITEMS% as a word of its own, or %ITEMS_FILE% for a file with one item a line."
            self._error("batch", "nothing in `commands` names the items of a batch", cure)
        elif not told and foreach.count is None:
            cure = "Write %ITEM% where the file or value belongs."
            self._error("commands", "nothing here names the item, so each would be the same command", cure)

    def _on_parameters_untold(self) -> None:
        """What is told, or written, without all parameters is the same for several combinations."""
        if not self._parameters:
            return
        if lacking := self._lacking(self._told(_PLACES)):
            names = " and ".join(f"%COL:{name}%" for name in lacking)
            message = f"nothing tells the program {_listed(lacking)}, so combinations would do the same work"
            cure = f"Write {names} in `commands`, or %MATRIX% for the name of the whole combination."
            self._error("matrix", message, cure)
            return
        of_folder = self._told(["cwd"])
        for word in self._words:
            own = word.names | of_folder
            if word.place == "outputs" and (lacking := self._lacking(own)):
                message = f"combinations that differ in {_listed(lacking)} would write over each other's output"
                cure = "Put %MATRIX% into it, as a folder: '%YAML%/out/%MATRIX%/…'; and the same in `commands`."
                self._error(word.key, message, cure)

    def _lacking(self, told: set[str]) -> list[str]:
        """The parameters of several values that are not among `told`."""
        several = [name for name, values in self._many.matrix if len(values) > 1]
        return [] if "MATRIX" in told else [name for name in several if f"COL:{name}" not in told]

    def _mark(self, key: str) -> Mark | None:
        marks = self._segment.marks
        return marks.get(key) or marks.get(key.partition(".")[0]) or marks.get("")

    def _error(self, key: str, message: str, cure: str) -> None:
        self._report.error(self._mark(key), message, cure)


def _listed(names: Sequence[str]) -> str:
    quoted = [f"`{name}`" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
