"""What was written outside the tables with photos of a root: galleries, reports, exports.

    outputs/{fingerprint}.json    {"kind": "export", "uri": …, "of": …}

A root has to know of them, so that a person can be removed from them, too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

from mien.storage.errors import StorageError
from mien.storage.fingerprints import fingerprint
from mien.storage.root import Root

OutputKind = Literal["export", "page"]
FOLDER = "outputs"


@dataclass(frozen=True)
class Output:
    """A folder that was written to."""

    kind: OutputKind
    uri: str
    of: str
    """The set, or the fingerprint of the table that it shows."""


def note_output(root: Root, kind: OutputKind, out: Root, of: str) -> None:
    """Keeps where an output lies. One below the root itself is found without a note."""
    if out.url == root.url or out.url.startswith(f"{root.url}/"):
        return
    local = out.local_path("")
    uri = out.url if local is None else str(local)
    content = {"kind": kind, "uri": uri, "of": of}
    root.write_bytes(f"{FOLDER}/{fingerprint(content)}.json", json.dumps(content).encode())


def noted_outputs(root: Root) -> dict[str, Output]:
    """All that are noted, by the path of the note.

    Raises:
        StorageError: a note is damaged.
    """
    found: dict[str, Output] = {}
    for name in root.list(FOLDER):
        path = f"{FOLDER}/{name}"
        try:
            found[path] = Output(**json.loads(root.read_bytes(path)))
        except (ValueError, TypeError) as error:
            raise StorageError(f"{root.uri(path)} is damaged: delete it") from error
    return found
