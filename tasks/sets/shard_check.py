"""One shard held against its seal, and its rows against what can be computed from them: work of a worker process."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from mien.model.detection.licences import as_line
from mien.model.errors import ImageError
from mien.model.images.codec import decode_rgb
from mien.model.images.provenance import read_provenance
from mien.model.landmarks.heatmap_spec import HeatmapSpec
from mien.model.landmarks.heatmaps import render_heatmaps
from mien.model.landmarks.schemes import PARTS
from mien.model.quality.measures import perceptual_hash
from mien.storage import Root, ShardRef, StorageError, TableName, fingerprint, read_whole_shard
from mien.storage.schemas import FAILURES, heatmaps_schema
from mien.tasks.runtime.workers import tick
from mien.tasks.sets.licences import stored_licences
from mien.tasks.sets.own_mark import FURTHER, own_mark
from mien.tasks.sets.splits import settings_of_splits, split_of

KEYS: dict[TableName, str] = {
    "images": "image_id",
    "faces": "face_id",
    "heatmaps": "face_id",
    "pairs": "pair_id",
    "transfers": "output_id",
}

_OUTCOME = ["status", "reason", "failure"]
_LINEAGE = ["pair_id", "identity_face_id", "expression_face_id", "further_source_ids", "rank", "seed"]
NARROW: dict[TableName, list[str]] = {
    "images": ["image_id", "identity", "expression", "licence", "consent", "status"],
    "faces": ["face_id", "image_id", "identity", "expression", "split", *_OUTCOME],
    "heatmaps": ["face_id", *_OUTCOME],
    "pairs": [*_LINEAGE, "identity", "expression", "status"],
    "transfers": [
        *_LINEAGE, "output_id", "source_image_id", "driver_image_id", "further_image_ids", "identity", "expression",
        "split", "licence", "consent", "settings", "inputs", "neutrals", "status",
    ],
}  # fmt: skip
"""What the tables are held against each other by."""
_WIDE: dict[TableName, list[str]] = {
    "images": ["reason", "failure"],
    "faces": [
        "landmarks_xy", "landmark_scheme", "embedding", "bbox_xyxy", "face_px", "perceptual_hash", "crop", "detector",
        "weights_licences", "commercial_use",
    ],
    "heatmaps": ["heatmap"],
    "pairs": ["reason", "failure"],
    "transfers": [
        "model_uri", "model_sha256", "run_id", "image", "uri", "sha256", "synthetic", "reason", "failure",
    ],
}  # fmt: skip
_OF_A_FACE = ("bbox_xyxy", "landmarks_xy", "landmark_scheme", "embedding", "face_px", "perceptual_hash", "crop")
_HASH_BITS = 4
"""Of 256: so far may the hash of one crop be apart in two versions of OpenCV."""
_HEATMAP_STEPS = 2
"""Of 255: so far may two renderings of one heatmap be apart."""
_RELATIVE = 1e-3

Row = dict[str, Any]


@dataclass
class ShardFindings:
    """What was compared in a shard, what is wrong with it, and the columns for comparing tables."""

    rows: pa.Table | None = None
    """The columns `NARROW`; None where the shard cannot be read."""
    faults: list[str] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    """How often what was compared, in words."""


def check_rows(root: Root, shard: ShardRef, about: Mapping[str, Any]) -> ShardFindings:
    """Compares every byte of a shard of any table with its seal, and its rows with themselves and `about`."""
    out = ShardFindings()
    where = f"{shard.table} shard {shard.fingerprint}"
    try:
        table = read_whole_shard(root, shard, NARROW[shard.table] + _WIDE[shard.table])
    except (StorageError, OSError, ValueError) as error:  # pyarrow's errors of damaged files are OSError or ValueError
        out.faults.append(f"{where}: {str(error).splitlines()[0]}")
        tick(shard.rows)
        return out
    out.done["shards, every byte"] += 1
    out.rows = table.select(NARROW[shard.table]).replace_schema_metadata(None)
    rows: list[Row] = table.to_pylist()
    found = Counter(row["status"] for row in rows)
    if len(rows) != shard.rows or dict(found) != {status: count for status, count in shard.counts.items() if count}:
        out.faults.append(f"{where}: {len(rows)} rows ({dict(found)}), but the manifest counts {shard.rows}")
    for index, row in enumerate(rows):
        what = f"{where}: {KEYS[shard.table]} {row[KEYS[shard.table]] or f'of row {index}'}"
        if (row["reason"] is None) != (row["status"] == "ok"):
            out.faults.append(f"{what}: is {row['status']} with the reason {row['reason']!r}")
        if row["failure"] is not None and (row["status"] != "failed" or row["failure"] not in FAILURES):
            out.faults.append(f"{what}: is {row['status']} with the failure {row['failure']!r}")
        out.faults += [f"{what}: {fault}" for fault in _ROW_CHECKS[shard.table](row, about, out.done)]
        tick()
    if shard.table == "faces":
        out.faults += [f"{where}: {fault}" for fault in _face_order(rows)]
    return out


def _check_image(row: Row, _: Mapping[str, Any], done: Counter[str]) -> Iterator[str]:
    if row["status"] == "ok" and not row["image_id"]:
        yield "is ok without an id"
    done["rows of images"] += 1


def _check_face(row: Row, about: Mapping[str, Any], done: Counter[str]) -> Iterator[str]:
    settings = about["settings"]
    done["splits and licences of faces"] += 1
    besides = (about.get("compared") or {}).get("chosen")
    if row["split"] != split_of(row["identity"] or row["image_id"], settings_of_splits(about), besides):
        yield f"its split is not that of its identity {row['identity']!r}"
    if row["detector"] != settings["faces"]:
        yield f"it was found by {row['detector']}, not by {settings['faces']}"
    weights = stored_licences(about.get("weights"))
    if weights is not None and row["weights_licences"] != as_line(weights):
        yield "the licences of its weights are not those of its table"
    if weights is not None and row["commercial_use"] != all(each.commercial for each in weights.values()):
        yield "whether it may be used commercially is not what its weights' licences say"
    if row["status"] == "ok" and (missing := [column for column in _OF_A_FACE if row[column] is None]):
        yield f"is ok without {missing[0]}"
    if row["crop"] is not None:
        yield from _check_crop(row, settings["alignment"]["size_px"], done)


def _check_crop(row: Row, side_px: int, done: Counter[str]) -> Iterator[str]:
    try:
        crop = decode_rgb(row["crop"])
    except ImageError as error:
        yield f"its crop cannot be decoded ({error})"
        return
    done["pictures decoded"] += 1
    if crop.shape[:2] != (side_px, side_px):
        yield f"its crop is {crop.shape[1]}×{crop.shape[0]}, not {side_px} px"
        return
    if row["perceptual_hash"] is not None:
        done["crops by their hash"] += 1
        apart = np.frombuffer(perceptual_hash(crop), np.uint8) ^ np.frombuffer(row["perceptual_hash"], np.uint8)
        if np.unpackbits(apart).sum() > _HASH_BITS:
            yield "its crop is not the one whose hash is stored"
    if row["bbox_xyxy"] is not None and row["face_px"] is not None:
        left, top, right, bottom = row["bbox_xyxy"]
        side = (max(0.0, right - left) * max(0.0, bottom - top)) ** 0.5
        if abs(side - row["face_px"]) > _RELATIVE * max(1.0, side):
            yield "its size is not that of its box"


def _face_order(rows: list[Row]) -> Iterator[str]:
    """The id of a face says which of its photo's it is, the largest first; a photo listed twice begins again."""
    number, last = 0, None
    for row in rows:
        number = number + 1 if row["image_id"] == last else 0
        last = row["image_id"]
        if row["face_id"] == fingerprint([last, number]):
            continue
        if row["face_id"] != fingerprint([last, 0]):
            yield f"face_id {row['face_id']} is not that of face {number} of its image"
        number = 0


