"""What lies beside the tables: caches that name the person, pages and exports that show the person."""

from __future__ import annotations

import json
import re
from typing import Any

from mien.storage import MissingError, Root, StorageError
from mien.storage.artefacts import EXPORT_BEGUN
from mien.storage.exports import FILES, INDEX, INDEX_CSV
from mien.storage.outputs import noted_outputs
from mien.storage.root import printable
from mien.storage.schemas import TABLES
from mien.tasks.forget import journal as journals
from mien.tasks.forget.journal import Journal
from mien.tasks.forget.mentions import Mentions
from mien.tasks.forget.neutrals import FOLDER as NEUTRALS
from mien.tasks.pages.files import files_of_folder, page_files

_BEGUN = EXPORT_BEGUN.path("")
_OWN = (*TABLES, "sets", "receipts", "tombstones", journals.FOLDER, "outputs", "models", "checkpoints", "mlartifacts")
"""Folders of a root that have a rule of their own."""
_CACHES = ("compared", "frames", "contents", "costs", "nights")
"""Folders whose files are made again when they are missing."""
EXPERIMENTS = "experiments"
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{32}\.tmp")
"""What `Root.write_bytes` writes to before a file takes its name."""


def planned_files(root: Root, journal: Journal) -> list[tuple[str, bytes | None]]:
    """Files of the root that go: what killed writers left, neutrals and caches with the person, pages, exports."""
    mentions = Mentions(journal.subject)
    files = root.files_below()
    exports = {path.removesuffix(end) for path in files for end in (INDEX, _BEGUN) if _is(path, end)}
    gone = [path for path in files if any(_of_export(path, e) for e in exports if _shows(root, e, journal, mentions))]
    # Pictures of a page do not say whom they show: it is written again rather than trusted.
    known = {*gone, *(path for path in page_files(root, files) if path.partition("/")[0] not in _OWN)}
    gone = [*known, *(path for path in files if path not in known and _goes(root, path, journal, mentions))]
    # A page goes after what belongs to it: a run that is killed in between finds these by it.
    return [(path, None) for path in sorted(gone, key=lambda path: (path.endswith(".html"), path))]


def _is(path: str, name: str) -> bool:
    return path == name or path.endswith(f"/{name}")


def _of_export(path: str, folder: str) -> bool:
    return path.startswith(folder) and FILES.fullmatch(path.removeprefix(folder)) is not None


def _shows(root: Root, folder: str, journal: Journal, mentions: Mentions) -> bool:
    """Whether an export has faces of the person: it is of a table that had, or its lines say so."""
    for name in (INDEX, _BEGUN, INDEX_CSV):
        try:
            text = root.read_bytes(folder + name).decode(errors="replace")
        except MissingError:
            continue
        if mentions.in_text(text) or any(table in text for table in journal.former):
            return True
    return False


def _goes(root: Root, path: str, journal: Journal, mentions: Mentions) -> bool:
    file = path.rpartition("/")[2]
    if _TEMPORARY.fullmatch(file):
        return True  # of a process that was killed; it may hold anything
    top = path.partition("/")[0]
    if top == NEUTRALS:
        return file.removesuffix(".npz") in journal.renamed
    if top in _OWN or file.startswith("mlflow.db"):
        return False
    if top == EXPERIMENTS and file.endswith(".npz"):
        return True  # an embedder does not say whom it was trained on
    if top in (*_CACHES, EXPERIMENTS):
        return _json_goes(root.read_bytes(path), journal, mentions)
    return False


def _json_goes(data: bytes, journal: Journal, mentions: Mentions) -> bool:
    try:
        content: Any = json.loads(data)
    except ValueError:
        return True  # damaged, and of no use to anybody
    return mentions.in_json(content) or any(table in data.decode(errors="replace") for table in journal.former)


def remove_outputs(root: Root, journal: Journal) -> None:
    """Removes pages and exports outside the root that show the person; what cannot be reached is noted as such."""
    mentions = Mentions(journal.subject)
    for note, output in noted_outputs(root).items():
        uri = printable(output.uri)
        try:
            out = Root(output.uri)
            if output.kind == "page":
                shows = output.of in (*journal.sets, *journal.former)
                gone = page_files(out, files_of_folder(out)) if shows else []
            else:
                shows = output.of in journal.former or _shows(out, "", journal, mentions)
                gone = [path for path in out.files_below() if _of_export(path, "")] if shows else []
            for path in gone:
                out.delete(path)
        except StorageError as error:
            journal.outputs[uri] = f"not reached: {error}"
            continue
        if shows:
            journal.outputs.setdefault(uri, f"{output.kind}: {len(gone)} files deleted")
            root.delete(note)
