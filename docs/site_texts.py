"""A hook of MkDocs, which reads docstrings as they are written: it says the texts that they name in braces."""

from __future__ import annotations

from typing import Any

from mien.flows.common_texts import filled_in


def on_page_content(html: str, **_: Any) -> str:
    """MkDocs calls it with each page."""
    return filled_in(html)
