"""`%ITEM%` and its like, anywhere in a text. A text is cut once; what is put in is never looked at again."""

from __future__ import annotations

import glob
import re
from collections.abc import Callable, Mapping, Sequence

from runner.errors import UsageError
from runner.items.item import Item, parent_and_name, stem_of
from runner.model import Many, ResolvedEntry, ResolvedFlags
from runner.pipeline.tokens import ITEM_TOKEN

ALL, ALL_FILE = "%ITEMS%", "%ITEMS_FILE%"
Value = Callable[[Item, str], str]  # of an item, and the name of the file that %ITEMS_FILE% is
Quote = Callable[[str], str]
# what makes the value of each token (from, to) fit into a line for a shell
ShellQuotes = Callable[[str, Sequence[tuple[int, int]]], Sequence[Quote]]


class Template:
    """A text that differs from item to item."""

    __slots__ = ("parts", "text", "tokens")

    def __init__(self, text: str, parts: Sequence[str | Value], tokens: frozenset[str]) -> None:
        self.text = text
        self.parts = tuple(parts)
        self.tokens = tokens  # names of what it holds; `COL` for a column

    def __call__(self, item: Item, file: str = "") -> str:
        return "".join([part if part.__class__ is str else part(item, file) for part in self.parts])  # type: ignore[operator]


class Filler:
    """The texts of one segment. Raises UsageError for a token that its items have nothing for."""

    def __init__(self, many: Many, items: Sequence[Item], *, windows: bool) -> None:
        columns = items[0].columns if items else ()
        parameters = tuple(name for name, _ in many.matrix)
        self._columns = dict.fromkeys((*columns, *parameters), "")
        self._parameters = parameters
        self._windows = windows
        self._has_matrix = bool(many.matrix)
        self._known_columns = not many.foreach or not many.foreach.csv or bool(items)

    def template(
        self, text: str, *, pattern: bool = False, word: bool = False, shell: ShellQuotes | None = None
    ) -> Template:
        """`pattern`: `text` is a glob, and what is put in stands for itself there. `word`: it is one of a command,
        or with `shell` a line for that."""
        parts: list[str | Value] = []
        tokens = set()
        at = 0
        found = [t for t in ITEM_TOKEN.finditer(text) if t["name"] != "ITEMS" and (word or t["name"] != "ITEMS_FILE")]
        quotes = shell(text, [token.span() for token in found]) if shell else [None] * len(found)
        for token, quote in zip(found, quotes, strict=True):
            parts.append(text[at : token.start()])
            parts.append(_quoted(self._value(token, pattern), quote))
            if token["name"] != "ITEMS_FILE":
                tokens.add(token["name"] or "COL")
            at = token.end()
        parts.append(text[at:])
        return Template(text, [part for part in parts if part != ""], frozenset(tokens))

    def _value(self, token: re.Match[str], pattern: bool) -> Value:
        value = self._raw(token)
        return (lambda item, file: glob.escape(value(item, file))) if pattern else value

    def _raw(self, token: re.Match[str]) -> Value:
        windows, column = self._windows, token["column"]
        if column is not None:
            name = column.strip()
            if name not in self._columns and self._known_columns:
                raise UsageError(f"there is no column `{name}` for {token[0]}", _columns_there_are(self._columns))
            return lambda item, _: item.column(name)
        if token["name"] == "MATRIX" and not self._has_matrix:
            raise UsageError(f"{token[0]} means something only with `matrix:`", "Delete it, or write `matrix:`.")
        values: Mapping[str, Value] = {
            "ITEM": lambda item, _: item.text,
            "NAME": lambda item, _: parent_and_name(item.text, windows)[1],
            "STEM": lambda item, _: stem_of(parent_and_name(item.text, windows)[1]),
            "PARENT": lambda item, _: parent_and_name(item.text, windows)[0],
            "RELATIVE": lambda item, _: item.relative.replace("/", "\\") if windows and item.is_file else item.relative,
            "INDEX": lambda item, _: str(item.index),
            "MATRIX": lambda item, _: item.label,
            "ITEMS_FILE": lambda _, file: file,
        }
        return values[token["name"]]

    def entries(
        self, entries: Sequence[ResolvedEntry], *, batch: bool = False, shell: ShellQuotes | None = None
    ) -> FilledEntries:
        """The words of the command. `batch`: it is given several items, of which only the combination is one.
        `shell`: the first one is a line for a shell."""
        return FilledEntries(self, entries, batch=batch, shell=shell)

    def refuse_in_batch(self, text: str) -> None:
        """A token that means one item, in a command that is given many."""
        for token in ITEM_TOKEN.finditer(text):
            shared = token["name"] in ("ITEMS", "ITEMS_FILE", "MATRIX")
            if not shared and (token["column"] or "").strip() not in self._parameters:
                raise UsageError(
                    f"{token[0]} means one item, and with `batch:` a command is given several",
                    f"Write {ALL} as a word of its own, or {ALL_FILE} for a file that names one a line.",
                )


