"""Rows of `pairs` in, rows of `transfers` out: a batch goes through the generator while its neighbours are decoded and
encoded.

    decode n + 1 │ generator, judge n │ encode n − 1        three threads; images and networks leave Python's lock
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from mien.model.detection.load import load_detector
from mien.model.images.provenance import encode_image
from mien.model.landmarks.crop_units import to_px
from mien.model.landmarks.schemes import LandmarkScheme
from mien.model.quality.gate import Judgement, TargetFace, judge_faces
from mien.storage import Root, fingerprint
from mien.tasks.generator.inputs import GeneratorInputs, generator_inputs, retargeted_points
from mien.tasks.generator.weights import load_model
from mien.tasks.runtime.workers import tick
from mien.tasks.sets.consent import UNKNOWN, consents_of, pair_refusal
from mien.tasks.sets.faces import photos_of, read_faces
from mien.tasks.transfer.settings import TransferSettings, settings_fingerprint

BATCH = 16
"""Pairs that go through the generator at once. Always so many: libraries may round differently in a batch of another
size, and a face is to have the same bytes whatever it was made beside."""

FACE_COLUMNS = [
    "image_id", "identity", "expression", "split", "crop", "landmarks_xy", "landmark_scheme", "embedding", "sharpness",
]  # fmt: skip

Row = dict[str, Any]


def generated_rows(
    root: Root, pairs: Sequence[Row], settings: TransferSettings, lineage: str | None = None
) -> Iterator[Row]:
    """The rows of `transfers` for rows of `pairs`, in their order.

    A row is a function of its pair and the settings: it does not matter which others are made with it.
    """
    lineage = lineage or settings_fingerprint(settings)
    ids = {pair[key] for pair in pairs if pair["status"] == "ok" for key in ("identity_face_id", "expression_face_id")}
    faces = read_faces(root, settings.sets, ids, FACE_COLUMNS)
    photos = photos_of(root, settings.sets, {face["image_id"] for face in faces.values()}, ["licence"])
    consents = consents_of(root, settings.sets)
    faces = {
        face_id: face | {"photo": photos.get(face["image_id"], {}), "consent": consents.get(face["image_id"], UNKNOWN)}
        for face_id, face in faces.items()
    }
    made: dict[str, Row] = {}
    good = [pair for pair in pairs if pair["status"] == "ok" and not _refusal(faces, pair, settings)]
    for pair, row in _generated(root, good, faces, settings, lineage):
        made[pair["pair_id"]] = row
        tick()
    for pair in pairs:
        if pair["pair_id"] not in made:
            tick()
        columns = made.get(pair["pair_id"]) or _unmade(pair, faces, settings)
        yield _lineage(pair, faces, settings, lineage) | columns


def _generated(
    root: Root, pairs: Sequence[Row], faces: dict[str, Row], settings: TransferSettings, lineage: str
) -> Iterator[tuple[Row, Row]]:
    """(pair, what became of it) for each pair, in their order."""
    batches = [pairs[start : start + BATCH] for start in range(0, len(pairs), BATCH)]
    encoded: Future[list[Row]] | None = None
    with ThreadPoolExecutor(1) as decoding, ThreadPoolExecutor(1) as encoding:
        read = [decoding.submit(prepared, root, batch, faces, settings) for batch in batches[:1]]
        for number, batch in enumerate(batches):
            inputs = read.pop().result()
            read += [decoding.submit(prepared, root, b, faces, settings) for b in batches[number + 1 : number + 2]]
            images = load_model(root, settings.model.sha256, settings.compute).generate(**vars(inputs.generator))
            judged = judge_faces(load_detector(settings.faces), list(images[: len(batch)]), inputs.asked, settings.gate)
            if encoded is not None:
                yield from zip(batches[number - 1], encoded.result(), strict=True)
            encoded = encoding.submit(outcomes, batch, images, judged, settings, lineage)
        if encoded is not None:
            yield from zip(batches[-1], encoded.result(), strict=True)


@dataclass(frozen=True)
class Prepared:
    """A batch as the networks take it."""

    generator: GeneratorInputs
    """`BATCH` of them, whatever the number of pairs."""
    asked: list[TargetFace]
    """One for each pair."""


def prepared(root: Root, pairs: Sequence[Row], faces: dict[str, Row], settings: TransferSettings) -> Prepared:
    """Decodes the crops of at most `BATCH` pairs and puts together what is asked of the generator."""
    generator = load_model(root, settings.model.sha256, settings.compute)
    rows = [(faces[pair["identity_face_id"]], faces[pair["expression_face_id"]]) for pair in pairs]
    full = [*rows, *[rows[-1]] * (BATCH - len(rows))]
    points = retargeted_points(
        root, settings.neutrals, settings.retarget, generator.shape_model, full, settings.crop_size_px
    )
    asked = [
        _asked(source, driver, None if points is None else points[number], generator.size_px, settings)
        for number, (source, driver) in enumerate(rows)
    ]
    return Prepared(generator_inputs(generator.heatmap_spec, full, settings.crop_size_px, points), asked)


def _asked(
    source: Row, driver: Row, asked_points: np.ndarray | None, size_px: int, settings: TransferSettings
) -> TargetFace:
    landmarks = np.asarray(driver["landmarks_xy"], np.float32).reshape(-1, 2)
    scheme: LandmarkScheme = driver["landmark_scheme"]
    if asked_points is not None:
        landmarks, scheme = to_px(asked_points, settings.crop_size_px).astype(np.float32), "ibug68"
    return TargetFace(
        source_embedding=np.asarray(source["embedding"], np.float32),
        driver_embedding=np.asarray(driver["embedding"], np.float32),
        landmarks_xy=landmarks * (size_px / settings.crop_size_px),
        scheme=scheme,
        source_sharpness=source["sharpness"],
    )


def _refusal(faces: dict[str, Row], pair: Row, settings: TransferSettings) -> str | None:
    """Why a pair must not be made, if so."""
    source, driver = faces[pair["identity_face_id"]], faces[pair["expression_face_id"]]
    return pair_refusal(source["consent"], driver["consent"], settings.require_consent)


def _unmade(pair: Row, faces: dict[str, Row], settings: TransferSettings) -> Row:
    reason = pair["reason"] if pair["status"] != "ok" else _refusal(faces, pair, settings)
    return {"status": "rejected", "reason": reason}


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
        "consent": source.get("consent", UNKNOWN).text,
        "model_uri": settings.model.uri,
        "model_sha256": settings.model.sha256,
        "run_id": settings.model.run_id,
        "synthetic": True,
    }


def outcomes(
    pairs: Sequence[Row],
    images: np.ndarray,
    judged: Sequence[Judgement],
    settings: TransferSettings,
    lineage: str,
) -> list[Row]:
    return [
        _outcome(pair, image, its, settings, lineage)
        for pair, image, its in zip(pairs, images[: len(pairs)], judged, strict=True)
    ]


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
