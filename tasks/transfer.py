"""Bulk transfer: each planned pair becomes a row of `transfers`, a generated and measured face."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from model.faces import FaceDetector, load_detector
from model.judging import AskedFace, GateSettings, Judgement, judge_face
from model.landmarks import LandmarkScheme
from model.provenance import ImageFormat, encode_image
from model.retargeting import RetargetSettings
from storage import Root, ShardRef, TableRef, commit, find_shard, fingerprint, read_shard, source_digest, write_shard
from storage.schemas import TRANSFERS
from tasks.faces import FaceTables, photos_of, read_faces
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
    "model.provenance",
    "model.quality",
    "model.retargeting",
    "model.shape_model",
    "model.face_motion",
    "model.openings",
    "model.spline",
    "storage.schemas",
)

BATCH = 16
"""Pairs that go through the generator at once. Always so many: libraries may round differently in a batch of another
size, and a face is to have the same bytes whatever it was made beside."""

_FACE_COLUMNS = [
    "image_id", "identity", "expression", "split", "crop", "landmarks_xy", "landmark_scheme", "embedding", "sharpness",
]  # fmt: skip

Row = dict[str, Any]


@dataclass(frozen=True)
class OutputSettings:
    """In what form generated faces are kept."""

    image_format: ImageFormat = "png"
    quality: int = 95
    """Of JPEG and WebP, 1 to 100."""
    keep_rejected: bool = False
    """Whether the pixels of rejected faces are kept; their rows always are."""


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
    output: OutputSettings = field(default_factory=OutputSettings)
    require_consent: bool = False
    """Refuses sources whose photo came without a word on consent."""


def settings_of(about: Any) -> TransferSettings:
    """The settings that a table of `transfers` was made with, from what its manifest says about it."""
    told: dict[str, Any] = dict(about["settings"])
    told["model"] = RegisteredModel(**told["model"], champion=False)
    told["sets"] = tuple(FaceTables(**tables) for tables in told["sets"])
    told["gate"] = GateSettings(**told["gate"])
    told["retarget"] = RetargetSettings(**told["retarget"])
    told["output"] = OutputSettings(**told["output"])
    return TransferSettings(**told)


def transfer_shard(root: Root, pairs: str, settings: TransferSettings) -> ShardRef:
    """The shard of `transfers` for a shard of `pairs`: found where it exists, else generated and written."""
    name = shard_name(pairs, settings)
    if found := find_shard(root, "transfers", name):
        tick(found.rows)
        return found
    return in_worker(_transfer, root, name, pairs, settings)


def find_transfers(root: Root, pairs: str, settings: TransferSettings) -> ShardRef | None:
    """The shard of `transfers` for a shard of `pairs` if it exists."""
    return find_shard(root, "transfers", shard_name(pairs, settings))


def shard_name(pairs: str, settings: TransferSettings) -> str:
    """Fingerprint of all that decides the shard of `transfers` for a shard of `pairs`."""
    return fingerprint({"pairs": pairs, "settings": settings_fingerprint(settings)})


def settings_fingerprint(settings: TransferSettings) -> str:
    """Of all that decides a generated face besides its pair: settings, weights, tables, detector, code."""
    return fingerprint({"code": CODE, "settings": _decisive(settings), "judge": load_detector(settings.faces).version})


def _decisive(settings: TransferSettings) -> dict[str, Any]:
    decisive = asdict(settings)
    del decisive["model"]["champion"]  # an alias may move; the version's output does not
    return decisive


def _transfer(root: Root, name: str, pairs: str, settings: TransferSettings) -> ShardRef:
    rows = list(generated_rows(root, read_shard(root, "pairs", pairs).to_pylist(), settings))
    return write_shard(root, "transfers", name, pa.Table.from_pylist(rows, schema=TRANSFERS))


def generated_rows(root: Root, pairs: Sequence[Row], settings: TransferSettings) -> Iterator[Row]:
    """The rows of `transfers` for rows of `pairs`, in their order.

    A row is a function of its pair and the settings: it does not matter which others are made with it.
    """
    lineage = settings_fingerprint(settings)
    ids = {pair[key] for pair in pairs if pair["status"] == "ok" for key in ("identity_face_id", "expression_face_id")}
    faces = read_faces(root, settings.sets, ids, _FACE_COLUMNS)
    photos = photos_of(root, settings.sets, {face["image_id"] for face in faces.values()}, ["licence", "consent"])
    faces = {face_id: face | {"photo": photos.get(face["image_id"], {})} for face_id, face in faces.items()}
    made: dict[str, Row] = {}
    good = [pair for pair in pairs if pair["status"] == "ok" and not _refusal(faces, pair, settings)]
    for start in range(0, len(good), BATCH):
        for pair, row in _batch(root, good[start : start + BATCH], faces, settings, lineage):
            made[pair["pair_id"]] = row
            tick()
    for pair in pairs:
        if pair["pair_id"] not in made:
            tick()
        columns = made.get(pair["pair_id"]) or _unmade(pair, faces, settings)
        yield _lineage(pair, faces, settings, lineage) | columns


def _refusal(faces: dict[str, Row], pair: Row, settings: TransferSettings) -> str | None:
    """Why a pair must not be made, if so."""
    if settings.require_consent and not faces[pair["identity_face_id"]]["photo"].get("consent"):
        return "the source's photo came without consent"
    return None


def _unmade(pair: Row, faces: dict[str, Row], settings: TransferSettings) -> Row:
    reason = pair["reason"] if pair["status"] != "ok" else _refusal(faces, pair, settings)
    return {"status": "rejected", "reason": reason}


def _batch(
    root: Root, pairs: Sequence[Row], faces: dict[str, Row], settings: TransferSettings, lineage: str
) -> Iterator[tuple[Row, Row]]:
    generator, detector = load_model(root, settings.model.sha256), load_detector(settings.faces)
    rows_of = [(faces[pair["identity_face_id"]], faces[pair["expression_face_id"]]) for pair in pairs]
    full = [*rows_of, *[rows_of[-1]] * (BATCH - len(rows_of))]
    asked = retargeted_points(
        root, settings.neutrals, settings.retarget, generator.shape_model, full, settings.crop_size_px
    )
    images = generate_pairs(generator, full, settings.crop_size_px, asked)
    for number, (pair, (source, driver)) in enumerate(zip(pairs, rows_of, strict=True)):
        points = None if asked is None else asked[number]
        judged = _judge(detector, images[number], source, driver, points, settings)
        yield pair, _outcome(pair, images[number], judged, settings, lineage)


def _judge(
    detector: FaceDetector,
    image: np.ndarray,
    source: Row,
    driver: Row,
    asked_points: np.ndarray | None,
    settings: TransferSettings,
) -> Judgement:
    landmarks = np.asarray(driver["landmarks_xy"], np.float32).reshape(-1, 2)
    scheme: LandmarkScheme = driver["landmark_scheme"]
    if asked_points is not None:
        landmarks, scheme = ((asked_points + 1) / 2 * settings.crop_size_px).astype(np.float32), "ibug68"
    asked = AskedFace(
        source_embedding=np.asarray(source["embedding"], np.float32),
        driver_embedding=np.asarray(driver["embedding"], np.float32),
        target_landmarks_xy=landmarks * (image.shape[0] / settings.crop_size_px),
        scheme=scheme,
        source_sharpness=source["sharpness"],
    )
    return judge_face(detector, image, asked, settings.gate)


def _output_id(pair: Row, lineage: str) -> str:
    return fingerprint([pair["pair_id"], lineage])


def _lineage(pair: Row, faces: dict[str, Row], settings: TransferSettings, lineage: str) -> Row:
    source, driver = (faces.get(pair[key], {}) for key in ("identity_face_id", "expression_face_id"))
    planned = {key: pair[key] for key in ("pair_id", "identity_face_id", "expression_face_id", "seed", "rank")}
    return planned | {
        "output_id": _output_id(pair, lineage),
        "settings": lineage,
        "source_image_id": source.get("image_id"),
        "driver_image_id": driver.get("image_id"),
        "identity": source.get("identity"),
        "expression": driver.get("expression"),
        "split": source.get("split"),
        "licence": source.get("photo", {}).get("licence"),
        "consent": source.get("photo", {}).get("consent"),
        "model_uri": settings.model.uri,
        "model_sha256": settings.model.sha256,
        "run_id": settings.model.run_id,
        "synthetic": True,
    }


def _outcome(pair: Row, image: np.ndarray, judged: Judgement, settings: TransferSettings, lineage: str) -> Row:
    output = settings.output
    provenance = {
        "generator": settings.model.uri,
        "weights": settings.model.sha256,
        "source": pair["identity_face_id"],
        "driver": pair["expression_face_id"],
        "output": _output_id(pair, lineage),
    }
    encoded = encode_image(image, output.image_format, provenance, output.quality)
    return {
        "image": encoded if output.keep_rejected or not judged.reason else None,
        "image_format": output.image_format,
        "sha256": hashlib.sha256(encoded).hexdigest(),
        "identity_similarity": judged.identity_similarity,
        "driver_similarity": judged.driver_similarity,
        "expression_error": judged.expression_error,
        "sharpness_ratio": judged.sharpness_ratio,
        "detector_score": judged.detector_score,
        "status": "rejected" if judged.reason else "ok",
        "reason": judged.reason,
    }


def commit_transfers(root: Root, pairs: TableRef, shards: Sequence[ShardRef], settings: TransferSettings) -> TableRef:
    """Makes the generated faces visible as one table."""
    return commit(
        root, "transfers", shards, {"pairs": pairs.fingerprint, "settings": _decisive(settings), "code": CODE}
    )