def _check_heatmap(row: Row, _: Mapping[str, Any], done: Counter[str]) -> Iterator[str]:
    done["rows of heatmaps"] += 1
    if row["status"] == "ok" and row["heatmap"] is None:
        yield "is ok without a heatmap"


def _check_pair(row: Row, about: Mapping[str, Any], done: Counter[str]) -> Iterator[str]:
    done["ids of pairs"] += 1
    settings = about.get("settings")
    # The seed of a list of pairs is not kept, but a pair's own seed is the beginning of its id.
    digest = row["pair_id"]
    if settings is not None:
        text = f"{settings['rules']['seed']}\n{row['identity_face_id']}\n{row['expression_face_id']}"
        digest = hashlib.sha256(text.encode()).hexdigest()[:32]
    if row["pair_id"] != digest or row["seed"] != int(digest[:8], 16):
        yield "its id or seed is not that of its two faces"
    shown = [row["identity_face_id"], *(row["further_source_ids"] or ())]
    if len(set(shown)) < len(shown):
        yield "names a source twice"


def _check_transfer(row: Row, about: Mapping[str, Any], done: Counter[str]) -> Iterator[str]:
    done["ids, marks and generators of transfers"] += 1
    older = about.get("older", {}).get(row["settings"])
    if older is None and row["settings"] != about.get("made_with", row["settings"]):
        yield "its settings are not among those of its table"
    model = (older or about["settings"])["model"]
    for column, expected in (("uri", model["uri"]), ("sha256", model["sha256"])):
        if row[f"model_{column}"] != expected:
            yield f"its model_{column} is not that of its table"
    if row["run_id"] != model["run_id"]:
        yield "its run_id is not that of its table"
    if row["synthetic"] is not True:
        yield "is not marked as synthetic"
    if row["output_id"] != fingerprint([row["pair_id"], row["settings"], row["inputs"], row["neutrals"]]):
        yield "its id is not that of its pair, settings, faces and neutrals"
    if row["image"] is None:
        if row["status"] == "ok" and row["uri"] is None:
            yield "is ok without an image"
        return
    done["pictures decoded"] += 1
    try:
        decode_rgb(row["image"])
    except ImageError as error:
        yield f"its image cannot be decoded ({error})"
    if hashlib.sha256(row["image"]).hexdigest() != row["sha256"]:
        yield "its image is not the one whose hash is stored"
    yield from _check_mark(row)


