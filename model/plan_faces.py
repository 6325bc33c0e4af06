"""What planning knows of the faces of a set, column by column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt64

from mien.model.pair_hashes import id_hashes

FirstDrivers = Mapping[tuple[str, str], str]
"""By identity and group, the id of the driver that comes first in a plan."""


@dataclass(frozen=True)
class Labels:
    """A label for each face, as a number."""

    names: list[str]
    """Sorted, each once."""
    numbers: Int[np.ndarray, " faces"]
    """Index of each face's label in the names."""

    @staticmethod
    def of(labels: Sequence[str]) -> Labels:
        """From a label for each face."""
        names = sorted(set(labels))
        numbers = {name: number for number, name in enumerate(names)}
        return Labels(names, np.fromiter((numbers[label] for label in labels), np.int64, len(labels)))

    def take(self, rows: Int[np.ndarray, " n"]) -> Labels:
        """Those of some faces, without the names that none of them has."""
        used, numbers = np.unique(self.numbers[rows], return_inverse=True)
        return Labels([self.names[number] for number in used], numbers)

    def rows_by(self) -> list[Int[np.ndarray, " rows"]]:
        """The faces of each name, in their order."""
        if not self.names:
            return []
        order = np.argsort(self.numbers, kind="stable")
        return np.split(order, np.cumsum(np.bincount(self.numbers, minlength=len(self.names)))[:-1])


@dataclass(frozen=True)
class PlanFaces:
    """What planning knows of the faces of a set, column by column; sorted by face id, each face once.

    Arrays and numbers rather than strings of Python: there may be a million faces.
    """

    face_ids: np.ndarray
    """UTF-8 bytes."""
    identities: Labels
    """The label of each face; its image where it has none, so that each unlabelled image counts as a person."""
    groups: Labels
    """Of drivers: the expression label, or the cluster of the expression."""
    poses: Float[np.ndarray, "faces 3"]
    """Yaw, pitch and roll in degrees; NaN where they are not known, which fits any other."""
    photos: UInt64[np.ndarray, " faces"]
    """A number for the photo of each face, the same in all sets (`photo_numbers`)."""
    spare: Bool[np.ndarray, " faces"]
    """Of sources: whether it may be a further source."""

    def __len__(self) -> int:
        return len(self.face_ids)


def plan_faces(
    face_ids: np.ndarray,
    identities: Sequence[str],
    groups: Sequence[str],
    poses: Float[np.ndarray, "faces 3"],
    photos: UInt64[np.ndarray, " faces"] | None = None,
    spare: Bool[np.ndarray, " faces"] | None = None,
) -> PlanFaces:
    """From the columns of a set (face ids as UTF-8 bytes), in any order; a face that comes again is left out.

    Without `photos` each face has a photo of its own, without `spare` each may be a further source.
    """
    unique, rows = np.unique(face_ids, return_index=True)
    photos = photo_numbers(face_ids) if photos is None else photos
    spare = np.ones(len(face_ids), np.bool_) if spare is None else spare
    labels = Labels.of(identities).take(rows), Labels.of(groups).take(rows)
    return PlanFaces(unique, *labels, poses[rows], photos[rows], spare[rows])


def photo_numbers(image_ids: np.ndarray) -> UInt64[np.ndarray, " faces"]:
    """A number for each photo, from its id (UTF-8 bytes) alone. Two photos are not likely to have one."""
    return id_hashes(image_ids, seed=0)


def own_drivers(sources: PlanFaces, drivers: PlanFaces) -> dict[str, Int[np.ndarray, " k"]]:
    """Which identities of the drivers each identity of the sources is: that of its name, and those that have one of its
    faces. Two sets may hold one photo under two names."""
    numbers = {name: number for number, name in enumerate(drivers.identities.names)}
    own = {name: {numbers[name]} for name in sources.identities.names if name in numbers}
    _, source_rows, driver_rows = np.intersect1d(sources.face_ids, drivers.face_ids, return_indices=True)
    shared = np.column_stack([sources.identities.numbers[source_rows], drivers.identities.numbers[driver_rows]])
    for source, driver in np.unique(shared, axis=0).tolist():
        own.setdefault(sources.identities.names[source], set()).add(driver)
    return {name: np.array(sorted(found), np.int64) for name, found in own.items()}


def first_rows(
    firsts: FirstDrivers, number_of: Mapping[str, int], drivers: PlanFaces
) -> Int[np.ndarray, "identities groups"]:
    """The row of the driver that comes first of each group to each identity (`number_of` numbers them); -1 where it is
    not known, or gone."""
    group_of = {name: number for number, name in enumerate(drivers.groups.names)}
    rows = np.full((len(number_of), len(group_of)), -1, np.int64)
    known = [key for key in firsts if key[0] in number_of and key[1] in group_of]
    if not known or not len(drivers):
        return rows
    ids = np.array([firsts[key].encode() for key in known])
    found = np.searchsorted(drivers.face_ids, ids).clip(max=len(drivers) - 1)
    found = np.where(drivers.face_ids[found] == ids, found, -1)
    rows[[number_of[name] for name, _ in known], [group_of[group] for _, group in known]] = found
    return rows
