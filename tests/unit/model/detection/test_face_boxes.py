from __future__ import annotations

import numpy as np
import pytest

from mien.model.detection.face_boxes import Boxes, anchors, decoded, joined, merged, overlap, shared_part


def boxes(*edges: tuple[float, float, float, float], scores: tuple[float, ...] | None = None) -> Boxes:
    points = np.array([[edge[:2]] * 6 for edge in edges], np.float64).reshape(-1, 6, 2)
    return Boxes(np.array(edges, np.float64).reshape(-1, 4), points, np.array(scores or [0.9] * len(edges)))


def test_anchors_are_centres_of_cells_row_by_row() -> None:
    full = anchors(192, 2304)
    assert full.shape == (2304, 2)
    assert full[[0, 1, 48, -1]].tolist() == [[2, 2], [6, 2], [2, 6], [190, 190]]
    short = anchors(128, 896)
    assert short.shape == (896, 2)
    assert short[[0, 1, 2, 511]].tolist() == [[4, 4], [4, 4], [12, 4], [124, 124]]
    assert short[[512, 517, 518, -1]].tolist() == [[8, 8], [8, 8], [24, 8], [120, 120]]


def test_boxes_and_points_are_offsets_from_the_anchor() -> None:
    raw, logits = np.zeros((896, 16), np.float32), np.full((896, 1), -200, np.float32)
    raw[2] = [1, 2, 20, 30, *range(12)]
    logits[2] = 0.0
    found = decoded(raw, logits, 128, min_score=0.5)
    assert found.scores.tolist() == [0.5]
    assert found.edges.tolist() == [[12 + 1 - 10, 4 + 2 - 15, 12 + 1 + 10, 4 + 2 + 15]]
    assert found.points[0].tolist() == [[12 + 2 * k, 4 + 2 * k + 1] for k in range(6)]
    assert not len(decoded(raw, logits, 128, min_score=0.51).scores)


def test_boxes_of_one_face_are_averaged_by_their_scores() -> None:
    of_two = boxes((0, 0, 10, 10), (100, 0, 110, 10), (1, 0, 11, 10), scores=(0.3, 0.5, 0.9))
    best, other = merged(of_two).edges.tolist()
    assert best == pytest.approx([0.75, 0, 10.75, 10])
    assert other == [100, 0, 110, 10]
    assert merged(of_two).scores.tolist() == [0.9, 0.5]
    assert merged(of_two).points[0, 0].tolist() == pytest.approx([0.75, 0])


def test_boxes_that_hardly_overlap_stay_two() -> None:
    assert len(merged(boxes((0, 0, 10, 10), (6, 0, 16, 10))).scores) == 2
    assert not len(merged(joined([])).scores)
    assert len(merged(boxes((5, 5, 5, 5), (5, 5, 5, 5))).scores) == 2


def test_overlap_and_shared_part_worked_out_by_hand() -> None:
    others = np.array([[0.0, 0, 10, 10], [5, 0, 15, 10], [2, 2, 4, 4], [20, 20, 30, 30]])
    assert overlap(others[0], others).tolist() == pytest.approx([1, 50 / 150, 4 / 100, 0])
    assert shared_part(others[0], others).tolist() == pytest.approx([1, 0.5, 1, 0])
    assert shared_part(others[0], others[:0]).shape == (0,)


def test_moved_boxes_take_their_points_along() -> None:
    moved = boxes((2, 4, 6, 8)).moved(0.5, np.array([10.0, 20.0]))
    assert moved.edges.tolist() == [[11, 22, 13, 24]]
    assert moved.points[0, 0].tolist() == [11, 22]
    assert not len(moved.chosen(np.array([False])).scores)
