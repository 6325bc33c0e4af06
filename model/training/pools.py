"""What pairs are drawn from: the faces in memory, by person, and the expressions that may be asked of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8

from mien.model.errors import ModelError
from mien.model.evaluation.pairs import usable_people
from mien.model.expression.dense_landmarks import asked_landmarks
from mien.model.expression.retargeting import Faces, RetargetSettings, neutrals_by_person, retarget
from mien.model.expression.shape_model import ShapeModel
from mien.model.landmarks.crop_units import to_px
from mien.model.landmarks.heatmaps import render_heatmaps
from mien.model.landmarks.keypoints import KeypointInfo
from mien.model.training.face_arrays import ABSENT, FaceArrays, keypoints_on


def _shares(faces: FaceArrays, people: list[Int[np.ndarray, " _"]]) -> Float[np.ndarray, " people"]:
    """How often each person is drawn: each set as often as any other, and in it each photo.

    So thousands of frames of a few videos do not drown the photos of another set.
    """
    sizes = np.array([len(rows) for rows in people], np.float64)
    sets = np.zeros(len(people), np.int64) if faces.sets is None else faces.sets[[rows[0] for rows in people]]
    shares = sizes / np.bincount(sets, sizes)[sets]
    return shares / shares.sum()


def neutrals_of(
    points: Float[np.ndarray, "faces 68 2"], identities: Int[np.ndarray, " faces"], model: ShapeModel | None
) -> Float[np.ndarray, "faces 68 2"]:
    """The neutral of the person of each face, from all of their faces here."""
    _, person_of = np.unique(identities, return_inverse=True)
    return neutrals_by_person(points, person_of, model)[person_of]


class TargetExpressions:
    """Target keypoints with another person's expression: the driver's, retargeted; the head turns as the driver's."""

    def __init__(
        self,
        faces: FaceArrays,
        model: ShapeModel | None = None,
        neutrals: Float[np.ndarray, "faces 68 2"] | None = None,
    ) -> None:
        """With a shape model neutrals are found and heads are turned as in transfers of the generator that has it.
        `neutrals`: of the person of each face, where they were found before."""
        self._of, self._model = faces, model
        self._neutrals = neutrals_of(faces.points, faces.identities, model) if neutrals is None else neutrals

    def keypoints(
        self, source: Int[np.ndarray, " rows"], driver: Int[np.ndarray, " rows"], device: torch.device | str = "cpu"
    ) -> KeypointInfo:
        """The keypoints of the expression of each driver on the face of the source in the same row."""
        return keypoints_on(device, *self.arrays(source, driver))

    def arrays(
        self, source: Int[np.ndarray, " rows"], driver: Int[np.ndarray, " rows"]
    ) -> tuple[UInt8[np.ndarray, "rows parts side side"], Float[np.ndarray, "rows 68 2"]]:
        """Their heatmaps and common landmarks."""
        points = retarget(self._faces(source), self._faces(driver), RetargetSettings(), self._model)
        shown, expressed = (self._of.landmarks[rows].astype(np.float64) for rows in (source, driver))
        landmarks = asked_landmarks(shown, expressed, self._of.scheme, points)
        spec = self._of.spec
        return render_heatmaps(to_px(landmarks, spec.size_px), self._of.scheme, spec.size_px, spec), points

    def _faces(self, rows: Int[np.ndarray, " rows"]) -> Faces:
        return Faces(self._of.points[rows], self._neutrals[rows])


@dataclass(frozen=True)
class Pool:
    """Faces that pairs are drawn from: all of a training, or those that are in memory now."""

    faces: FaceArrays
    people: list[Int[np.ndarray, " _"]]
    """Rows of each person with several faces here."""
    share: Float[np.ndarray, " people"]
    """How often each is drawn."""
    targets: TargetExpressions

    @staticmethod
    def of(faces: FaceArrays, targets: TargetExpressions) -> Pool:
        """All faces that are there.

        Raises:
            ModelError: there are not two people with two faces each.
        """
        people = [rows for rows in usable_people(faces.identities) if faces.identities[rows[0]] != ABSENT]
        if len(people) < 2:
            raise ModelError("training compares people: it needs several photos each of at least two")
        return Pool(faces, people, _shares(faces, people), targets)

    @cached_property
    def rows_of(self) -> Mapping[int, Int[np.ndarray, " _"]]:
        """The same rows, by the number of the person."""
        return {int(self.faces.identities[rows[0]]): rows for rows in self.people}
