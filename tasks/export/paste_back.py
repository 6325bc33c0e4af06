"""Rows of generated crops in, rows of whole photos with the generated faces out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mien.model.device import Compute
from mien.model.images.codec import decode_rgb
from mien.model.images.provenance import encode_image, read_provenance
from mien.model.landmarks.crop_units import to_px
from mien.model.landmarks.schemes import to_common
from mien.model.warping.paste_back import paste_back
from mien.storage import KEY_COLUMNS, Root, SourceItem, read_manifest
from mien.tasks.runtime.second_look import Row, ask_each, outcome_of
from mien.tasks.sets.faces import photos_of, read_faces
from mien.tasks.sets.photo_reader import PictureReader
from mien.tasks.transfer.generate import PairGenerator
from mien.tasks.transfer.settings import settings_of

_COLUMNS = ["image_id", "landmarks_xy", "landmark_scheme", "source_to_crop"]


def paste_rows(root: Root, transfers: str, rows: Sequence[Row]) -> list[Row]:
    """The rows with each generated face in the photo that its source was found in, encoded as the crop was.

    A row whose photo cannot be read any more has no image, but a reason and a failure. Each row ticks once.
    """
    settings = settings_of(read_manifest(root, "transfers", transfers).about)
    ids = {row[key] for row in rows for key in ("identity_face_id", "expression_face_id")}
    faces = read_faces(root, settings.sets, ids, _COLUMNS)
    sources = {faces[row["identity_face_id"]]["image_id"] for row in rows}
    photos = photos_of(root, settings.sets, sources, list(KEY_COLUMNS))
    # Nothing is generated, so it does not matter what kind of device the faces were made on.
    generator = PairGenerator(root, replace(settings, compute=Compute()))
    with PictureReader() as reader:

        def ask(row: Row) -> list[Row]:
            source, driver = faces[row["identity_face_id"]], faces[row["expression_face_id"]]
            photo = reader.pixels(SourceItem(**photos[source["image_id"]]), source["image_id"])
            return [row | _pasted(row, photo, source, driver, generator)]

        def failed(row: Row, error: Exception) -> Row:
            outcome = outcome_of(error)
            return row | outcome | {"image": None, "reason": f"not pasted back: {outcome['reason']}"}

        return [row for rows in ask_each(rows, ask, failed, "the photos") for row in rows]


def _points(face: Row) -> np.ndarray:
    landmarks = np.asarray(face["landmarks_xy"], np.float32).reshape(-1, 2)
    return to_common(landmarks, face["landmark_scheme"])


def _pasted(row: Row, photo: np.ndarray, source: Row, driver: Row, generator: PairGenerator) -> Row:
    crop_px = generator.settings.crop_size_px
    points = generator.target_points([(source, driver)])
    reached = _points(driver) if points is None else to_px(points[0], crop_px)
    matrix = np.asarray(source["source_to_crop"], np.float64).reshape(2, 3)
    whole = paste_back(photo, decode_rgb(row["image"]), matrix, crop_px, _points(source), reached)
    provenance = {key: value for key, value in read_provenance(row["image"]).items() if key != "synthetic"}
    data = encode_image(whole, row["image_format"], provenance, generator.settings.output.quality)
    return {"image": data, "sha256": hashlib.sha256(data).hexdigest()}
