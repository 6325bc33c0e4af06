"""An exact list of transfers, from a CSV of images: each line becomes a row of `pairs`, in its order.

    identity_image,expression_image,identity_image_2,identity_image_3
    anna/a.jpg,ben/smile.jpg,anna/b.jpg,
    anna/a.jpg,ben/calm.jpg,,

`identity_image_2` and so on are further photos of the person of `identity_image`; a line may leave them empty.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import pyarrow as pa

from mien.model.pair_planning import planned_pair
from mien.model.source_choice import MAX_SOURCES
from mien.storage import Root
from mien.storage.rows import PairRow
from mien.storage.schemas import PAIRS
from mien.tasks.errors import UsageError
from mien.tasks.plan.counts import PlanOutcome, PlanSummary
from mien.tasks.plan.listed_faces import ListedFace, listed_faces
from mien.tasks.plan.rounds import Round, in_parts, shard_pairs
from mien.tasks.sets.faces import FaceTables

CSV_COLUMNS = ("identity_image", "expression_image")
_FURTHER = re.compile(r"identity_image_([2-9]|[1-9]\d+)")


@dataclass(frozen=True)
class PairList:
    """Pairs in the order of a list, made in one round."""

    rows: list[PairRow]

    @property
    def summary(self) -> PlanSummary:
        """The list in numbers."""
        return PlanSummary(len({row["identity"] for row in self.rows}), len(self.rows))

    @property
    def most_sources(self) -> int:
        """Of a line."""
        return max((1 + len(row["further_source_ids"] or ()) for row in self.rows), default=1)

    def rounds(self, _outcome: PlanOutcome) -> Iterator[Round]:
        """The whole list, whatever comes of it."""
        yield partial(in_parts, [pa.Table.from_pylist(self.rows, schema=PAIRS)], shard_pairs(len(self.rows)))


@dataclass(frozen=True)
class _Line:
    number: int
    source: str
    driver: str
    further: tuple[str, ...]


def read_list(root: Root, identities: FaceTables, expressions: FaceTables, csv_text: str, seed: int) -> PairList:
    """The pairs of a CSV list of images, each with at most 16 sources.

    Raises:
        UsageError: a column is missing, an image is not of the set, or a line names a source twice or too many.
    """
    sources, drivers = listed_faces(root, identities), listed_faces(root, expressions)
    rows: list[PairRow] = []
    for line in _csv_lines(csv_text):
        if 1 + len(line.further) > MAX_SOURCES:
            told = f"names {1 + len(line.further)} sources: a face is made from at most {MAX_SOURCES}"
            raise UsageError(f"line {line.number} of the list of pairs {told}")
        shown = [sources.of(uri, line.number) for uri in (line.source, *line.further)]
        _check_line(shown, line)
        rows.append(_listed_row(shown, drivers.of(line.driver, line.number), seed))
    return PairList(rows)


def check_sources(pairs: PairList, generator: str, most: int) -> None:
    """Raises UsageError if a line names more photos of a person than the generator looks at."""
    if pairs.most_sources > most:
        raise UsageError(
            f"{generator} looks at {most} photo of a person, and the list of pairs names up to {pairs.most_sources}: "
            "leave out its columns identity_image_2 and so on"
        )


def _csv_lines(text: str) -> Iterator[_Line]:
    reader = csv.DictReader(io.StringIO(text))
    missing = [name for name in CSV_COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise UsageError(
            f"the list of pairs lacks the column {missing[0]}: its first line must name {','.join(CSV_COLUMNS)}"
        )
    numbers = sorted(int(found[1]) for name in reader.fieldnames or () if (found := _FURTHER.fullmatch(name)))
    for row in reader:
        source, driver = (row[name] for name in CSV_COLUMNS)
        if not source or not driver:
            raise UsageError(f"line {reader.line_num} of the list of pairs is incomplete: it needs both images")
        further = tuple(uri for number in numbers if (uri := row[f"identity_image_{number}"]))
        yield _Line(reader.line_num, source, driver, further)


def _check_line(shown: Sequence[ListedFace], line: _Line) -> None:
    names = [face["image_id"] or face["face_id"] for face in shown]
    for uri, name in zip(line.further, names[1:], strict=True):
        if names.count(name) > 1:
            raise UsageError(f"line {line.number} of the list of pairs names the source {uri} twice: leave one out")


def _listed_row(shown: Sequence[ListedFace], driver: ListedFace, seed: int) -> PairRow:
    source, *further = shown
    further_ids = [face["face_id"] for face in further]
    pair = planned_pair(source["face_id"], driver["face_id"], seed, further_ids)
    unusable = _refusal(source, further, driver)
    return {
        "pair_id": pair.pair_id,
        "identity_face_id": pair.identity_face_id,
        "expression_face_id": pair.expression_face_id,
        "further_source_ids": further_ids,
        "identity": _person(source),
        "expression": driver["expression"],
        "expression_group": driver["expression"],
        "rank": None,
        "source_rank": None,
        "seed": pair.seed,
        "status": "rejected" if unusable else "ok",
        "reason": unusable,
        "failure": None,
    }


def _refusal(source: ListedFace, further: Sequence[ListedFace], driver: ListedFace) -> str | None:
    """Why a line must not be made, if so."""
    named = [("identity", source), *((f"identity {n}", face) for n, face in enumerate(further, 2))]
    for who, face in (*named, ("expression", driver)):
        if face["status"] != "ok":
            return f"{who}: {face['reason']}"
    for who, face in named[1:]:
        if _person(face) != _person(source):
            return f"{who}: shows another person than the source"
        if face["image_id"] == driver["image_id"]:
            return f"{who}: is the driver's photo"
    return None


def _person(face: ListedFace) -> str | None:
    """A photo without a label is a person of its own."""
    return face["identity"] or face["image_id"]
