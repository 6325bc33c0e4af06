"""What the source of a module says, for `code_version`: its code without prose, what it imports, which words it holds.

Each command and each of its worker processes needs this of some 150 modules, and to parse them takes half a second. So
it is kept in `mien/` of the user's cache folder (`XDG_CACHE_HOME`, else `~/.cache`), by the sha256 of the source: what
is kept is never out of date. Where the folder cannot be read or written, each process parses.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from mien.storage.fingerprints import fingerprint
from mien.storage.json_shapes import from_json
from mien.storage.whole_files import replace_file

MAX_KEPT = 4000
"""Sources, some 400 bytes each. Beyond that the file begins anew."""


@dataclass(frozen=True)
class ParsedCode:
    """A source, parsed."""

    alone: str
    """Fingerprint of the code, where no file beside the module counts."""
    imports: tuple[tuple[int, str, str | None], ...]
    """Dots before the module, the module, and the name that is imported from it, if any."""
    words: tuple[str, ...]
    """Strings of the source that may be names of files, sorted."""

    def fingerprint(self, source: bytes, beside: dict[str, str]) -> str:
        """Of the code, and of the files that lie beside its module: sha256 by name."""
        return _fingerprint(_without_docstrings(source), beside) if beside else self.alone


def parsed_code(source: bytes) -> ParsedCode:
    """The source, parsed now or before. `keep_parsed` keeps it."""
    name = hashlib.sha256(source).hexdigest()
    if (known := _kept().get(name)) is not None:
        return known
    tree = _without_docstrings(source)
    nodes = list(ast.walk(tree))
    words = {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    made = ParsedCode(
        _fingerprint(tree, {}),
        tuple(imported for node in nodes for imported in _imported(node)),
        tuple(sorted(word for word in words if _may_name_a_file(word))),
    )
    _kept()[name] = _new[name] = made
    return made


def keep_parsed() -> None:
    """Writes what this process has parsed, for those that come later."""
    if not _new:
        return
    older = {} if len(_kept()) > MAX_KEPT else _kept()
    kept = {name: asdict(parsed) for name, parsed in (older | _new).items()}
    _new.clear()
    with suppress(OSError, RuntimeError):  # no home, or none that can be written
        replace_file(_path(), json.dumps(kept).encode())


_new: dict[str, ParsedCode] = {}


@cache
def _kept() -> dict[str, ParsedCode]:
    try:
        return from_json(dict[str, ParsedCode], json.loads(_path().read_bytes()))
    except (OSError, RuntimeError, ValueError):
        return {}


@cache
def _path() -> Path:
    """Another file where another Python or another state of these modules would find something else."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "mien"
    here = Path(__file__)
    about = hashlib.sha256(here.read_bytes() + here.with_name("fingerprints.py").read_bytes()).hexdigest()[:16]
    return folder / f"code-{sys.version_info.major}.{sys.version_info.minor}-{about}.json"


def _fingerprint(tree: ast.AST, beside: dict[str, str]) -> str:
    # Without attributes: line numbers move with every comment.
    return fingerprint([ast.dump(tree), beside])


def _imported(node: ast.AST) -> Iterator[tuple[int, str, str | None]]:
    if isinstance(node, ast.Import):
        yield from ((0, alias.name, None) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield from ((node.level, node.module or "", alias.name) for alias in node.names)


def _may_name_a_file(word: str) -> bool:
    return 0 < len(word) < 100 and "/" not in word and not any(letter.isspace() for letter in word)


def _without_docstrings(source: bytes) -> ast.Module:
    """The tree without strings that stand alone: docstrings, also those of fields."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        for field in ("body", "orelse", "finalbody"):
            body = getattr(node, field, None)
            if isinstance(body, list):
                setattr(node, field, [statement for statement in body if not _is_text(statement)])
    return tree


def _is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
