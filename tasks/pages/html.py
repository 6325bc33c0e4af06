"""The templates of pages (`tasks/templates/`), which need no server and nothing from elsewhere."""

from __future__ import annotations

import jinja2

templates = jinja2.Environment(
    loader=jinja2.PackageLoader("tasks"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
