from __future__ import annotations

from mien.model.landmarks.mediapipe_points import (
    INNER_LIPS,
    JAW,
    LEFT_IRIS,
    LEFT_LIDS,
    LEFT_LOWER_LID,
    LEFT_UPPER_LID,
    MIRRORED,
    NOSE_BASE,
    OUTER_LIPS,
    REFINED_LEFT_EYE,
    REFINED_LIPS,
    RIGHT_IRIS,
    mirrored,
)


def test_mirroring_twice_changes_nothing() -> None:
    assert [MIRRORED[point] for point in MIRRORED] == list(range(478))
    assert sorted(MIRRORED) == list(range(478))


def test_known_pairs_of_vertices_change_places() -> None:
    known = {33: 263, 133: 362, 159: 386, 145: 374, 61: 291, 78: 308, 70: 300, 107: 336, 234: 454, 148: 377, 98: 327}
    assert mirrored(tuple(known)) == tuple(known.values())
    assert mirrored((10, 152, 4, 13, 14)) == (10, 152, 4, 13, 14)
    assert mirrored(LEFT_IRIS) == (473, 476, 475, 474, 477)
    assert set(mirrored(LEFT_IRIS)) == set(RIGHT_IRIS)


def test_lines_through_the_middle_are_their_own_mirror_images() -> None:
    for line in (JAW, NOSE_BASE):
        assert mirrored(line) == line[::-1]
    for loop in (OUTER_LIPS, INNER_LIPS):
        assert set(mirrored(loop)) == set(loop)
        assert len(set(loop)) == len(loop) == 20
    assert JAW[len(JAW) // 2] == 152
    assert OUTER_LIPS == (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)


def test_the_lids_are_one_loop_of_both_edges() -> None:
    assert set(LEFT_LIDS) == {*LEFT_UPPER_LID, *LEFT_LOWER_LID}
    assert len(LEFT_LIDS) == 16
    assert (LEFT_LIDS[0], LEFT_LIDS[8]) == (33, 133)


def test_the_closer_looks_have_each_point_once() -> None:
    for points, count in ((REFINED_LIPS, 80), (REFINED_LEFT_EYE, 71)):
        assert len(points) == len(set(points)) == count
    assert {*OUTER_LIPS, *INNER_LIPS} <= set(REFINED_LIPS)
    assert {*LEFT_LIDS} <= set(REFINED_LEFT_EYE)
    assert set(mirrored(REFINED_LIPS)) == set(REFINED_LIPS)
    assert not set(mirrored(REFINED_LEFT_EYE)) & set(REFINED_LEFT_EYE)
