"""Rows of generated crops in, rows of whole photos with the generated faces out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import cast

import numpy as np

from mien.model.device import Compute
from mien.model.images.codec import Rgb, decode_rgb
from mien.model.landmarks.crop_units import to_px
from mien.model.landmarks.schemes import to_common
from mien.model.warping.paste_back import paste_back
from mien.storage import KEY_COLUMNS, Root, read_manifest
from mien.storage.rows import FaceRow, TransferRow
from mien.tasks.runtime.second_look import Row, ask_each, outcome_of
from mien.tasks.sets.face_columns import landmarks_px, scheme_of
from mien.tasks.sets.face_rows import FaceWithHeatmap
from mien.tasks.sets.faces import photos_of
from mien.tasks.sets.photo_reader import PictureReader, item_of
from mien.tasks.transfer.generate import PairGenerator
from mien.tasks.transfer.pair_faces import read_pair_faces
from mien.tasks.transfer.settings import settings_of, settings_of_row

Encode = Callable[[TransferRow, Rgb], bytes]
"""What writes the picture of a row with other pixels."""

_COLUMNS = ["image_id", "landmarks_xy", "landmark_scheme", "source_to_crop"]


def paste_rows(root: Root, transfers: str, rows: Sequence[TransferRow], encode: Encode) -> list[TransferRow]:
    """The rows with each generated face in the photo that its source was found in.

    A row whose photo cannot be read any more has no image, but a reason and a failure. Each row ticks once.
    """
    about = read_manifest(root, "transfers", transfers).about
    settings = settings_of(about)
    faces = read_pair_faces(root, settings, rows, _COLUMNS)
    image_ids = {face["image_id"] for face in faces.sources.values()}
    photos = photos_of(root, [settings.source_set], image_ids, list(KEY_COLUMNS))
    # Nothing is generated, so it does not matter what kind of device the faces were made on.
    generators = {
        name: PairGenerator(root, replace(settings_of_row(about, name), compute=Compute()))
        for name in {row["settings"] for row in rows}
    }
    with PictureReader() as reader:

        def ask(row: TransferRow) -> list[Row]:
            source, driver = faces.of(row)
            photo = reader.pixels(item_of(photos[source["image_id"]]), source["image_id"])
            data = encode(row, _pasted(row, photo, source, driver, generators[row["settings"]]))
            return [{**row, "image": data, "sha256": hashlib.sha256(data).hexdigest()}]

        def failed(row: TransferRow, error: Exception) -> Row:
            outcome = outcome_of(error)
            return {**row, **outcome, "image": None, "reason": f"not pasted back: {outcome['reason']}"}

        asked = ask_each(rows, ask, failed, "the photos")
    return cast("list[TransferRow]", [row for found in asked for row in found])


def _points(face: FaceRow) -> np.ndarray:
    return to_common(landmarks_px(face), scheme_of(face))


def _pasted(
    row: TransferRow, photo: Rgb, source: FaceWithHeatmap, driver: FaceWithHeatmap, generator: PairGenerator
) -> Rgb:
    """The photo; the row has its picture."""
    assert row["image"] is not None
    crop_px = generator.settings.crop_size_px
    points = generator.target_points([(source, driver)], [generator.strength(row)])
    reached = _points(driver) if points is None else to_px(points[0], crop_px)
    matrix = np.asarray(source["source_to_crop"], np.float64).reshape(2, 3)
    return paste_back(photo, decode_rgb(row["image"]), matrix, crop_px, _points(source), reached)
