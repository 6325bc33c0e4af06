"""Bulk transfer: each planned pair becomes a row of `transfers`, a generated and measured face."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from model.faces import FaceDetector, load_detector
from model.images import encode_png
from model.judging import AskedFace, GateSettings, Judgement, judge_face
from model.landmarks import LandmarkScheme
from model.retargeting import RetargetSettings
from storage import Root, ShardRef, TableRef, commit, find_shard, fingerprint, read_shard, source_digest, write_shard
from storage.schemas import TRANSFERS
from tasks.faces import FaceTables, read_faces
from tasks.generation import generate_pairs
from tasks.models import RegisteredModel, load_model
from tasks.pool import in_worker, tick
from tasks.retargeting import retargeted_points

CODE = source_digest(
    "tasks.transfer",
    "tasks.faces",
    "tasks.generation",
    "tasks.retargeting",
    "model.application",
    "model.head_pose",
    "model.heatmaps",
    "model.judging",
    "model.networks",
    "model.neutral",
    "model.places",
    "model.retargeting",
    "model.shape_model",
    "model.spline",
    "storage.schemas",
)

BATCH = 16

_FACE_COLUMNS = ["identity", "expression", "crop", "landmarks_xy", "landmark_scheme", "embedding"]


@dataclass(frozen=True)
class TransferSettings:
    """What decides the generated faces, besides the plan."""

    model: RegisteredModel
    sets: tuple[FaceTables, ...]
    """Where the faces of the plan are found."""
    crop_size_px: int
    faces: str = "dlib"
    """The detector that judges the results."""
    gate: GateSettings = field(default_factory=GateSettings)
    retarget: RetargetSettings = field(default_factory=RetargetSettings)
    neutrals: str | None = None
    """Fingerprint of the people's neutrals, which are kept in the root; None takes the drivers' points as they are."""


def transfer_shard(root: Root, pairs: str, settings: TransferSettings) -> ShardRef:
    """The shard of `transfers` for a shard of `pairs`: found where it exists, else generated and written."""
    name = fingerprint(
        {"code": CODE, "pairs": pairs, "settings": _decisive(settings), "judge": load_detector(settings.faces).version}
    )
    if found := find_shard(root, "transfers", name):
        tick(found.rows)
        return found
    return in_worker(_transfer, root, name, pairs, settings)


def _decisive(settings: TransferSettings) -> dict[str, Any]:
    decisive = asdict(settings)
    del decisive["model"]["champion"]  # an alias may move; the version's output does not
    return decisive


def _transfer(root: Root, name: str, pairs: str, settings: TransferSettings) -> ShardRef:
    rows = read_shard(root, "pairs", pairs).to_pylist()
    good = [row for row in rows if row["status"] == "ok"]
    ids = {row[key] for row in good for key in ("identity_face_id", "expression_face_id")}
    faces = read_faces(root, settings.sets, ids, _FACE_COLUMNS)
    generator, detector = load_model(root, settings.model.sha256), load_detector(settings.faces)
    done: dict[str, dict[str, Any]] = {}
    for start in range(0, len(good), BATCH):
        batch = good[start : start + BATCH]
        rows_of = [_faces_of(pair, faces) for pair in batch]
        asked = retargeted_points(
            root, settings.neutrals, settings.retarget, generator.shape_model, rows_of, settings.crop_size_px
        )
        images = generate_pairs(generator, rows_of, settings.crop_size_px, asked)
        for pair, image, points in zip(batch, images, asked if asked is not None else [None] * len(batch), strict=True):
            judged = _judge(detector, image, pair, faces, points, settings)
            done[pair["pair_id"]] = _row(pair, faces, settings, image, judged)
            tick()
    tick(len(rows) - len(good))
    out = [done.get(row["pair_id"]) or _unusable_row(row, settings) for row in rows]
    return write_shard(root, "transfers", name, pa.Table.from_pylist(out, schema=TRANSFERS))


def _faces_of(pair: dict[str, Any], faces: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    return faces[pair["identity_face_id"]], faces[pair["expression_face_id"]]


def _judge(
    detector: FaceDetector,
    image: np.ndarray,
    pair: dict[str, Any],
    faces: dict[str, Any],
    asked_points: np.ndarray | None,
    settings: TransferSettings,
) -> Judgement:
    source, driver = _faces_of(pair, faces)
    landmarks = np.asarray(driver["landmarks_xy"], np.float32).reshape(-1, 2)
    scheme: LandmarkScheme = driver["landmark_scheme"]
    if asked_points is not None:
        landmarks, scheme = ((asked_points + 1) / 2 * settings.crop_size_px).astype(np.float32), "ibug68"
    asked = AskedFace(
        source_embedding=np.asarray(source["embedding"], np.float32),
        driver_embedding=np.asarray(driver["embedding"], np.float32),
        target_landmarks_xy=landmarks * (image.shape[0] / settings.crop_size_px),
        scheme=scheme,
    )
    return judge_face(detector, image, asked, settings.gate)


def _lineage(pair: dict[str, Any], settings: TransferSettings) -> dict[str, Any]:
    lineage = {key: pair[key] for key in ("pair_id", "identity_face_id", "expression_face_id", "seed")}
    return lineage | {
        "output_id": fingerprint([pair["pair_id"], settings.model.sha256]),
        "model_uri": settings.model.uri,
        "model_sha256": settings.model.sha256,
        "run_id": settings.model.run_id,
        "synthetic": True,
    }


def _row(
    pair: dict[str, Any], faces: dict[str, Any], settings: TransferSettings, image: np.ndarray, judged: Judgement
) -> dict[str, Any]:
    encoded = encode_png(image)
    return _lineage(pair, settings) | {
        "identity": faces[pair["identity_face_id"]]["identity"],
        "expression": faces[pair["expression_face_id"]]["expression"],
        "image": encoded,
        "sha256": hashlib.sha256(encoded).hexdigest(),
        "identity_similarity": judged.identity_similarity,
        "driver_similarity": judged.driver_similarity,
        "expression_error": judged.expression_error,
        "status": "rejected" if judged.reason else "ok",
        "reason": judged.reason,
    }


def _unusable_row(pair: dict[str, Any], settings: TransferSettings) -> dict[str, Any]:
    return _lineage(pair, settings) | {"status": "rejected", "reason": pair["reason"]}


def commit_transfers(root: Root, pairs: TableRef, shards: Sequence[ShardRef], settings: TransferSettings) -> TableRef:
    """Makes the generated faces visible as one table."""
    return commit(
        root, "transfers", shards, {"pairs": pairs.fingerprint, "settings": _decisive(settings), "code": CODE}
    )
