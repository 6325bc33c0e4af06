from __future__ import annotations

import numpy as np
import pytest

from mien.model.landmarks.contours import contours, irises
from mien.model.landmarks.reference import AlignmentSettings, reference_landmarks
from mien.model.landmarks.schemes import MIRROR, PARTS, POINTS, LandmarkScheme, mirror_indices, part_indices


@pytest.mark.parametrize("scheme", POINTS)
def test_lines_run_through_landmarks_of_their_part(scheme: LandmarkScheme) -> None:
    assert tuple(contours(scheme)) == PARTS
    for part, lines in contours(scheme).items():
        indices = [index for line in lines for index in line.indices]
        assert len(set(indices)) == len(indices)
        assert set(indices) <= set(part_indices(scheme)[part])


@pytest.mark.parametrize("scheme", POINTS)
def test_eyes_and_lips_are_closed_and_the_jaw_is_open(scheme: LandmarkScheme) -> None:
    for part in ("left_eye", "right_eye", "outer_lips", "inner_lips"):
        (line,) = contours(scheme)[part]
        assert line.closed
    assert not any(line.closed for part in ("jaw", "nose") for line in contours(scheme)[part])


def test_lines_do_not_jump() -> None:
    points = reference_landmarks(AlignmentSettings(size_px=256))
    eyes = np.linalg.norm(points[36] - points[45])
    for lines in contours("ibug68").values():
        for line in lines:
            steps = np.linalg.norm(np.diff(points[list(line.indices)], axis=0), axis=1)
            assert steps.max() < eyes / 3


def test_lines_of_a_part_become_those_of_its_mirror() -> None:
    mirrored = mirror_indices()
    for part, lines in contours("ibug68").items():
        images = {frozenset(mirrored[index] for index in line.indices) for line in lines}
        assert images == {frozenset(line.indices) for line in contours("ibug68")[MIRROR[part]]}


def test_only_the_mesh_has_irises() -> None:
    assert irises("ibug68") == irises("insightface106") == {}
    left, right = irises("mediapipe478").values()
    assert (left.centre, right.centre) == (468, 473)
    assert {left.centre, *left.rim} <= set(part_indices("mediapipe478")["left_eye"])
    assert {right.centre, *right.rim} <= set(part_indices("mediapipe478")["right_eye"])
