"""Templates of pages (`tasks/pages/templates/`), which load nothing from elsewhere, and what pages share."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TypeVar

import jinja2

from mien.model.images.codec import decode_rgb, encode_png, resize_rgb

T = TypeVar("T")

templates = jinja2.Environment(
    loader=jinja2.PackageLoader("mien.tasks.pages"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def template_text(name: str) -> str:
    """A file beside the templates as it is."""
    assert templates.loader is not None
    return templates.loader.get_source(templates, name)[0]


def evenly_spaced(rows: Sequence[T], max_rows: int) -> list[T]:
    """At most `max_rows` of the rows, evenly spaced over their order."""
    count = min(max_rows, len(rows))
    return [rows[i * len(rows) // count] for i in range(count)]


def data_uri(png: bytes | None, side_px: int = 160) -> str | None:
    """A picture for the page, no larger than it is shown on a screen of high density."""
    if png is None:
        return None
    rgb = decode_rgb(png)
    small = png if rgb.shape[0] <= 2 * side_px else encode_png(resize_rgb(rgb, 2 * side_px))
    return "data:image/png;base64," + base64.b64encode(small).decode()