def _check_mark(row: Row) -> Iterator[str]:
    """The picture says in itself what it was made from."""
    faces = row["identity_face_id"], row["expression_face_id"]
    further = row["further_source_ids"] or ()
    expected = own_mark(row["model_uri"], row["model_sha256"], *faces, row["output_id"], further)
    try:
        provenance = read_provenance(row["image"])
    except ImageError as error:
        yield f"its image does not say what it was made from ({error})"
        return
    if wrong := [key for key in (*expected, FURTHER) if provenance.get(key) != expected.get(key)]:
        yield f"its image names another {wrong[0]}"


_ROW_CHECKS: dict[TableName, Callable[[Row, Mapping[str, Any], Counter[str]], Iterator[str]]] = {
    "images": _check_image,
    "faces": _check_face,
    "heatmaps": _check_heatmap,
    "pairs": _check_pair,
    "transfers": _check_transfer,
}


def check_heatmaps(root: Root, heatmaps: ShardRef, faces: ShardRef, size_px: int, spec: HeatmapSpec) -> ShardFindings:
    """Renders the heatmaps of a shard anew, from the landmarks of its shard of faces."""
    out, where = ShardFindings(), f"heatmaps shard {heatmaps.fingerprint}"
    try:
        table = read_whole_shard(root, heatmaps, ["face_id", "heatmap"])
        rows = read_whole_shard(root, faces, ["face_id", "landmarks_xy", "landmark_scheme"]).to_pylist()
    except (StorageError, OSError, ValueError) as error:
        out.faults.append(f"{where}: {str(error).splitlines()[0]}")
        return out
    stored: list[Row] = table.to_pylist()
    if table.schema.metadata != heatmaps_schema(PARTS, spec.size_px, spec.sigma_px, size_px, spec.form).metadata:
        out.faults.append(f"{where}: its shape, scale, sigma or form is not that of its table")
    if [row["face_id"] for row in stored] != [row["face_id"] for row in rows]:
        out.faults.append(f"{where}: its rows are not those of faces shard {faces.fingerprint}")
        return out
    for row, face in zip(stored, rows, strict=True):
        tick()
        if (row["heatmap"] is None) != (face["landmarks_xy"] is None):
            out.faults.append(
                f"{where}: face_id {row['face_id']}: there is a heatmap without landmarks, or none of some"
            )
        elif row["heatmap"] is not None:
            out.done["heatmaps rendered again"] += 1
            points = np.asarray(face["landmarks_xy"], np.float32).reshape(1, -1, 2)
            again = render_heatmaps(points, face["landmark_scheme"], size_px, spec).astype(np.int16).ravel()
            kept = np.frombuffer(row["heatmap"], np.uint8)
            if kept.size != again.size or np.abs(again - kept).max(initial=0) > _HEATMAP_STEPS:
                out.faults.append(f"{where}: face_id {row['face_id']}: the heatmap is not that of its landmarks")
    return out
