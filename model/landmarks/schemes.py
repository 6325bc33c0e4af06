"""Facial landmarks: three schemes, one set of facial parts, one common order.

Schemes
    `ibug68`: the 68 points of 300-W (Sagonas et al. 2013), as dlib's predictor gives them.
    `insightface106`: the 106 points of InsightFace's `2d106det`. Its markup is "ordered by point names", that is the
    106 names of the Face++ scheme sorted as strings: contour_chin, contour_left1, contour_left10, …
    `mediapipe478`: the 468 vertices of MediaPipe's face mesh and five points of each iris (`mediapipe_points.py`).

Coordinates
    (x, y) in pixels from the upper left corner of the picture, so the centre of the first pixel is (0.5, 0.5) and
    resizing a picture multiplies its landmarks. (OpenCV and dlib count from the centre of the first pixel instead; the
    detectors and `alignment.warp` convert.)

Left and right are those of the picture: `left_eye` is the eye on the picture's left side, the person's right eye.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from jaxtyping import Float

from mien.model.landmarks import mediapipe_points
from mien.model.landmarks.contours import contours, irises
from mien.model.landmarks.parts import MIRROR, PARTS, POINTS, LandmarkScheme, Part

__all__ = [
    "MIRROR",
    "PARTS",
    "POINTS",
    "LandmarkScheme",
    "Part",
    "common_pairs",
    "eye_opening",
    "five_points",
    "interocular_px",
    "mirror_indices",
    "mouth_opening",
    "part_indices",
    "to_common",
]

_RANGES_68: dict[Part, range] = {
    "jaw": range(17),
    "left_brow": range(17, 22),
    "right_brow": range(22, 27),
    "nose": range(27, 36),
    "left_eye": range(36, 42),
    "right_eye": range(42, 48),
    "outer_lips": range(48, 60),
    "inner_lips": range(60, 68),
}

_MIDDLE_OF_LID = slice(3, 6)
"""Of the nine points of a lid of `mediapipe478`."""

_COMMON_OF_106: dict[Part, tuple[int, ...]] = {
    # Both contours run from ear to ear; every second of the 33 points has its counterpart among the 17.
    "jaw": (1, 10, 12, 14, 16, 3, 5, 7, 0, 23, 21, 19, 32, 30, 28, 26, 17),
    "left_brow": (43, 48, 49, 51, 50),  # the upper edge
    "right_brow": (102, 103, 104, 105, 101),
    "nose": (72, 73, 74, 86, 78, 79, 80, 85, 84),
    "left_eye": (35, 41, 42, 39, 37, 36),
    "right_eye": (89, 95, 96, 93, 91, 90),
    "outer_lips": (52, 64, 63, 71, 67, 68, 61, 58, 59, 53, 56, 55),
    "inner_lips": (65, 66, 62, 70, 69, 57, 60, 54),
}
"""For each of the 68 points the one of the 106 at the same position of the same contour."""

_ONLY_IN_106: dict[Part, tuple[int, ...]] = {
    "jaw": (9, 11, 13, 15, 2, 4, 6, 8, 24, 22, 20, 18, 31, 29, 27, 25),
    "left_brow": (44, 45, 47, 46),  # the lower edge
    "right_brow": (97, 98, 99, 100),
    "nose": (75, 76, 77, 81, 82, 83),
    "left_eye": (33, 34, 38, 40),  # middle of the lower lid, centre, pupil, middle of the upper lid
    "right_eye": (87, 88, 92, 94),
    "outer_lips": (),
    "inner_lips": (),
}


@cache
def part_indices(scheme: LandmarkScheme) -> dict[Part, tuple[int, ...]]:
    """For each part, in the order of `PARTS`, the indices of its landmarks.

    Each landmark is in exactly one part; of `mediapipe478` those are in one that are on a contour or an iris, and the
    vertices of cheeks and forehead are in none.
    """
    if scheme == "ibug68":
        return {part: tuple(_RANGES_68[part]) for part in PARTS}
    if scheme == "insightface106":
        return {part: (*_COMMON_OF_106[part], *_ONLY_IN_106[part]) for part in PARTS}
    return {part: _on_lines(scheme, part) for part in PARTS}


def _on_lines(scheme: LandmarkScheme, part: Part) -> tuple[int, ...]:
    """The landmarks on the lines of a part, each once, and those of its iris."""
    iris = irises(scheme).get(part)
    on_iris = (iris.centre, *iris.rim) if iris else ()
    return (*dict.fromkeys(index for line in contours(scheme)[part] for index in line.indices), *on_iris)


@cache
def common_pairs(scheme: LandmarkScheme) -> tuple[tuple[int, int], ...]:
    """For each of the 68 common landmarks the two indices in `scheme` that it is midway between, often the same."""
    if scheme == "mediapipe478":
        return mediapipe_points.common_vertices(mirror_indices())
    indices = range(68) if scheme == "ibug68" else (index for part in PARTS for index in _COMMON_OF_106[part])
    return tuple((index, index) for index in indices)


@cache
def mirror_indices() -> tuple[int, ...]:
    """For each of the 68 common landmarks the one that it becomes when the picture is mirrored."""
    brows = range(26, 16, -1)
    nose = (27, 28, 29, 30, 35, 34, 33, 32, 31)
    eyes = (45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40)
    lips = (54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65)
    return (*range(16, -1, -1), *brows, *nose, *eyes, *lips)


def to_common(
    landmarks_xy: Float[np.ndarray, "*batch points 2"], scheme: LandmarkScheme
) -> Float[np.ndarray, "*batch 68 2"]:
    """The 68 common landmarks (iBUG order) of landmarks of any scheme."""
    first, second = zip(*common_pairs(scheme), strict=True)
    # Where both are one landmark, it comes out to the bit.
    return (landmarks_xy[..., first, :] + landmarks_xy[..., second, :]) / 2


def five_points(
    landmarks_xy: Float[np.ndarray, "*batch points 2"], scheme: LandmarkScheme
) -> Float[np.ndarray, "*batch 5 2"]:
    """The points of the alignment: left eye, right eye (centres), nose tip, left and right corner of the mouth."""
    common = to_common(landmarks_xy, scheme)
    eyes = [common[..., list(_RANGES_68[eye]), :].mean(-2) for eye in ("left_eye", "right_eye")]
    return np.stack([*eyes, common[..., 30, :], common[..., 48, :], common[..., 54, :]], axis=-2)


def interocular_px(landmarks_xy: Float[np.ndarray, "points 2"], scheme: LandmarkScheme) -> float:
    """Distance of the outer corners of the eyes, the customary unit of landmark errors (300-W)."""
    common = to_common(landmarks_xy, scheme)
    return float(np.linalg.norm(common[36] - common[45]))


def eye_opening(landmarks_xy: Float[np.ndarray, "points 2"], scheme: LandmarkScheme) -> tuple[float, float]:
    """Height over width of the left and the right eye: about 0.3 open, below 0.2 closed.

    The eye aspect ratio of Soukupová and Čech 2016: (|p2 − p6| + |p3 − p5|) / (2 |p1 − p4|). The lids of `mediapipe478`
    have points above each other, so there the heights are of three such pairs, across the line between the corners:
    of shut eyes it is 0, where the distance of points that lie beside each other is not.
    """
    if scheme == "mediapipe478":
        left, right = (_gap_ratio(landmarks_xy, *lids) for lids in _lids_478())
        return left, right
    common = to_common(landmarks_xy, scheme)
    left, right = (_aspect_ratio(common[list(_RANGES_68[eye])]) for eye in ("left_eye", "right_eye"))
    return left, right


@cache
def _lids_478() -> tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]:
    """Upper and lower lid of the left and the right eye, each from the picture's left to its right."""
    left = (mediapipe_points.LEFT_UPPER_LID, mediapipe_points.LEFT_LOWER_LID)
    upper, lower = (mediapipe_points.mirrored(lid)[::-1] for lid in left)
    return left, (upper, lower)


