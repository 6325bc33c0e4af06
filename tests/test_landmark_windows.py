"""Landmarks from several windows, with a predictor that is off in known ways."""

from __future__ import annotations

import numpy as np
import pytest

from model.alignment import apply_transform
from model.dlib_faces import DlibDetector
from model.faces import load_detector
from model.landmark_windows import BOX_PX, WINDOW_PX, landmarks_in_windows, window_of_box, window_of_points
from model.landmarks import interocular_px
from model.reference import reference_shape
from tests.sample_faces import orl_photos


def test_a_box_is_framed_in_the_middle_of_its_window() -> None:
    corners = apply_transform(window_of_box((10.0, 20.0, 110.0, 120.0)), np.array([[10.0, 20.0], [110.0, 120.0]]))
    margin = (WINDOW_PX - BOX_PX) / 2
    assert np.allclose(corners, [[margin, margin], [WINDOW_PX - margin, WINDOW_PX - margin]])


def test_points_come_back_to_where_they_are_in_the_picture() -> None:
    in_box = reference_shape() * 0.416 + (0.5, 0.317)  # where each round puts a face, so that none moves the window
    photo, points = orl_photos(40)[0], in_box * 60 + 20
    window = window_of_points(points, in_box)
    seen = apply_transform(window, points)

    # Sees the points 4 pixels too far right in each window, mirrored or not: too far left in the picture where it is
    # mirrored, as the reference face is symmetric. What is wrong cancels out and shows as scatter.
    found = landmarks_in_windows(photo, window, lambda pixels, box: np.add(seen, (4.0, 0.0)))
    assert np.abs(found.points_xy - points).mean() < 0.02 * interocular_px(points, "ibug68")
    assert found.scatter == pytest.approx(4 / interocular_px(seen, "ibug68"), rel=0.01)


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
