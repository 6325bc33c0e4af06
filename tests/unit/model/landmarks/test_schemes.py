from __future__ import annotations

import numpy as np
import pytest

from mien.model.landmarks.mediapipe_points import MIRRORED
from mien.model.landmarks.reference import AlignmentSettings, reference_landmarks
from mien.model.landmarks.schemes import (
    MIRROR,
    PARTS,
    POINTS,
    LandmarkScheme,
    common_pairs,
    eye_opening,
    five_points,
    interocular_px,
    mirror_indices,
    mouth_opening,
    part_indices,
    to_common,
)

REFERENCE = reference_landmarks(AlignmentSettings(size_px=256))


def names_of_106() -> list[str]:
    """The Face++ names of the 106 points, in the order of the markup: sorted as strings."""
    contours = ["contour_chin", *(f"contour_{side}{k}" for side in ("left", "right") for k in range(1, 17))]
    quarters = [f"{edge}_{side}_quarter" for edge in ("upper", "lower") for side in ("left", "right")]
    spots = ["bottom", "center", "left_corner", "right_corner", "pupil", "top", *quarters]
    eyes = [f"{side}_eye_{spot}" for side in ("left", "right") for spot in spots]
    middles = ["upper_middle", "lower_middle", *quarters]
    brows = [f"{side}_eyebrow_{spot}" for side in ("left", "right") for spot in middles]
    brows += [f"left_eyebrow_{spot}" for spot in ("left_corner", "upper_right_corner", "lower_right_corner")]
    brows += [f"right_eyebrow_{spot}" for spot in ("right_corner", "upper_left_corner", "lower_left_corner")]
    nose = ["nose_bridge1", "nose_bridge2", "nose_bridge3", "nose_middle_contour", "nose_tip"]
    nose += [f"nose_{side}_contour{k}" for side in ("left", "right") for k in range(1, 6)]
    mouth = ["left_corner", "right_corner", "upper_lip_top", "upper_lip_bottom", "lower_lip_top", "lower_lip_bottom"]
    mouth += [f"upper_lip_{side}_contour{k}" for side in ("left", "right") for k in range(1, 5)]
    mouth += [f"lower_lip_{side}_contour{k}" for side in ("left", "right") for k in range(1, 4)]
    return sorted([*contours, *eyes, *brows, *nose, *(f"mouth_{spot}" for spot in mouth)])


def common_indices(scheme: LandmarkScheme) -> list[int]:
    """Of a scheme that has each common landmark itself."""
    assert all(first == second for first, second in common_pairs(scheme))
    return [first for first, _ in common_pairs(scheme)]


@pytest.mark.parametrize("scheme", POINTS)
def test_no_landmark_is_in_two_parts(scheme: LandmarkScheme) -> None:
    indices = part_indices(scheme)
    assert tuple(indices) == PARTS
    every = sorted(i for part in indices.values() for i in part)
    assert len(set(every)) == len(every)
    assert set(every) <= set(range(POINTS[scheme]))
    # The mesh has cheeks and a forehead too, which are no parts.
    assert (len(every) == POINTS[scheme]) == (scheme != "mediapipe478")


def test_common_landmarks_of_the_mesh_are_vertices_or_midway_between_two() -> None:
    points = np.random.default_rng(0).normal(size=(2, 478, 2)).astype(np.float32)
    common = to_common(points, "mediapipe478")
    assert common.shape == (2, 68, 2)
    assert common.dtype == np.float32
    assert np.array_equal(common[:, 8], points[:, 152])
    assert np.array_equal(common[:, 30], points[:, 4])
    assert np.allclose(common[:, 29], (points[:, 5] + points[:, 195]) / 2)
    assert np.allclose(common[:, 44], (points[:, 386] + points[:, 387]) / 2)


def test_common_landmarks_of_the_mesh_are_of_the_same_part() -> None:
    for scheme_part, indices in part_indices("ibug68").items():
        of_mesh = {vertex for index in indices for vertex in common_pairs("mediapipe478")[index]}
        # A few lie beside a contour: inside the lips, the wing of the nose and the philtrum.
        assert len(of_mesh & set(part_indices("mediapipe478")[scheme_part])) >= 0.6 * len(of_mesh)
        for other in PARTS:
            assert other == scheme_part or not of_mesh & set(part_indices("mediapipe478")[other])


def test_the_mirror_of_the_common_landmarks_is_that_of_the_mesh() -> None:
    points = np.random.default_rng(0).normal(size=(478, 2))
    mirrored = points[list(MIRRORED)]
    common = to_common(points, "mediapipe478")[list(mirror_indices())]
    assert np.allclose(to_common(mirrored, "mediapipe478"), common)


def test_parts_of_the_106_points_are_those_of_their_names() -> None:
    names, words = names_of_106(), {"brow": "eyebrow", "jaw": "contour", "outer_lips": "mouth", "inner_lips": "mouth"}
    assert len(names) == 106
    for part, indices in part_indices("insightface106").items():
        word = words.get(part, part).replace("_brow", "_eyebrow")
        assert all(names[i].startswith(word) for i in indices), part


