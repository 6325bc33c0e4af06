"""The order in which a person is forgotten: whenever it is killed, the next run goes on and ends the same.

    journal → tombstone → new tables → sets → former tables → other files → outputs → MLflow → receipt

Nothing is deleted before the journal has what was found, and the journal goes last.
"""

from __future__ import annotations

from dataclasses import dataclass

from mien.storage import MissingError, Root
from mien.storage.schemas import TABLES
from mien.storage.tombstones import write_tombstone
from mien.tasks.errors import UsageError
from mien.tasks.forget.files import planned_files, remove_outputs
from mien.tasks.forget.journal import Journal, journal_path, read_journal, write_journal
from mien.tasks.forget.left import left_lines
from mien.tasks.forget.neutrals import affected_neutrals, rewrite_neutrals
from mien.tasks.forget.receipt import ancestors, forgotten_before, write_receipt
from mien.tasks.forget.subject import Asked, find_subject
from mien.tasks.forget.tables import (
    affected_tables,
    delete_former,
    manifest_names,
    rewrite_sets,
    rewrite_tables,
    sets_of,
)
from mien.tasks.tracking.forget import Seen, forget_in_runs


@dataclass(frozen=True)
class Forgotten:
    """What was found, and what was done with it."""

    photos: int
    faces: int
    generated: int
    sets: tuple[str, ...]
    receipt: str | None
    """URI; None after a dry run."""
    done: tuple[str, ...] = ()
    """Lines on pages, exports and MLflow."""
    left: tuple[str, ...] = ()
    """Lines on what could not be removed."""


def find(root: Root, asked: Asked) -> Journal:
    """What the root holds of the person; nothing is written.

    Raises:
        UsageError: it holds nothing.
        StorageError: it cannot be read.
    """
    journal = read_journal(root, asked) or Journal(asked)
    find_subject(root, asked, journal.subject)
    neutrals = affected_neutrals(root, journal.subject)
    found = affected_tables(root, journal.subject, neutrals)
    journal.tables |= found
    journal.former = sorted(ancestors(root, {*journal.tables, *journal.former}))
    journal.renamed = neutrals | journal.renamed
    journal.sets = sorted({*journal.sets, *sets_of(root, found)})
    if not (journal.subject.names or journal.subject.faces or journal.subject.outputs or journal.tables):
        raise UsageError(f"{root.url} holds nothing of {asked.person or asked.image}: mien show lists labels and ids")
    return journal


def forget(root: Root, asked: Asked, keep_name: bool) -> Forgotten:
    """Removes the person from everything in the root.

    Raises:
        UsageError: the root holds nothing of the person.
        StorageError: it cannot be read or written.
        RunError: MLflow does not answer; what was done is kept, and the next run goes on.
    """
    if read_journal(root, asked) is None and (receipt := forgotten_before(root, asked)):
        try:
            find(root, asked)
        except UsageError:
            return Forgotten(0, 0, 0, (), root.uri(receipt), ("forgotten before: nothing is left to do",))
    journal = find(root, asked)
    write_journal(root, journal)
    write_tombstone(root, journal.number, journal.day, journal.subject.photos.items())

    rewrite_neutrals(root, {n: new for n, new in journal.renamed.items() if n not in journal.tables}, journal.subject)
    rewrite_tables(root, journal)
    write_journal(root, journal)
    rewrite_sets(root, journal)
    delete_former(root, journal)

    journal.carry_out(root, planned_files(root, journal))
    remove_outputs(root, journal)
    journal.mlflow = sorted({*journal.mlflow, *forget_in_runs(root, _seen(root, journal), _mark(journal))})
    write_journal(root, journal)

    left = left_lines(root, journal)
    receipt = write_receipt(root, journal, left, keep_name)
    root.delete(journal_path(asked))
    return _outcome(root, journal, receipt, left)


def _seen(root: Root, journal: Journal) -> Seen:
    known = {name for table in TABLES for name in manifest_names(root, table)}
    return Seen(set(journal.former), journal.sets, known)


def _mark(journal: Journal) -> str:
    return f"{journal.day} {journal.who[:16]}"


def _outcome(root: Root, journal: Journal, receipt: str, left: list[str]) -> Forgotten:
    pages = [path for path, change in journal.changes.items() if path.endswith(".html") and change["after"] is None]
    done = [f"deleted: {path} (mien gallery or mien report writes it again)" for path in pages]
    done += [f"{uri}: {what}" for uri, what in journal.outputs.items()]
    subject = journal.subject
    counts = len(subject.photos), len(subject.faces), len(subject.outputs)
    return Forgotten(*counts, tuple(journal.sets), root.uri(receipt), (*done, *journal.mlflow), tuple(left))


def dry_run(root: Root, asked: Asked) -> Forgotten:
    """What `forget` would remove."""
    journal = find(root, asked)
    subject = journal.subject
    try:
        files = [path for path, _ in planned_files(root, journal)]
    except MissingError:
        files = []
    done = tuple(f"would be deleted: {path}" for path in files if not path.rpartition("/")[2].startswith("."))
    return Forgotten(len(subject.photos), len(subject.faces), len(subject.outputs), tuple(journal.sets), None, done)


__all__ = ["Forgotten", "dry_run", "forget"]
