"""InsightFace's landmarks and embeddings of several faces at once.

The library takes one face at a time for landmarks. What it does before and after its network is repeated here as it is
in insightface 2.1 (`model_zoo/landmark.py`, MIT); the tests hold both to each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

Image = UInt8[np.ndarray, "_ _ 3"]

BATCH = 16
"""Faces that go through a network at once."""
_AROUND = 1.5
"""Side of the square that the landmarks' network sees, in sides of the box."""


def takes_batches(model: Any) -> bool:
    """Whether a model of the library takes any number of faces; some files have one as a fixed number."""
    return not isinstance(model.session.get_inputs()[0].shape[0], int)


def landmarks_each(
    model: Any, images: Sequence[Image], boxes: Sequence[Float[np.ndarray, " 4"]]
) -> list[Float32[np.ndarray, "n 2"]]:
    """What `model.get` gives for the face in one box of each picture.

    Args:
        model: The library's model of 2D landmarks.
        images: In BGR, as the library has them.
        boxes: In the library's coordinates.
    """
    if not images:
        return []
    cut = [_cut(model, image, box) for image, box in zip(images, boxes, strict=True)]
    mean = (model.input_mean,) * 3
    crops = [crop for crop, _ in cut]
    made: list[np.ndarray] = []
    for some in _parts(crops, takes_batches(model)):
        blob = cv2.dnn.blobFromImages(some, 1.0 / model.input_std, model.input_size, mean, swapRB=True)
        made.extend(model.session.run(model.output_names, {model.input_name: blob})[0])
    return [_in_picture(model, values, matrix) for values, (_, matrix) in zip(made, cut, strict=True)]


def features_each(model: Any, crops: Sequence[Image]) -> Float32[np.ndarray, "faces d"]:
    """What `model.get_feat` gives for aligned faces in BGR, of which there is one at least."""
    return np.concatenate([model.get_feat(some) for some in _parts(crops, takes_batches(model))])


def _parts(crops: Sequence[Image], in_batches: bool) -> list[list[Image]]:
    size = BATCH if in_batches else 1
    return [list(crops[first : first + size]) for first in range(0, len(crops), size)]


def _cut(model: Any, image: Image, box: Float[np.ndarray, " 4"]) -> tuple[Image, Float[np.ndarray, "2 3"]]:
    """The square around a box, and the transform into it."""
    from insightface.utils import face_align

    left, top, right, bottom = box
    side_px = model.input_size[0]
    scale = side_px / (max(right - left, bottom - top) * _AROUND)
    return face_align.transform(image, ((right + left) / 2, (bottom + top) / 2), side_px, scale, 0)


def _in_picture(model: Any, values: np.ndarray, matrix: Float[np.ndarray, "2 3"]) -> Float32[np.ndarray, "n 2"]:
    from insightface.utils import face_align

    points = values.reshape(-1, 2)[-model.lmk_num :] + 1
    return face_align.trans_points(points * (model.input_size[0] // 2), cv2.invertAffineTransform(matrix))
