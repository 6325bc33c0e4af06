"""Photos of the reference face, for tests of the benchmarks that make faces of photos."""

from __future__ import annotations

import numpy as np

from benchmarks.making import Photo
from mien.model.inference.face_keypoints import Keypoints
from mien.model.landmarks.crop_units import from_px
from mien.model.landmarks.reference import AlignmentSettings, reference_landmarks
from mien.tasks.generator.trained_on import Shown

SIDE_PX = 64
REST = reference_landmarks(AlignmentSettings(size_px=SIDE_PX))
LIDS = ((37, 41), (38, 40), (43, 47), (44, 46))


def photo(person: str, number: int, lids: float = 1.0, split: str = "test", jaw_px: float = 0.0) -> Photo:
    """A photo of a person with eyes that are open so far, as a share of the reference face's, and a jaw so far down."""
    landmarks = REST.copy()
    landmarks[65:68, 1] += jaw_px
    for upper, lower in LIDS:
        middle, gap = (landmarks[upper] + landmarks[lower]) / 2, landmarks[lower] - landmarks[upper]
        landmarks[upper], landmarks[lower] = middle - lids * gap / 2, middle + lids * gap / 2
    crop = np.random.default_rng(number).integers(0, 256, (SIDE_PX, SIDE_PX, 3), dtype=np.uint8)
    points = from_px(landmarks, SIDE_PX)
    keypoints = Keypoints(landmarks.astype(np.float32), "ibug68", SIDE_PX)
    return Photo(crop, keypoints, points, from_px(REST, SIDE_PX), Shown("set", person, f"{number:064x}"), split)
