"""The HTML of a gallery: one file that holds its rows, its code and its style.

It is opened from a folder (`file://`), where a page may load pictures and nothing else, and from web servers. Its
policy allows no code, style or address but its own. Labels come from data: they are escaped as HTML, and in the JSON no
`<` stands as such.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from mien.storage.schemas import Status
from mien.tasks.pages.gallery_summary import GallerySummary
from mien.tasks.pages.html import template_text, templates

_SCRIPTS = ("gallery_rows.js", "gallery_page.js")
_STYLE = "gallery.css"
_ESCAPED = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026", 0x2028: "\\u2028", 0x2029: "\\u2029"}


@dataclass(frozen=True)
class GalleryHead:
    """What the page says before its faces."""

    summary: GallerySummary
    shown: Mapping[Status, int]
    """Rows of the page, by status."""
    root: str
    transfers: str
    gate: str
    """HTML of the section on the gate."""
    embedded: bool
    """Whether the pictures are within the page."""

    @property
    def left_out(self) -> dict[str, int]:
        """Rows that are not shown, by verdict."""
        counts = ((status, count - self.shown[status]) for status, count in self.summary.counts.items())
        return {"accepted" if status == "ok" else status: count for status, count in counts}


def render_gallery(head: GalleryHead, data: Mapping[str, Any]) -> str:
    """The page."""
    script, style = "\n".join(template_text(name) for name in _SCRIPTS), template_text(_STYLE)
    own_script = Markup(script)  # nosec B704 # a file of this package
    own_style = Markup(style)  # nosec B704 # the same
    as_json = _json(data)
    rows = Markup(as_json)  # nosec B704 # no `<` in it ends the element
    gate = Markup(head.gate)  # nosec B704 # a template of this package, which escapes its values
    policy = _policy(script, style, head.embedded)
    page = templates.get_template("gallery.html.j2")
    parts = {"policy": policy, "style": own_style, "script": own_script, "data": rows, "gate": gate}
    return page.render(head=head, summary=head.summary, **parts)


def _policy(script: str, style: str, embedded: bool) -> str:
    """Content-Security-Policy: this code, this style, pictures from beside the page or within it."""
    # `data:` is also the icon, which a browser would ask the server for; the standard leaves open what `'self'` is in a
    # folder.
    pictures = "data:" if embedded else "'self' file: data:"
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {_hash(script)}",
            f"style-src {_hash(style)}",
            f"img-src {pictures}",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _json(data: Mapping[str, Any]) -> str:
    """JSON that is text for HTML, too: between <script> and </script> only `<` has a meaning."""
    return json.dumps(data, separators=(",", ":"), ensure_ascii=True).translate(_ESCAPED)
