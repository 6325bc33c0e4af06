"""Retargeting of landmarks alone: how much of the driver's face shape remains, how much of its expression arrives.

python -m benchmarks.retargeting --root ROOT --set SET [--pairs 2000] [--picture FILE.png]

Half of the people fit the shape model and the classifier, the other half are measured, as source and driver of pairs
of two people. The classifier is linear discriminant analysis on frontal shapes: the distance to a person's mean shape,
whitened by how the photos of one person differ. "like the driver" is the share of asked shapes that are nearer to the
driver's mean than to the source's; for real photos of the source it is the classifier's own error. The next three
columns say how much arrives, 1 being all: the slope of what is asked of the source on what the driver shows, each
against the person's neutral from all photos. "expression" is the displacement of all landmarks from the front, mouth
opening is in inter-ocular distances, eye opening a share of the usual one. "eyes closed" is the share of drivers
with eyes at less than half of their usual opening that ask the same of the source.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from mien.model.expression.neutral import frontal_faces
from mien.model.expression.retargeting import (
    KINDS,
    Faces,
    RetargetSettings,
    neutrals_by_person,
    neutrals_of_single_photos,
    retarget,
)
from mien.model.expression.shape_model import ShapeModel
from mien.model.landmarks.crop_units import to_px
from mien.model.landmarks.schemes import eye_opening, mouth_opening
from mien.storage import Root
from mien.tasks.sets.face_columns import common_points
from mien.tasks.sets.faces import crop_size_px, face_tables, usable_faces

SHRUNK = 0.05
"""Share of the identity matrix in the covariance of the classifier."""
CONTOURS = ((0, 17), (17, 22), (22, 27), (27, 31), (31, 36), (36, 42), (42, 48), (48, 60), (60, 68))
CLOSED_CONTOURS = (36, 42, 48, 60)


@dataclass(frozen=True)
class People:
    """Landmarks of photos and whose they are."""

    points: np.ndarray
    """n × 68 × 2, in [-1, 1] over the crop."""
    identities: np.ndarray

    def of(self, chosen: np.ndarray) -> People:
        rows = np.isin(self.identities, chosen)
        return People(self.points[rows], self.identities[rows])

    def neutrals(self, model: ShapeModel | None) -> np.ndarray:
        """For each photo the neutral of its person, from all of that person's photos."""
        _, people = np.unique(self.identities, return_inverse=True)
        return neutrals_by_person(self.points, people, model)[people]


def read_people(root: Root, name: str) -> People:
    tables = face_tables(root, name)
    rows = [
        row
        for row in usable_faces(root, [tables], ["face_id", "identity", "landmarks_xy", "landmark_scheme"])
        if row["identity"]
    ]
    side_px = crop_size_px(root, tables)
    points = np.stack([common_points(row, side_px) for row in rows]).astype(np.float64)
    return People(points, np.unique([row["identity"] for row in rows], return_inverse=True)[1])


class Classifier:
    """Distances of photos to people, by shape."""

    def __init__(self, training: People, people: People) -> None:
        shapes = _flat(training.points)
        within = shapes - _means(training, shapes)[np.searchsorted(np.unique(training.identities), training.identities)]
        covariance = within.T @ within / len(within)
        covariance += SHRUNK * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
        self._whiten = np.linalg.cholesky(np.linalg.inv(covariance))
        self._means = _means(people, _flat(people.points)) @ self._whiten

    def distances(self, points: np.ndarray) -> np.ndarray:
        """Photos × people."""
        return np.linalg.norm((_flat(points) @ self._whiten)[:, None] - self._means, axis=-1)


def _flat(points: np.ndarray) -> np.ndarray:
    return frontal_faces(points).shapes.reshape(len(points), -1)


def _means(people: People, shapes: np.ndarray) -> np.ndarray:
    return np.stack([shapes[people.identities == person].mean(0) for person in np.unique(people.identities)])


