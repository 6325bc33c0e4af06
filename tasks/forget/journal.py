"""What a forgetting has found and begun, kept in the root until it is done: a killed one goes on from here.

forgetting/{hash}.json    holds the person's name and ids, and is deleted at the end
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from mien.storage import MissingError, Root, StorageError
from mien.tasks.forget.subject import Asked, Subject

FOLDER = "forgetting"


@dataclass
class Journal:
    """One forgetting."""

    asked: Asked
    number: str = field(default_factory=lambda: secrets.token_hex(8))
    """Of its receipt and tombstone."""
    salt: str = field(default_factory=lambda: secrets.token_hex(16))
    begun: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    subject: Subject = field(default_factory=Subject)
    renamed: dict[str, str] = field(default_factory=dict[str, str])
    """New fingerprints of tables and neutrals by their former ones."""
    tables: dict[str, str] = field(default_factory=dict[str, str])
    """Name of the table by the fingerprint of each version that held the person."""
    former: list[str] = field(default_factory=list[str])
    """The same, with what these tables were before other people were forgotten."""
    sets: list[str] = field(default_factory=list[str])
    """Sets that held the person, in any version."""
    changes: dict[str, dict[str, str | None]] = field(default_factory=dict[str, dict[str, "str | None"]])
    """What is done with each file: path, SHA-256 before and after."""
    outputs: dict[str, str] = field(default_factory=dict[str, str])
    """What was done with pages and exports outside the root, by URI."""
    mlflow: list[str] = field(default_factory=list[str])

    def carry_out(self, root: Root, planned: Iterable[tuple[str, bytes | None]]) -> None:
        """Replaces files by new bytes, or deletes them (None); each is noted before the first is touched."""
        planned = list(planned)
        for path, data in planned:
            try:
                before = hashlib.sha256(root.read_bytes(path)).hexdigest()
            except MissingError:
                continue
            after = None if data is None else hashlib.sha256(data).hexdigest()
            self.changes.setdefault(path, {"before": before, "after": after})["after"] = after
        write_journal(root, self)
        for path, data in planned:
            if data is None:
                root.delete(path)
            else:
                root.write_bytes(path, data)

    @property
    def who(self) -> str:
        """The person without the name."""
        named = self.asked.person or self.asked.image or ""
        return hashlib.sha256(f"{self.salt}\n{named}".encode()).hexdigest()

    @property
    def day(self) -> str:
        """On which it was begun."""
        return self.begun[:10]


def journal_path(asked: Asked) -> str:
    """Where the journal of this forgetting lies."""
    key = json.dumps([asked.person, asked.image, list(asked.sets)])
    return f"{FOLDER}/{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"


def read_journal(root: Root, asked: Asked) -> Journal | None:
    """What a former run of the same forgetting has left; None where there was none.

    Raises:
        StorageError: the file is damaged.
    """
    path = journal_path(asked)
    try:
        content: dict[str, Any] = json.loads(root.read_bytes(path))
        subject = content.pop("subject")
        for name in ("names", "faces", "pairs", "outputs", "unreadable"):
            subject[name] = set(subject[name])
        return Journal(asked, subject=Subject(**subject), **content)
    except MissingError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(f"{root.uri(path)} is damaged: delete it and forget again") from error


def write_journal(root: Root, journal: Journal) -> None:
    """Keeps the present state."""
    content = {name: value for name, value in vars(journal).items() if name not in ("asked", "subject")}
    content["subject"] = {
        name: sorted(value) if isinstance(value, set) else value for name, value in vars(journal.subject).items()
    }
    root.write_bytes(journal_path(journal.asked), json.dumps(content).encode())


def begun_elsewhere(root: Root, asked: Asked) -> bool:
    """Whether another forgetting was broken off in this root."""
    own = journal_path(asked).rpartition("/")[2]
    return any(name != own for name in root.list(FOLDER))