def test_the_106_points_come_in_the_order_of_the_68() -> None:
    names = [names_of_106()[i] for i in common_indices("insightface106")]
    assert [names[0], names[8], names[16]] == ["contour_left1", "contour_chin", "contour_right1"]
    assert names[1:4] == ["contour_left3", "contour_left5", "contour_left7"]
    assert [names[17], names[19], names[26]] == [
        "left_eyebrow_left_corner",
        "left_eyebrow_upper_middle",
        "right_eyebrow_right_corner",
    ]
    assert [names[30], names[33]] == ["nose_tip", "nose_middle_contour"]
    assert names[36:42] == [
        f"left_eye_{spot}"
        for spot in (
            "left_corner",
            "upper_left_quarter",
            "upper_right_quarter",
            "right_corner",
            "lower_right_quarter",
            "lower_left_quarter",
        )
    ]
    assert [names[48], names[51], names[54], names[57]] == [
        f"mouth_{spot}" for spot in ("left_corner", "upper_lip_top", "right_corner", "lower_lip_bottom")
    ]
    assert [names[62], names[66]] == ["mouth_upper_lip_bottom", "mouth_lower_lip_top"]
    swapped = {"left": "right", "right": "left"}
    for here, there in enumerate(mirror_indices()):
        mirrored = "_".join(swapped.get(word, word) for word in names[here].split("_"))
        mirrored = mirrored.replace("contour_left", "contour_X").replace("contour_right", "contour_left")
        mirrored = mirrored.replace("contour_X", "contour_right")
        assert names[there] == mirrored


def test_five_points_are_the_same_for_both_schemes() -> None:
    points_106 = np.full((106, 2), np.nan)
    points_106[list(common_indices("insightface106"))] = REFERENCE
    assert np.array_equal(to_common(points_106, "insightface106"), REFERENCE)
    five = five_points(points_106, "insightface106")
    assert np.array_equal(five, five_points(REFERENCE, "ibug68"))
    left_eye, right_eye, nose, left_mouth, right_mouth = five
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < nose[0] < right_mouth[0]
    assert left_eye[1] < nose[1] < left_mouth[1]


def test_batches_keep_their_leading_axes() -> None:
    batch = np.stack([REFERENCE, REFERENCE + 1])
    assert five_points(batch, "ibug68").shape == (2, 5, 2)
    assert np.array_equal(five_points(batch, "ibug68")[1], five_points(REFERENCE + 1, "ibug68"))


def test_mirroring_twice_changes_nothing() -> None:
    assert [mirror_indices()[i] for i in mirror_indices()] == list(range(68))
    assert all(MIRROR[MIRROR[part]] == part for part in PARTS)
    for part, other in MIRROR.items():
        indices = part_indices("ibug68")
        assert {mirror_indices()[i] for i in indices[part]} == set(indices[other])


def test_openings_are_ratios_worked_out_by_hand() -> None:
    face = REFERENCE.copy()
    face[36:42] = [[0, 0], [1, -1], [2, -1], [3, 0], [2, 1], [1, 1]]  # 3 wide, 2 high
    face[42:48] = [[10, 0], [11, 0], [12, 0], [13, 0], [12, 0], [11, 0]]  # shut
    face[[61, 62, 63]], face[[67, 66, 65]] = [[5, 20]], [[5, 23.25]]
    assert eye_opening(face, "ibug68") == pytest.approx((2 / 3, 0))
    assert interocular_px(face, "ibug68") == pytest.approx(13)
    assert mouth_opening(face, "ibug68") == pytest.approx(0.25)


@pytest.mark.parametrize("turned", [0.0, 0.5, 3.0])
def test_the_lids_of_the_mesh_are_measured_across_the_eye(turned: float) -> None:
    points = np.zeros((478, 2))
    for corners, first in (((33, 133), 0.0), ((362, 263), 10.0)):
        points[list(corners)] = [[first, 0], [first + 4, 0]]
    for place, (upper, lower) in enumerate(((160, 144), (159, 145), (158, 153))):
        # Beside each other by 0.5, and 1 apart in height; the other eye is shut.
        points[upper], points[lower] = [1 + place, -0.5], [1.5 + place, 0.5]
    for place, (upper, lower) in enumerate(((385, 380), (386, 374), (387, 373))):
        points[upper], points[lower] = [11 + place, 0.1], [11.5 + place, 0.1]
    rotation = np.array([[np.cos(turned), -np.sin(turned)], [np.sin(turned), np.cos(turned)]])
    assert eye_opening(points @ rotation.T, "mediapipe478") == pytest.approx((0.25, 0))
    points[[385, 386, 387], 1] = 0.5  # lids that overlap are shut too
    assert eye_opening(points @ rotation.T, "mediapipe478") == pytest.approx((0.25, 0))