def openings(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of the mouth and of the eyes (mean of both)."""
    mouth = np.array([mouth_opening(face, "ibug68") for face in points])
    return mouth, np.array([np.mean(eye_opening(face, "ibug68")) for face in points])


def slope(asked: np.ndarray, got: np.ndarray) -> float:
    return float((asked * got).sum() / (asked**2).sum())


def pairs_of_two(people: People, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    first, second = random.integers(0, len(people.points), (2, 4 * count))
    unlike = people.identities[first] != people.identities[second]
    return first[unlike][:count], second[unlike][:count]


Way = tuple[str, str, np.ndarray, np.ndarray, ShapeModel | None]
"""Names of kind and of neutral, the neutral of each photo as a source and as a driver, the model that is used."""


def ways(people: People, model: ShapeModel) -> Iterator[Way]:
    """What is compared."""
    of_all = people.neutrals(None).mean(0)
    for by, fitted in (("construction", None), ("mean of the people", None), ("shape model", model)):
        mean = of_all if by == "mean of the people" else None
        drivers = neutrals_of_single_photos(people.points, fitted, mean)
        yield "offsets", f"sources all photos, drivers this photo, {by}", people.neutrals(fitted), drivers, fitted
    for kind in KINDS:
        for fitted in (None, model):
            if (kind, fitted is None) in (("shape_model", True), ("none", False)):
                continue
            by = "construction" if fitted is None else "shape model"
            yield kind, f"all photos, {by}", people.neutrals(fitted), people.neutrals(fitted), fitted
            if kind != "none":
                single = neutrals_by_person(people.points, np.arange(len(people.points)), fitted)
                drivers = neutrals_of_single_photos(people.points, fitted)
                yield kind, f"this photo, {by}", single, drivers, fitted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", default="./data")
    parser.add_argument("--set", required=True)
    parser.add_argument("--pairs", type=int, default=2000)
    parser.add_argument("--picture", help="PNG with source, driver and retargeted contours of 12 pairs")
    asked = parser.parse_args()
    everybody = read_people(Root(asked.root), asked.set)
    names = np.random.default_rng(0).permutation(np.unique(everybody.identities))
    training, people = everybody.of(names[::2]), everybody.of(names[1::2])
    model, classifier = ShapeModel.fit(training.points, training.identities), Classifier(training, people)
    sources, drivers = pairs_of_two(people, asked.pairs)
    position = np.searchsorted(np.unique(people.identities), people.identities)
    rows = np.arange(len(sources))
    usual_mouth, usual_eyes = openings(people.neutrals(None))
    mouth, eyes = openings(people.points)
    usual = people.neutrals(None)
    moved_asked = _flat(people.points[drivers]) - _flat(usual[drivers])
    mouth_asked = (mouth - usual_mouth)[drivers]
    eyes_asked = (eyes / usual_eyes)[drivers] - 1
    shut = eyes_asked < -0.5

    real = classifier.distances(people.points[sources])
    print(f"{len(names[::2])} people fit, {len(names[1::2])} are measured with {len(sources)} pairs; ", end="")
    print(f"{shut.sum()} drivers with closed eyes")
    print("\n| points | neutral from | like the driver | expression | mouth opening | eye opening | eyes closed |")
    print("|---|---|---|---|---|---|---|")
    error = (real[rows, position[drivers]] < real[rows, position[sources]]).mean()
    print(f"| real photos of the source | | {error:.1%} | | | | |")
    pictures: dict[str, np.ndarray] = {}
    for kind, by, as_sources, as_drivers, fitted in ways(people, model):
        sides = ((sources, as_sources), (drivers, as_drivers))
        faces = [Faces(people.points[side], neutrals[side]) for side, neutrals in sides]
        points = retarget(faces[0], faces[1], RetargetSettings(kind), fitted)
        found = classifier.distances(points)
        leaked = (found[rows, position[drivers]] < found[rows, position[sources]]).mean()
        moved_kept = slope(moved_asked, _flat(points) - _flat(usual[sources]))
        mouth_got, eyes_got = openings(points)
        mouth_kept = slope(mouth_asked, mouth_got - usual_mouth[sources])
        eyes_got = eyes_got / usual_eyes[sources] - 1
        eyes_kept, closed = slope(eyes_asked, eyes_got), (eyes_got[shut] < -0.5).sum() / max(shut.sum(), 1)
        all_closed = f"{closed:.0%}" if shut.any() else ""
        kept = f"{moved_kept:.2f} | {mouth_kept:.2f} | {eyes_kept:.2f} | {all_closed}"
        print(f"| {kind} | {by if kind != 'none' else ''} | {leaked:.1%} | {kept} |")
        pictures[f"{kind}, {by}"] = points
    if asked.picture:
        columns = {"source": people.points[sources], "driver": people.points[drivers], **pictures}
        cv2.imwrite(asked.picture, drawn({name: shapes[:12] for name, shapes in columns.items() if name[:4] != "none"}))


def drawn(columns: dict[str, np.ndarray], side_px: int = 200) -> np.ndarray:
    """A row per pair, a column per kind of shape."""
    sheet = np.full((side_px * 12 + 20, side_px * len(columns), 3), 255, np.uint8)
    for column, (name, shapes) in enumerate(columns.items()):
        origin = np.array([column * side_px, 20])
        cv2.putText(
            sheet, name[:34], (column * side_px + 2, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.33, (0, 0, 0), 1, cv2.LINE_AA
        )
        for row, shape in enumerate(shapes):
            pixels = (to_px(shape, side_px) + origin + [0, row * side_px]).round().astype(np.int32)
            for first, end in CONTOURS:
                cv2.polylines(sheet, [pixels[first:end]], first in CLOSED_CONTOURS, (160, 60, 0), 1, cv2.LINE_AA)
    return sheet


if __name__ == "__main__":
    main()
