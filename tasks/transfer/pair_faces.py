"""The faces of pairs, each as its own set has it: one photo may be in both sets, under other labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from mien.storage import Root
from mien.storage.rows import FaceRow, PairRow, TransferRow
from mien.tasks.sets.face_rows import FaceWithHeatmap
from mien.tasks.sets.faces import read_faces
from mien.tasks.transfer.settings import TransferSettings

F = TypeVar("F", bound=FaceRow)


@dataclass(frozen=True)
class PairFaces(Generic[F]):
    """Rows of `faces` by id, apart for sources and drivers."""

    sources: Mapping[str, F]
    drivers: Mapping[str, F]

    def of(self, pair: PairRow | TransferRow) -> tuple[F, F]:
        """Source and driver of a row that names both."""
        return self.sources[pair["identity_face_id"]], self.drivers[pair["expression_face_id"]]

    def further(self, pair: PairRow | TransferRow) -> list[F]:
        """The sources of a row besides the first."""
        return [self.sources[face_id] for face_id in further_ids(pair)]

    def known_sources(self, pair: PairRow | TransferRow) -> list[F | None]:
        """All sources of a row, the first one first; None for what is no face: a list may name such a photo."""
        return [self.sources.get(face_id) for face_id in (pair["identity_face_id"], *further_ids(pair))]


def further_ids(pair: PairRow | TransferRow) -> list[str]:
    """The faces besides the first source that a row is made from; rows of earlier versions have none."""
    return pair.get("further_source_ids") or []


def read_pair_faces(
    root: Root, settings: TransferSettings, pairs: Iterable[PairRow | TransferRow], columns: Sequence[str]
) -> PairFaces[FaceWithHeatmap]:
    """The faces that rows of `pairs` or `transfers` name, each with `set` and `heatmap` beside the asked columns."""
    named = list(pairs)
    sources = {face_id for row in named for face_id in (row["identity_face_id"], *further_ids(row))}
    return PairFaces(
        read_faces(root, [settings.source_set], sources, columns),
        read_faces(root, [settings.driver_set], {row["expression_face_id"] for row in named}, columns),
    )
