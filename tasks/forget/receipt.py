"""Receipts: what was removed, where and when, with hashes before and after; the person's name only as a hash.

receipts/{day}-{number}.json
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, TypeVar

from mien.storage import MissingError, Root
from mien.tasks.forget.journal import Journal
from mien.tasks.forget.mentions import Mentions
from mien.tasks.forget.subject import Asked

FOLDER = "receipts"
V = TypeVar("V")


def write_receipt(root: Root, journal: Journal, left: list[str], keep_name: bool) -> str:
    """Writes the receipt; returns its path."""
    path = f"{FOLDER}/{journal.day}-{journal.number}.json"
    mentions = Mentions(journal.subject)
    content: dict[str, Any] = {
        "who": {"sha256": journal.who, "salt": journal.salt},
        "when": journal.begun,
        "counts": {
            "photos": len(journal.subject.photos),
            "faces": len(journal.subject.faces),
            "pairs": len(journal.subject.pairs),
            "generated": len(journal.subject.outputs),
        },
        "sets": [mentions.scrubbed(name) for name in journal.sets],
        "tables": {name: {"table": table, "now": journal.renamed.get(name)} for name, table in journal.tables.items()},
        "files": _by_plain_names(journal.changes, mentions),
        "outputs": _by_plain_names(journal.outputs, mentions),
        "mlflow": journal.mlflow,
        "left": [mentions.scrubbed(line) for line in left],
    }
    if keep_name:
        content["who"]["name"] = journal.asked.person or journal.asked.image
    root.write_bytes(path, json.dumps(content, indent=1, sort_keys=True).encode())
    return path


def _by_plain_names(values: Mapping[str, V], mentions: Mentions) -> dict[str, V]:
    """The values under names without the person; names that become alike are numbered."""
    found: dict[str, V] = {}
    for name, value in values.items():
        plain = first = mentions.scrubbed(name)
        number = 1
        while plain in found:
            number += 1
            plain = f"{first} ({number})"
        found[plain] = value
    return found


def _receipts(root: Root) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name in root.list(FOLDER):
        try:
            found[f"{FOLDER}/{name}"] = json.loads(root.read_bytes(f"{FOLDER}/{name}"))
        except (MissingError, ValueError):
            continue
    return found


def forgotten_before(root: Root, asked: Asked) -> str | None:
    """The path of the receipt of an earlier forgetting of the same person; None where there is none."""
    named = asked.person or asked.image or ""
    for path, content in _receipts(root).items():
        who = content.get("who", {})
        if hashlib.sha256(f"{who.get('salt')}\n{named}".encode()).hexdigest() == who.get("sha256"):
            return path
    return None


def ancestors(root: Root, tables: set[str]) -> set[str]:
    """The tables, with those that they were before other people were forgotten: runs of that time name these."""
    now = {
        name: table["now"] for content in _receipts(root).values() for name, table in content.get("tables", {}).items()
    }
    found = set(tables)
    while more := {name for name, new in now.items() if new in found} - found:
        found |= more
    return found
