from __future__ import annotations

import numpy as np
import pytest

from mien.model.detection.face_boxes import Boxes
from mien.model.detection.face_views import Attempt, View, boxes_each
from mien.model.graphs.mediapipe_files import FULL_RANGE, SHORT_RANGE
from tests.sample_faces import orl_photos

WHOLE = Attempt("whole", SHORT_RANGE, border=0.1)
TILES = Attempt("tiles", SHORT_RANGE, face_px=40, max_tiles=6)


def blank(width: int, height: int) -> np.ndarray:
    return np.zeros((height, width, 3), np.uint8)


@pytest.mark.parametrize("size", [(640, 480), (92, 112), (4000, 3000), (1, 500)])
def test_the_whole_picture_is_in_the_middle_of_one_view_with_room_around(size: tuple[int, int]) -> None:
    (view,) = WHOLE.views(blank(*size))
    centre = np.array(size) / 2 * view.scale + view.shift
    assert centre.tolist() == pytest.approx([64, 64])
    assert max(size) * view.scale == pytest.approx(128 * 0.8)


@pytest.mark.parametrize("size", [(400, 300), (640, 480), (800, 472), (1200, 900), (4000, 500), (3000, 4000)])
def test_tiles_cover_the_picture_and_overlap(size: tuple[int, int]) -> None:
    views = TILES.views(blank(*size))
    scales = {view.scale for view in views}
    assert len(scales) == 1
    for axis, side in enumerate(size):
        begins = np.unique([-view.shift[axis] for view in views])
        assert begins[0] <= 1e-6
        assert begins[-1] + 128 >= side * views[0].scale - 1e-6
        assert (np.diff(begins) <= 128 * 0.75 + 1e-6).all()
        assert len(begins) <= 6


def test_faces_of_40_px_are_large_enough_in_tiles_until_these_are_too_many() -> None:
    for side in (500, 700, 900, 1200):
        assert 40 * TILES.views(blank(side, side))[0].scale >= 17
    assert len(TILES.views(blank(8000, 8000))) == 36


def test_what_is_larger_than_a_tile_shows_whole_is_left_to_another_view() -> None:
    view = View(SHORT_RANGE, 0.5, (-10.0, 0.0), largest_px=60.0)
    edges = np.array([[0.0, 0, 50, 50], [0, 0, 20, 70]])
    kept = view.in_picture(Boxes(edges, np.zeros((2, 6, 2)), np.ones(2)))
    assert kept.edges.tolist() == [[20, 0, 120, 100]]
    assert kept.points[0, 0].tolist() == [20, 0]


def test_pixels_of_a_view_are_those_of_its_part_of_the_picture() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (300, 300, 3)).astype(np.uint8)
    seen = View(SHORT_RANGE, 1.0, (-30.0, -20.0)).pixels(photo)
    assert np.array_equal(seen, photo[20:148, 30:158])


@pytest.mark.parametrize("network", [SHORT_RANGE, FULL_RANGE])
def test_a_face_is_found_where_it_is_whichever_pictures_are_together(network) -> None:
    photos = orl_photos(5)
    views = [Attempt("whole", network, border=0.1).views(photo) for photo in photos]
    together = boxes_each(photos, views, "cpu")
    for photo, each, boxes in zip(photos, views, together, strict=True):
        (alone,) = boxes_each([photo], [each], "cpu")
        assert all(np.array_equal(one, other) for one, other in zip(alone, boxes, strict=True))
        left, top, right, bottom = boxes.edges[0]
        assert -10 < left < 46 < right < 102
        assert -10 < top < 56 < bottom < 122
        eyes, mouth = boxes.points[0, :2], boxes.points[0, 3]
        assert eyes[0, 0] < mouth[0] < eyes[1, 0]
        assert (eyes[:, 1] < mouth[1]).all()