def _quoted(value: Value, quote: Quote | None) -> Value:
    return value if quote is None else lambda item, file: quote(value(item, file))


def _columns_there_are(columns: Mapping[str, str]) -> str:
    if not columns:
        return "Columns come from `foreach: {csv: FILE}`, or are the parameters of `matrix:`."
    return f"There are: {', '.join(columns)}."


class FilledEntries:
    """Commands that differ from item to item."""

    def __init__(
        self, filler: Filler, entries: Sequence[ResolvedEntry], *, batch: bool, shell: ShellQuotes | None = None
    ) -> None:
        self._in_shell = shell is not None
        self._entries: list[Template | tuple[tuple[Template, Template | None], ...]] = []
        self.wants_file = False
        for place, entry in enumerate(entries):
            texts = (entry,) if isinstance(entry, str) else tuple(t for pair in entry.items for t in pair if t)
            for text in texts:
                self._look_at(text, filler, batch)
            if isinstance(entry, str):
                self._entries.append(filler.template(entry, word=True, shell=shell if place == 0 else None))
            else:
                both = [(k, v if v is None else filler.template(v, word=True)) for k, v in entry.items]
                self._entries.append(tuple((filler.template(k, word=True), v) for k, v in both))

    def _look_at(self, text: str, filler: Filler, batch: bool) -> None:
        if batch:
            filler.refuse_in_batch(text)
        if ALL in text and text != ALL:
            raise UsageError(
                f"{ALL} stands within `{text}`",
                f"It becomes a word for each item, so it is a word of its own: `- --input: '{ALL}'`.",
            )
        self.wants_file = self.wants_file or ALL_FILE in text

    def fill(self, items: Sequence[Item], file: str = "") -> tuple[ResolvedEntry, ...]:
        """The words for one item, or for those of a batch; `file`: the one that names them."""
        item, found = items[0], list[ResolvedEntry]()

        def text(template: Template) -> str:
            return template(item, file)

        for place, entry in enumerate(self._entries):
            if isinstance(entry, Template):
                words = [one.text for one in items] if entry.text == ALL else [text(entry)]
                # an item named `>` or `&&` is no operator of the shell's, as such a word of the file would be
                values = self._in_shell and place > 0 and (entry.tokens or entry.text == ALL)
                found += [ResolvedFlags(((word, None),)) for word in words] if values else words
            elif any(value is not None and value.text == ALL for _, value in entry):
                for key, value in entry:
                    several = value is not None and value.text == ALL
                    first = items[0].text if several else None if value is None else text(value)
                    found.append(ResolvedFlags(((text(key), first),)))
                    found += [one.text for one in items[1:]] if several else []
            else:
                found.append(ResolvedFlags(tuple((text(k), None if v is None else text(v)) for k, v in entry)))
        return tuple(found)


def items_file(items: Sequence[Item]) -> bytes:
    """What %ITEMS_FILE% holds: one a line, in UTF-8. Raises UsageError for a name with a line end."""
    for item in items:
        if "\n" in item.text or "\r" in item.text:
            raise UsageError(
                f"the item {item.text!r} has a line end in its name, and {ALL_FILE} has a line for each",
                f"Rename it, or write {ALL}.",
            )
    return "".join(f"{item.text}\n" for item in items).encode("utf-8", "surrogateescape")
