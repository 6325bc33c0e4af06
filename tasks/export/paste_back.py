"""Rows of generated crops in, rows of whole photos with the generated faces out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from mien.model.errors import ImageError
from mien.model.images.codec import decode_rgb
from mien.model.images.provenance import encode_image, read_provenance
from mien.model.landmarks.crop_units import to_px
from mien.model.landmarks.schemes import to_common
from mien.model.warping.paste_back import paste_back
from mien.storage import KEY_COLUMNS, Root, SourceItem, StorageError, read_manifest
from mien.tasks.generator.inputs import retargeted_points
from mien.tasks.generator.weights import load_model
from mien.tasks.sets.faces import photos_of, read_faces
from mien.tasks.sets.photo_reader import PictureReader
from mien.tasks.transfer.settings import TransferSettings, settings_of

_COLUMNS = ["image_id", "landmarks_xy", "landmark_scheme", "source_to_crop"]

Row = dict[str, Any]


def paste_rows(root: Root, transfers: str, rows: Sequence[Row]) -> list[Row]:
    """The rows with each generated face in the photo that its source was found in, encoded as the crop was.

    A row whose photo cannot be read any more stays away from the result's pictures, with its reason.
    """
    settings = settings_of(read_manifest(root, "transfers", transfers).about)
    ids = {row[key] for row in rows for key in ("identity_face_id", "expression_face_id")}
    faces = read_faces(root, settings.sets, ids, _COLUMNS)
    sources = {faces[row["identity_face_id"]]["image_id"] for row in rows}
    photos = photos_of(root, settings.sets, sources, list(KEY_COLUMNS))
    out: list[Row] = []
    with PictureReader() as reader:
        for row in rows:
            source, driver = faces[row["identity_face_id"]], faces[row["expression_face_id"]]
            try:
                photo = reader.pixels(SourceItem(**photos[source["image_id"]]), source["image_id"])
            except (StorageError, ImageError) as error:
                out.append(row | {"image": None, "status": "failed", "reason": f"not pasted back: {error}"})
                continue
            reached = _reached(root, settings, source, driver)
            out.append(row | _pasted(row, photo, source, reached, settings))
    return out


def _reached(root: Root, settings: TransferSettings, source: Row, driver: Row) -> np.ndarray:
    """The 68 landmarks that were asked for, in pixels of the crop."""
    generator = load_model(root, settings.model.sha256)
    pair = [(source, driver)]
    asked = retargeted_points(
        root, settings.neutrals, settings.retarget, generator.shape_model, pair, settings.crop_size_px
    )
    return _points(driver) if asked is None else to_px(asked[0], settings.crop_size_px)


def _points(face: Row) -> np.ndarray:
    landmarks = np.asarray(face["landmarks_xy"], np.float32).reshape(-1, 2)
    return to_common(landmarks, face["landmark_scheme"])


def _pasted(row: Row, photo: np.ndarray, source: Row, reached: np.ndarray, settings: TransferSettings) -> Row:
    matrix = np.asarray(source["source_to_crop"], np.float64).reshape(2, 3)
    whole = paste_back(photo, decode_rgb(row["image"]), matrix, settings.crop_size_px, _points(source), reached)
    told = {key: value for key, value in read_provenance(row["image"]).items() if key != "synthetic"}
    data = encode_image(whole, row["image_format"], told, settings.output.quality)
    return {"image": data, "sha256": hashlib.sha256(data).hexdigest()}
