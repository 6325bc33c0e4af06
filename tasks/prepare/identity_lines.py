"""What a terminal shows of the identities of a prepared set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow.compute as pc

from mien.storage import Manifest, Root, image_name, open_table
from mien.tasks.prepare.duplicates import OTHER_PERSON
from mien.tasks.prepare.identities import CheckSummary, DoubtfulDecision, PeopleSummary
from mien.tasks.sets.row_lookup import look_up

MAX_LINES = 10
"""Of doubts; the report has more."""
MAX_NAMES = 5
"""In a line."""


def identity_lines(root: Root, faces: Manifest) -> list[str]:
    """Lines on the people that faces were grouped into, on labels that faces disagree with, and on photos that are said
    to show two people."""
    people, check = summaries_of(faces)
    lines = list(_two_people(root, faces))
    if people:
        lines += _people(people)
    if check:
        lines += _doubted(root, faces, check)
    return lines


def summaries_of(faces: Manifest) -> tuple[PeopleSummary | None, CheckSummary | None]:
    """What a table of faces says of its groups, and of its labels; each None where it was not asked for."""
    about: Any = faces.about
    compared = about.get("compared") or {}
    return compared.get("people"), compared.get("check")


def _two_people(root: Root, faces: Manifest) -> Iterator[str]:
    if not faces.counts["rejected"]:
        return
    claimed = pc.field("reason") == OTHER_PERSON
    rows = open_table(root, "faces", faces.fingerprint).to_table(["image_id", "identity"], filter=claimed)
    if rows.num_rows:
        names = ", ".join(repr(name) for name in list(dict.fromkeys(rows["identity"].to_pylist()))[:MAX_NAMES])
        yield (
            f"{rows.num_rows} faces left out: an earlier row says that the same photo shows another person than {names}"
        )


def people_line(people: PeopleSummary) -> str:
    """The groups in numbers."""
    moved = f"; {people['moved']} faces have another name than before" if people["moved"] else ""
    return (
        f"{people['people']} people by their faces, {people['smallest']} to {people['largest']} faces each (median "
        f"{people['median']:g}), {people['alone']} with a single one; {people['doubtful']} close decisions{moved}"
    )


def doubt_line(doubt: DoubtfulDecision) -> str:
    """One close decision."""
    first, second = doubt["first"], doubt["second"]
    if doubt["kind"] == "merged":
        return (
            f"{first['name']} may be two people, of {first['faces']} and {second['faces']} faces "
            f"(similarity {doubt['similarity']:.2f})"
        )
    return (
        f"{first['name']} ({first['faces']} faces) and {second['name']} ({second['faces']}) may be one person "
        f"(similarity {doubt['similarity']:.2f})"
    )


def check_line(check: CheckSummary) -> str:
    """The labels in numbers."""
    return f"{check['disagree']} of {check['checked']} labelled faces disagree with their label"


def _people(people: PeopleSummary) -> Iterator[str]:
    yield people_line(people)
    yield from (f"  {doubt_line(doubt)}" for doubt in people["doubts"][:MAX_LINES])
    yield from _more(people["doubtful"])


def _doubted(root: Root, faces: Manifest, check: CheckSummary) -> Iterator[str]:
    yield check_line(check)
    yield from (f"  {name}: {doubt}" for name, doubt in doubted_photos(root, faces, MAX_LINES))
    yield from _more(check["disagree"])


def _more(doubts: int) -> Iterator[str]:
    if doubts > MAX_LINES:
        yield f"  and {doubts - MAX_LINES} more: see mien report"


def doubted_photos(root: Root, faces: Manifest, max_photos: int) -> list[tuple[str, str]]:
    """How a user writes a photo, and why its face and its label disagree; in the order of the table."""
    about: Any = faces.about
    doubted = pc.field("identity_doubt").is_valid()
    rows = open_table(root, "faces", faces.fingerprint).to_table(["image_id", "identity_doubt"], filter=doubted)
    chosen = rows.slice(0, max_photos).to_pylist()
    image_ids = [str(row["image_id"]) for row in chosen]
    found = look_up(root, "images", about["images"], "image_id", image_ids, ["uri", "member", "row", "frame"])
    names = {image_id: image_name(**row.to_pylist()[0]) for image_id, row in found}
    doubts = [str(row["identity_doubt"]) for row in chosen]
    return [(names.get(image_id, image_id), doubt) for image_id, doubt in zip(image_ids, doubts, strict=True)]
