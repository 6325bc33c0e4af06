"""What is left of a person in a root after all that can be removed is gone: told, and not passed over."""

from __future__ import annotations

from mien.storage import Root, StorageError, TableName, read_shard
from mien.tasks.forget.journal import Journal
from mien.tasks.forget.mentions import Mentions
from mien.tasks.forget.subject import shard_names

_TEXTS: dict[TableName, list[str]] = {
    "images": ["uri", "member", "reason"],
    "faces": ["reason", "identity_doubt"],
    "pairs": ["reason"],
    "transfers": ["reason", "uri"],
}
MAX_LINES = 20


def left_lines(root: Root, journal: Journal) -> list[str]:
    """A line for each file or table that still names the person, and for each that could not be looked into."""
    mentions = Mentions(journal.subject)
    lines = [f"{uri}: {what}" for uri, what in journal.outputs.items() if what.startswith("not reached")]
    for path in sorted(journal.subject.unreadable):
        if root.exists(path):
            lines.append(
                f"{root.uri(path)} cannot be read, and may hold the person: prepare the set again, then forget"
            )
    for table, columns in _TEXTS.items():
        if count := sum(_naming(root, table, name, columns, mentions) for name in shard_names(root, table)):
            lines.append(f"{count} rows of {table} of other people name the person in a path or reason")
    if any(mentions.in_text(name) for name in journal.sets):
        lines.append("a set is named for the person: make it again under another name")
    return lines[:MAX_LINES]


def _naming(root: Root, table: TableName, name: str, columns: list[str], mentions: Mentions) -> int:
    try:
        rows = read_shard(root, table, name, columns).to_pylist()
    except StorageError:
        return 0
    return sum(any(text and mentions.in_text(text) for text in row.values()) for row in rows)
