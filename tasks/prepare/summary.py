"""When too much of the input fails: a wrong folder or a broken mount must not look like success."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow.compute as pc

from mien.storage import Manifest, Root, TableName, TableRef, open_table, read_manifest
from mien.tasks.errors import RunError

MAX_REASONS = 10
"""Lines on rejected pictures: each may name an address of its own."""


def failures_line(root: Root, images: Manifest, faces: Manifest) -> str | None:
    """How many photos failed, of each kind; None where none did."""
    kinds: Counter[str | None] = Counter()
    for manifest in (images, faces):
        if manifest.counts["failed"]:
            table = open_table(root, manifest.table, manifest.fingerprint)
            failed = table.to_table(columns=["failure"], filter=pc.field("status") == "failed")
            kinds.update(failed["failure"].to_pylist())
    count, damaged = kinds.total(), kinds["content"]
    if not count:
        return None
    asked_again = count - damaged
    parts = [
        f"{asked_again} could not be read at the source, to be asked again by the next run" if asked_again else "",
        f"{damaged} damaged, of a kind that is not read, or crashing a library" if damaged else "",
    ]
    return f"{count} {'photo' if count == 1 else 'photos'} failed: {'; '.join(filter(None, parts))}"


def check_failures(root: Root, images: TableRef, faces: TableRef, max_failed: float, summary: str) -> None:
    """Raises RunError with the summary and the commonest reason where more than this share of the images failed."""
    listed = read_manifest(root, "images", images.fingerprint)
    detected = read_manifest(root, "faces", faces.fingerprint)
    failed = listed.counts["failed"] + detected.counts["failed"]
    if failed <= max_failed * listed.rows:
        return
    table: TableName = "images" if listed.counts["failed"] else "faces"
    reason = _commonest(root, table, (images if table == "images" else faces).fingerprint)
    kinds = failures_line(root, listed, detected)
    raise RunError(
        f"{summary}: {failed / listed.rows:.0%} of the photos failed, more than {max_failed:.0%} (mostly: {reason}). "
        f"{kinds}. What could be used is stored; correct the photos, or allow more with --max-failed"
    )


def left_out_lines(root: Root, images: Manifest) -> list[str]:
    """A line for each reason for which pictures were left out before anybody looked at them, and for what else the
    listing did not take or did not understand."""
    notes: Any = images.about.get("notes") or []
    noted = [str(note["text"]) for note in notes]
    if not images.counts["rejected"]:
        return noted
    table = open_table(root, "images", images.fingerprint)
    left_out = table.to_table(columns=["reason"], filter=pc.field("status") == "rejected")["reason"].to_pylist()
    counted = Counter(left_out).most_common()
    more = [f"{len(counted) - MAX_REASONS} more reasons are in the table"] if len(counted) > MAX_REASONS else []
    return [*(f"{count} left out: {reason}" for reason, count in counted[:MAX_REASONS]), *more, *noted]


def _commonest(root: Root, table: TableName, fingerprint: str) -> str:
    failed = open_table(root, table, fingerprint).to_table(columns=["reason"], filter=pc.field("status") == "failed")
    return Counter(failed["reason"].to_pylist()).most_common(1)[0][0]
