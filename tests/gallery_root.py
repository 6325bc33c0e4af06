"""A root with a generated set of any size and any rows, drawn: what a gallery is made of, without a network."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import cache
from typing import Any

import cv2
import numpy as np
import pyarrow as pa

from mien.model.images.codec import encode_png
from mien.storage import Root, ShardRef, TableName, commit, fingerprint, write_set, write_shard
from mien.storage.schemas import FACES, PAIRS, TRANSFERS
from mien.tasks.sets.faces import FaceTables

SET = "made"
CROP_PX, RESULT_PX = 64, 48
Row = dict[str, Any]


@cache
def drawn(kind: str, number: int, side_px: int) -> bytes:
    """A picture of coloured squares with its number, as PNG."""
    random = np.random.default_rng([*kind.encode(), number])
    picture = cv2.resize(random.integers(40, 256, (4, 4, 3)).astype(np.uint8), (side_px, side_px), interpolation=0)
    cv2.putText(picture, str(number), (4, side_px // 2), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1)
    return encode_png(picture)


def face(number: int, **values: Any) -> Row:
    """A row of `faces`: two of each person."""
    person = f"person {number // 2}"
    common = {"face_id": face_id(number), "image_id": f"{number:064x}", "identity": person, "split": "val"}
    return {**common, "crop": drawn("face", number, CROP_PX), "status": "ok"} | values


def face_id(number: int) -> str:
    """The id of a face."""
    return fingerprint(["face", number])


def transfer(number: int, source: int, driver: int, **values: Any) -> Row:
    """A row of `transfers`, accepted."""
    image = values.get("image", drawn("result", number, RESULT_PX))
    usual = {
        "output_id": fingerprint(["output", number]),
        "pair_id": fingerprint(["pair", number]),
        "identity_face_id": face_id(source),
        "expression_face_id": face_id(driver),
        "identity": f"person {source // 2}",
        "expression": ("happy", "sad", "surprised")[number % 3],
        "split": "val",
        "consent": "unknown",
        "model_uri": "models:/mien-generator/1",
        "model_sha256": "a" * 64,
        "run_id": "r" * 32,
        "settings": "settings",
        "seed": number,
        "image": image,
        "image_format": "png",
        "sha256": hashlib.sha256(image or b"").hexdigest(),
        "identity_similarity": 0.5 + (number % 100) / 250,
        "driver_similarity": 0.1 + (number % 7) / 100,
        "expression_error": 0.02 + (number % 11) / 1000,
        "expression_reached": 0.75,
        "sharpness_ratio": 0.9,
        "texture_error": 0.25,
        "detector_score": 1.5,
        "synthetic": True,
        "status": "ok",
    }
    return usual | values


def rejected(number: int, source: int, driver: int, reason: str, kept: bool = False) -> Row:
    """One that the gate refused."""
    picture = {} if kept else {"image": None, "sha256": "b" * 64}
    return transfer(number, source, driver, status="rejected", reason=reason, **picture)


def not_made(number: int, source: int, driver: int, status: str, reason: str) -> Row:
    """One of which there is nothing."""
    nothing = dict.fromkeys(("image", "image_format", "sha256", "identity_similarity", "driver_similarity"))
    more = dict.fromkeys(
        ("expression_error", "expression_reached", "sharpness_ratio", "texture_error", "detector_score")
    )
    failure = {"failure": "content"} if status == "failed" else {}
    return transfer(number, source, driver) | nothing | more | failure | {"status": status, "reason": reason}


def write_generated(
    root: Root,
    faces: Sequence[Row],
    count: int,
    row: Callable[[int], Row],
    shard_rows: int = 64,
    group: Callable[[int], str | None] = lambda number: None,
) -> str:
    """Writes `count` rows, of which only a shard is in memory at a time; the fingerprint of the table."""
    photos = [_shard(root, "faces", faces[first : first + 64], FACES, first) for first in range(0, len(faces), 64)]
    table = commit(root, "faces", photos, {})
    pairs, made = list[ShardRef](), list[ShardRef]()
    for first in range(0, count, shard_rows):
        rows = [row(number) for number in range(first, min(count, first + shard_rows))]
        planned = [
            {**row_of_pair(each), "expression_group": group(first + index), "status": "ok"}
            for index, each in enumerate(rows)
        ]
        pairs.append(_shard(root, "pairs", planned, PAIRS, first))
        made.append(_shard(root, "transfers", rows, TRANSFERS, first))
    plan = commit(root, "pairs", pairs, {})
    settings = {"sets": [asdict(FaceTables("people", table.fingerprint, "0" * 32))]}
    transfers = commit(root, "transfers", made, {"pairs": plan.fingerprint, "settings": settings})
    write_set(root, SET, {"pairs": plan.fingerprint, "transfers": transfers.fingerprint})
    return transfers.fingerprint


def row_of_pair(made: Row) -> Row:
    """The row of `pairs` that a row of `transfers` was made for."""
    return {name: made[name] for name in ("pair_id", "identity_face_id", "expression_face_id", "identity", "seed")}


def _shard(root: Root, table: TableName, rows: Sequence[Row], schema: pa.Schema, first: int) -> ShardRef:
    filled = [{name: row.get(name) for name in schema.names} for row in rows]
    name = fingerprint(
        [
            table,
            first,
            hashlib.sha256(json.dumps(filled, default=len).encode()).hexdigest(),
        ]
    )
    return write_shard(root, table, name, pa.Table.from_pylist(filled, schema=schema))
