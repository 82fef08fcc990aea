"""The parts of the page about segmented ER images: pictures within the text, and tables."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import _pixels.palette

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image as Picture

    Array: TypeAlias = np.ndarray[Any, Any]

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 90rem; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto; }
th, td { padding: .25rem .75rem; border-bottom: 1px solid #ccc; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
.pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(14rem, 1fr)); gap: .5rem; }
figure { margin: 0; } figure img { width: 100%; display: block; } figcaption { font-size: 13px; }
.class { display: inline-block; width: 1em; height: 1em; margin: 0 .3em 0 1em; vertical-align: -.15em; }
@media print {
  table { display: table; font-size: 10px; } th, td { white-space: normal; padding: .15rem .3rem; }
  .class, img { -webkit-print-color-adjust: exact; print-color-adjust: exact; } figure, tr { break-inside: avoid; }
}
"""


def page(title: str, parts: Iterable[str]) -> str:
    """The whole page; it needs no other file and no network."""
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{html.escape(title)}</title>\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n<h1>{html.escape(title)}</h1>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )


def legend(names: Sequence[str]) -> str:
    """The colour of each class."""
    marks = (
        f'<span class="class" style="background: rgb{color}"></span>{html.escape(name)}'
        for color, name in zip(_pixels.palette.ER[1:], names[1:], strict=True)
    )
    return f"<p>Classes: {''.join(marks)}</p>"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of texts."""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
    body = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>\n" for row in rows)
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>"


def pictures(name: str, image: Array, found: Array, truth: Array | None) -> str:
    """Input, prediction, truth and overlay, side by side."""
    grey = stretched(image)
    figures = [figure(f"{name}: image", _png(_grey(grey))), figure("prediction", _png(_colored(found)))]
    if truth is not None:
        figures.append(figure("truth", _png(_colored(truth))))
    figures.append(figure("prediction over the image", _jpeg(_overlay(grey, found))))
    return f"<h2>{html.escape(name)}</h2>\n<div class='pictures'>\n{''.join(figures)}</div>"


def figure(caption: str, source: str) -> str:
    """A picture with its caption."""
    text = html.escape(caption)
    return f'<figure><img src="{source}" alt="{text}" loading="lazy"><figcaption>{text}</figcaption></figure>\n'


def stretched(image: Array) -> Array:
    """8-bit grey from the 0.5th to the 99.5th percentile."""
    import numpy as np

    values = np.nan_to_num(image.astype(np.float32))
    low, high = np.percentile(values, [0.5, 99.5])
    return (np.clip((values - low) / max(high - low, 1e-12), 0, 1) * 255).round().astype(np.uint8)


def _grey(grey: Array) -> Picture:
    from PIL import Image

    return Image.fromarray(grey)


def _colored(classes: Array) -> Picture:
    import numpy as np
    from PIL import Image

    picture = Image.fromarray(classes.astype(np.uint8)).convert("P")
    picture.putpalette([part for color in _pixels.palette.ER for part in color])
    return picture


def _overlay(grey: Array, classes: Array) -> Picture:
    from PIL import Image

    return Image.fromarray(_pixels.palette.er_over(grey, classes))


def _png(picture: Picture) -> str:
    return _inline(picture, "png", optimize=True)


def _jpeg(picture: Picture) -> str:
    return _inline(picture, "jpeg", quality=85)


def _inline(picture: Picture, kind: str, **options: Any) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, format=kind, **options)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
