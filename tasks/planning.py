"""The plan of a transfer job as a table: which identity gets which expression."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from model.planning import PlanFace, plan_pairs, planned_pair
from storage import (
    Root,
    ShardRef,
    TableRef,
    commit,
    find_shard,
    fingerprint,
    image_name,
    open_table,
    read_set,
    source_digest,
    write_shard,
)
from storage.schemas import PAIRS
from tasks.errors import UsageError
from tasks.faces import FaceTables, usable_faces

CODE = source_digest("tasks.planning", "model.planning", "storage.schemas")

CSV_COLUMNS = ("identity_image", "expression_image")

Row = dict[str, Any]
Rows = list[Row]


@dataclass(frozen=True)
class PlanSettings:
    """What decides the pairs, besides the faces."""

    per_identity: int = 10
    identity_splits: tuple[str, ...] = ()
    """Only identities of these splits (train, val, test); empty takes all."""
    seed: int = 0


def planned_rows(root: Root, identities: FaceTables, expressions: FaceTables, settings: PlanSettings) -> Rows:
    """The rows of `pairs` for two sets.

    Raises:
        UsageError: a set has no usable face, or there is no driver of another identity.
    """
    sources = _plan_faces(root, identities, settings.identity_splits)
    drivers = _plan_faces(root, expressions, ())
    pairs = plan_pairs(sources, drivers, settings.per_identity, settings.seed)
    if not pairs:
        raise UsageError(
            f"no pair can be planned: {identities.name} gives {len(sources)} usable faces, {expressions.name} "
            f"{len(drivers)}, and a driver must be of another identity; add images or choose other sets"
        )
    return [asdict(pair) | {"status": "ok", "reason": None} for pair in pairs]


def _plan_faces(root: Root, tables: FaceTables, splits: Sequence[str]) -> list[PlanFace]:
    rows = usable_faces(root, [tables], ["face_id", "image_id", "identity", "split"])
    return [PlanFace(r["face_id"], r["identity"] or r["image_id"]) for r in rows if not splits or r["split"] in splits]


def listed_rows(root: Root, identities: FaceTables, expressions: FaceTables, csv_text: str, seed: int) -> Rows:
    """The rows of `pairs` for a CSV list of images, in its order.

    Raises:
        UsageError: a column is missing, or an image is not of the set.
    """
    sources, drivers = _faces_by_uri(root, identities), _faces_by_uri(root, expressions)
    return [
        _listed_row(_face_of(source, sources, identities, line), _face_of(driver, drivers, expressions, line), seed)
        for line, source, driver in _csv_lines(csv_text)
    ]


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


def _faces_by_uri(root: Root, tables: FaceTables) -> dict[str, Row]:
    """The first (largest) face row of each image, by the image's name (its URI, of one in an archive or a
    video with `#` and its name or number)."""
    columns = ["face_id", "image_id", "status", "reason"]
    faces: dict[str, Row] = {}
    for row in open_table(root, "faces", tables.faces).to_table(columns=columns).to_pylist():
        faces.setdefault(row["image_id"], row)
    images = open_table(root, "images", read_set(root, tables.name).tables["images"])
    listed = images.to_table(columns=["uri", "member", "row", "frame", "image_id", "status", "reason"]).to_pylist()
    # A photo that could not be read has no face row; it stands in for itself.
    named = [(image_name(row["uri"], row["member"], row["row"], row["frame"]), row) for row in listed]
    return {name: faces.get(row["image_id"]) or {**row, "face_id": name} for name, row in named}


def _face_of(uri: str, faces: dict[str, Row], tables: FaceTables, line: int) -> Row:
    uri = uri if uri in faces else os.path.abspath(uri)  # local photos are listed by absolute path
    if uri not in faces:
        example = next(iter(faces), "empty")
        raise UsageError(
            f"line {line} of the list of pairs: {uri} is no image of the set {tables.name} (which has e.g. {example})"
        )
    return faces[uri]


def _listed_row(source: Row, driver: Row, seed: int) -> Row:
    pair = planned_pair(str(source["face_id"]), str(driver["face_id"]), seed)
    unusable = next(
        (
            f"{who}: {face['reason']}"
            for who, face in (("identity", source), ("expression", driver))
            if face["status"] != "ok"
        ),
        None,
    )
    return asdict(pair) | {"status": "rejected" if unusable else "ok", "reason": unusable}


def pairs_shard(root: Root, rows: Rows, place: int) -> ShardRef:
    """The shard of `pairs` with these rows, the `place`-th of its plan (a list may repeat itself)."""
    name = fingerprint({"code": CODE, "rows": rows, "place": place})
    return find_shard(root, "pairs", name) or write_shard(root, "pairs", name, pa.Table.from_pylist(rows, schema=PAIRS))


def commit_pairs(root: Root, shards: Sequence[ShardRef], identities: FaceTables, expressions: FaceTables) -> TableRef:
    """Makes the plan visible as one table."""
    return commit(
        root, "pairs", shards, {"identities": asdict(identities), "expressions": asdict(expressions), "code": CODE}
    )