def _gap_ratio(points: Float[np.ndarray, "points 2"], upper: tuple[int, ...], lower: tuple[int, ...]) -> float:
    """Mean gap between the middles of the lids over the width of the eye; 0 where they meet or overlap."""
    along = points[upper[-1]] - points[upper[0]]
    width = max(float(np.linalg.norm(along)), 1e-9)
    down = np.array([-along[1], along[0]]) / width
    gaps = (points[list(lower[_MIDDLE_OF_LID])] - points[list(upper[_MIDDLE_OF_LID])]) @ down
    return max(float(gaps.mean()) / width, 0.0)


def _aspect_ratio(eye_xy: Float[np.ndarray, "6 2"]) -> float:
    heights = np.linalg.norm(eye_xy[[1, 2]] - eye_xy[[5, 4]], axis=1)
    return float(heights.mean() / np.linalg.norm(eye_xy[0] - eye_xy[3]))


def mouth_opening(landmarks_xy: Float[np.ndarray, "points 2"], scheme: LandmarkScheme) -> float:
    """Mean gap between the inner lips over the inter-ocular distance: 0 closed, about 0.4 wide open.

    Not over the mouth's own width, which changes with the expression too.
    """
    common = to_common(landmarks_xy, scheme)
    gaps = np.linalg.norm(common[[61, 62, 63]] - common[[67, 66, 65]], axis=1)
    return float(gaps.mean() / interocular_px(landmarks_xy, scheme))
