"""An exact list of transfers, from a CSV of images: each line becomes a row of `pairs`, in its order."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TypedDict, cast

import pyarrow as pa

from mien.model.pair_planning import planned_pair
from mien.storage import Root, Status, image_name, open_table, read_set
from mien.storage.rows import PairRow
from mien.storage.schemas import PAIRS
from mien.tasks.errors import UsageError
from mien.tasks.plan.counts import PlanOutcome, PlanSummary
from mien.tasks.plan.rounds import Round, in_parts, shard_pairs
from mien.tasks.sets.faces import FaceTables

CSV_COLUMNS = ("identity_image", "expression_image")


class _ListedFace(TypedDict):
    """A face that a line names; of a photo that could not be read, the photo itself."""

    face_id: str
    image_id: str | None
    identity: str | None
    expression: str | None
    status: Status
    reason: str | None


@dataclass(frozen=True)
class PairList:
    """Pairs in the order of a list, made in one round."""

    rows: list[PairRow]

    @property
    def summary(self) -> PlanSummary:
        """The list in numbers."""
        return PlanSummary(len({row["identity"] for row in self.rows}), len(self.rows))

    def rounds(self, _outcome: PlanOutcome) -> Iterator[Round]:
        """The whole list, whatever comes of it."""
        yield partial(in_parts, [pa.Table.from_pylist(self.rows, schema=PAIRS)], shard_pairs(len(self.rows)))


def read_list(root: Root, identities: FaceTables, expressions: FaceTables, csv_text: str, seed: int) -> PairList:
    """The pairs of a CSV list of images.

    Raises:
        UsageError: a column is missing, or an image is not of the set.
    """
    sources, drivers = _faces_by_uri(root, identities), _faces_by_uri(root, expressions)
    return PairList(
        [
            _listed_row(_face_of(source, sources, identities, line), _face_of(driver, drivers, expressions, line), seed)
            for line, source, driver in _csv_lines(csv_text)
        ]
    )


def _csv_lines(text: str) -> Iterator[tuple[int, str, str]]:
    reader = csv.DictReader(io.StringIO(text))
    missing = [name for name in CSV_COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise UsageError(
            f"the list of pairs lacks the column {missing[0]}: its first line must name {','.join(CSV_COLUMNS)}"
        )
    for row in reader:
        source, driver = (row[name] for name in CSV_COLUMNS)
        if not source or not driver:
            raise UsageError(f"line {reader.line_num} of the list of pairs is incomplete: it needs both images")
        yield reader.line_num, source, driver


def _faces_by_uri(root: Root, tables: FaceTables) -> dict[str, _ListedFace]:
    """The row of the first (largest) face of each image, by the image's name (its URI, of one in an archive or a
    video with `#` and its name or number). Of a photo that a list names twice, the row that is usable."""
    columns = ["face_id", "image_id", "identity", "expression", "status", "reason"]
    faces: dict[str, _ListedFace] = {}
    for row in open_table(root, "faces", tables.faces).to_table(columns=columns).to_pylist():
        known = faces.setdefault(row["image_id"], row)
        if known["face_id"] == row["face_id"] and known["status"] != "ok" and row["status"] == "ok":
            faces[row["image_id"]] = row
    images = open_table(root, "images", read_set(root, tables.name).tables["images"])
    listed = images.to_table(
        columns=["uri", "member", "row", "frame", "image_id", "identity", "expression", "status", "reason"]
    ).to_pylist()
    # A photo that could not be read has no face row; it stands in for itself.
    named = [(image_name(row["uri"], row["member"], row["row"], row["frame"]), row) for row in listed]
    own = ("image_id", "identity", "expression", "status", "reason")
    return {
        name: faces.get(row["image_id"]) or cast("_ListedFace", {key: row[key] for key in own} | {"face_id": name})
        for name, row in named
    }


def _face_of(uri: str, faces: dict[str, _ListedFace], tables: FaceTables, line: int) -> _ListedFace:
    uri = uri if uri in faces else os.path.abspath(uri)  # local photos are listed by absolute path
    if uri not in faces:
        example = next(iter(faces), "empty")
        raise UsageError(
            f"line {line} of the list of pairs: {uri} is no image of the set {tables.name} (which has e.g. {example})"
        )
    return faces[uri]


def _listed_row(source: _ListedFace, driver: _ListedFace, seed: int) -> PairRow:
    pair = planned_pair(source["face_id"], driver["face_id"], seed)
    unusable = next(
        (
            f"{who}: {face['reason']}"
            for who, face in (("identity", source), ("expression", driver))
            if face["status"] != "ok"
        ),
        None,
    )
    return {
        "pair_id": pair.pair_id,
        "identity_face_id": pair.identity_face_id,
        "expression_face_id": pair.expression_face_id,
        "identity": source["identity"] or source["image_id"],
        "expression": driver["expression"],
        "expression_group": driver["expression"],
        "rank": None,
        "source_rank": None,
        "seed": pair.seed,
        "status": "rejected" if unusable else "ok",
        "reason": unusable,
        "failure": None,
    }
