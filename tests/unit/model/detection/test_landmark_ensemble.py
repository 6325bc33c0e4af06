"""Landmarks from several windows, with a predictor that is off in known ways."""

from __future__ import annotations

import numpy as np
import pytest

from mien.model.detection.dlib_detector import DlibDetector
from mien.model.detection.landmark_ensemble import BOX_PX, WINDOW_PX, landmarks_in_windows, window_of_box
from mien.model.detection.load import load_detector
from mien.model.landmarks.alignment import apply_transform
from mien.model.landmarks.reference import reference_shape
from mien.model.landmarks.schemes import interocular_px, mirror_indices
from tests.sample_faces import orl_photos


def test_a_box_is_framed_in_the_middle_of_its_window() -> None:
    corners = apply_transform(window_of_box((10.0, 20.0, 110.0, 120.0)), np.array([[10.0, 20.0], [110.0, 120.0]]))
    margin = (WINDOW_PX - BOX_PX) / 2
    assert np.allclose(corners, [[margin, margin], [WINDOW_PX - margin, WINDOW_PX - margin]])


SIDE_PX = 160
POINTS = reference_shape() * 40 + (80.0, 65.0)
_BLOBS = np.array([[60.0, 50.0], [100.0, 55.0], [75.0, 105.0]])


def _picture() -> np.ndarray:
    """A red, a green and a blue blob, by which a predictor can tell how a window shows the picture."""
    across, down = np.meshgrid(np.arange(SIDE_PX) + 0.5, np.arange(SIDE_PX) + 0.5)
    blobs = [np.exp(-((across - x) ** 2 + (down - y) ** 2) / (2 * 3.0**2)) for x, y in _BLOBS]
    return np.rint(255 * np.stack(blobs, axis=-1)).astype(np.uint8)


def _seen(window: np.ndarray) -> np.ndarray:
    """The 68 points of the picture's face in a window."""
    across, down = np.meshgrid(np.arange(window.shape[1]) + 0.5, np.arange(window.shape[0]) + 0.5)
    weights = [window[..., blob].astype(np.float64) for blob in range(3)]
    blobs = np.array([[(w * across).sum(), (w * down).sum()] for w in weights]) / [[w.sum()] for w in weights]
    matrix = np.linalg.solve(np.column_stack([_BLOBS, np.ones(3)]), blobs)
    points = np.column_stack([POINTS, np.ones(68)]) @ matrix
    return points[list(mirror_indices())] if np.linalg.det(matrix[:2]) < 0 else points


FIRST = window_of_box((30.0, 20.0, 130.0, 120.0))


def test_points_come_back_to_where_they_are_in_the_picture() -> None:
    found = landmarks_in_windows(_picture(), FIRST, lambda window, box: _seen(window))
    assert np.abs(found.points_xy - POINTS).mean() < 0.005 * interocular_px(POINTS, "ibug68")
    assert found.scatter < 0.005


def test_a_frame_that_takes_the_neck_for_the_jaw_is_outvoted() -> None:
    looks: list[np.ndarray] = []

    def predict(window: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
        points = _seen(window)
        looks.append(points)
        if len(looks) in (3, 4):  # after both looks of the first round, those at the largest box
            points[:17] += (0.0, 60.0)
        return points

    found = landmarks_in_windows(_picture(), FIRST, predict)
    assert np.abs(found.points_xy - POINTS).mean() < 0.005 * interocular_px(POINTS, "ibug68")
    assert found.scatter > 0.02


def test_what_is_off_to_one_side_shows_as_scatter() -> None:
    # 4 pixels too far right in each window: too far left in the picture where the window is mirrored.
    found = landmarks_in_windows(_picture(), FIRST, lambda window, box: np.add(_seen(window), (4.0, 0.0)))
    eyes_px = interocular_px(reference_shape(), "ibug68") * 0.416 * BOX_PX
    assert np.abs(found.points_xy - POINTS).mean() < 0.01 * interocular_px(POINTS, "ibug68")
    assert found.scatter == pytest.approx(4 / eyes_px, rel=0.15)


@pytest.mark.parametrize("off", [(0.0, 0.12), (0.1, 0.0), (-0.08, -0.1)])
def test_a_box_that_is_off_gives_the_same_landmarks(off: tuple[float, float]) -> None:
    detector = load_detector("dlib")
    assert isinstance(detector, DlibDetector)
    for photo in orl_photos(40)[:4]:
        (face,) = detector.find(photo)
        left, top, right, bottom = face.bbox_xyxy
        across, down = off[0] * (right - left), off[1] * (bottom - top)
        moved, scatter = detector.landmarks_in(
            photo, window_of_box((left + across, top + down, right + across, bottom + down))
        )
        apart = np.linalg.norm(moved - face.landmarks_xy, axis=1).mean()
        assert apart < 0.03 * interocular_px(face.landmarks_xy, "ibug68")
        assert 0 < scatter < 0.05


def test_mirrored_photos_have_mirrored_landmarks() -> None:
    detector, photo = load_detector("dlib"), orl_photos(40)[3]
    (face,), (mirrored,) = detector.find(photo), detector.find(np.ascontiguousarray(photo[:, ::-1]))
    back = mirrored.landmarks_xy[:, 0].min() - (photo.shape[1] - face.landmarks_xy[:, 0].max())
    assert abs(back) < 0.04 * interocular_px(face.landmarks_xy, "ibug68")
