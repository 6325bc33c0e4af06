from __future__ import annotations

import cv2
import numpy as np
import pytest

from mien.model.detection.face_mesh import MIN_PRESENCE, MeshFace, mesh_each, window_of_box, window_of_points
from mien.model.landmarks.alignment import apply_transform
from mien.model.landmarks.contours import contours, irises
from mien.model.landmarks.mediapipe_points import MIRRORED
from mien.model.landmarks.schemes import eye_opening, interocular_px, mouth_opening, to_common
from tests.sample_faces import orl_photos

LEFT, RIGHT = np.array([32.0, 45.0]), np.array([60.0, 45.0])
WINDOW = window_of_box(np.array([8.0, 25, 84, 108]), LEFT, RIGHT)
"""About where all ORL faces are."""


@pytest.fixture(scope="module")
def faces() -> list[MeshFace]:
    photos = orl_photos(6)
    found = [face for face in mesh_each(photos, [WINDOW] * len(photos), "cpu") if face is not None]
    assert len(found) == len(photos)
    return found


def test_a_window_frames_a_box_with_the_eyes_level() -> None:
    window = window_of_box(np.array([0.0, 0, 80, 80]), np.array([20.0, 20.0]), np.array([20.0, 60.0]))
    eyes = apply_transform(window, np.array([[20.0, 20.0], [20.0, 60.0]]))
    assert eyes[0, 1] == pytest.approx(eyes[1, 1])
    assert eyes[0, 0] < eyes[1, 0]
    assert apply_transform(window, np.array([[40.0, 40.0]]))[0].tolist() == pytest.approx([96, 96])
    assert np.sqrt(np.linalg.det(window[:, :2])) == pytest.approx(192 / (1.5 * 80))


@pytest.mark.parametrize("turned", [0.0, 0.7, 2.5])
def test_a_window_of_points_turns_with_them(turned: float) -> None:
    points = np.array([[0.0, 0], [40, 0], [0, 60], [40, 60]])
    rotation = np.array([[np.cos(turned), -np.sin(turned)], [np.sin(turned), np.cos(turned)]])
    window = window_of_points(points @ rotation.T, rotation @ np.array([1.0, 0.0]))
    seen = apply_transform(window, points @ rotation.T)
    assert seen.mean(0) == pytest.approx([96, 96])
    assert seen[1] - seen[0] == pytest.approx([40 * 192 / 90, 0])


def test_points_are_where_a_face_has_them(faces: list[MeshFace]) -> None:
    for face in faces:
        assert face.presence > 0.9
        assert 0 < face.scatter < 0.06
        common = to_common(face.points_xy, "mediapipe478")
        assert 0 < common[:, 0].min() < common[:, 0].max() < 92
        eyes, nose, mouth, chin = common[36:48].mean(0), common[30], common[48:].mean(0), common[8]
        assert eyes[1] < nose[1] < mouth[1] < chin[1]
        for part, iris in irises("mediapipe478").items():
            (lids,) = contours("mediapipe478")[part]
            lid_points = face.points_xy[list(lids.indices)]
            assert (lid_points.min(0) <= face.points_xy[iris.centre] + 1).all()
            assert (face.points_xy[iris.centre] <= lid_points.max(0) + 1).all()


def test_the_nose_is_nearer_than_the_eyes_and_these_than_the_ears(faces: list[MeshFace]) -> None:
    large = [cv2.resize(photo, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC) for photo in orl_photos(6)]
    window = window_of_box(np.array([24.0, 75, 252, 324]), 3 * LEFT, 3 * RIGHT)
    for face, same in zip(faces, mesh_each(large, [window] * len(large), "cpu"), strict=True):
        assert same is not None
        eyes = interocular_px(face.points_xy, "mediapipe478")
        nose, corners, ears = (face.depths[list(part)].mean() for part in ((4,), (33, 263), (127, 356)))
        # A nose is about as long as half the distance of the outer eye corners.
        assert 0.3 * eyes < corners - nose < 0.7 * eyes
        assert 0.3 * eyes < ears - corners < 0.8 * eyes
        # In pixels of the picture: three times as many where it is three times as large.
        assert np.abs(same.depths / 3 - face.depths).mean() < 0.03 * eyes


def test_the_mirrored_picture_has_the_mirrored_points(faces: list[MeshFace]) -> None:
    photos = [np.ascontiguousarray(photo[:, ::-1]) for photo in orl_photos(6)]
    windows = [window_of_box(np.array([8.0, 25, 84, 108]), LEFT, RIGHT)] * len(photos)
    for face, twin in zip(faces, mesh_each(photos, windows, "cpu"), strict=True):
        assert twin is not None
        unmirrored = twin.points_xy[list(MIRRORED)] * [-1, 1] + [92, 0]
        eyes = interocular_px(face.points_xy, "mediapipe478")
        assert np.linalg.norm(unmirrored - face.points_xy, axis=1).mean() < 0.02 * eyes
        assert np.abs(twin.depths[list(MIRRORED[:468])] - face.depths).mean() < 0.02 * eyes


def test_a_face_has_the_same_bits_whichever_others_are_with_it(faces: list[MeshFace]) -> None:
    photos = orl_photos(6)
    for index in (0, 4):
        (alone,) = mesh_each([photos[index]], [WINDOW], "cpu")
        assert alone is not None
        assert np.array_equal(alone.points_xy, faces[index].points_xy)
        assert np.array_equal(alone.depths, faces[index].depths)
        assert alone[1:3] == faces[index][1:3]


def test_where_there_is_no_face_there_is_none() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (112, 92, 3)).astype(np.uint8)
    photo = orl_photos(1)[0]
    seen = mesh_each([noise, photo, np.full_like(noise, 128)], [WINDOW] * 3, "cpu")
    assert [face is not None for face in seen] == [False, True, False]
    assert MIN_PRESENCE == 0.5
    assert mesh_each([], [], "cpu") == []


def test_the_first_window_matters_little(faces: list[MeshFace]) -> None:
    shifted = window_of_box(np.array([4.0, 24, 88, 108]), LEFT, RIGHT + np.array([0.0, 3.0]))
    for face, other in zip(faces, mesh_each(orl_photos(6), [shifted] * 6, "cpu"), strict=True):
        assert other is not None
        eyes = interocular_px(face.points_xy, "mediapipe478")
        assert np.linalg.norm(other.points_xy - face.points_xy, axis=1).mean() < 0.03 * eyes
        assert eye_opening(other.points_xy, "mediapipe478") == pytest.approx(
            eye_opening(face.points_xy, "mediapipe478"), abs=0.12
        )
        assert mouth_opening(other.points_xy, "mediapipe478") == pytest.approx(
            mouth_opening(face.points_xy, "mediapipe478"), abs=0.04
        )
