"""docs/troubleshooting.md: each line that it explains is one that the program prints."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.paths import REPOSITORY

PAGE = REPOSITORY / "docs" / "troubleshooting.md"
LINES = re.findall(r"^\| `([^`]+)` \|", PAGE.read_text(), re.MULTILINE)
ANY = "…"


@cache
def printed() -> list[str]:
    """The texts in the code, with `…` for what is put into them."""
    found: list[str] = []
    for folder in ("flows", "tasks", "model", "storage"):
        for path in sorted((REPOSITORY / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.JoinedStr):
                    found.append(
                        "".join(str(part.value) if isinstance(part, ast.Constant) else ANY for part in node.values)
                    )
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.append(node.value)
    return found


def said(line: str) -> bool:
    """Whether a text of the code may read like this: each `…` of either stands for anything."""
    pattern = re.compile(".*".join(map(re.escape, line.split(ANY))) + ("" if line.endswith(ANY) else "$"))
    return any(pattern.match(text) for text in printed())


def test_the_page_has_lines() -> None:
    assert len(LINES) > 15
    assert not said("no such … line is printed anywhere")


@pytest.mark.parametrize("line", LINES)
def test_a_line_is_one_that_is_printed(line: str) -> None:
    assert said(line), line
