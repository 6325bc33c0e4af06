"""The two faces of pairs, each as its own set has it: one photo may be in both sets, under other labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mien.storage import Root
from mien.tasks.sets.faces import read_faces
from mien.tasks.transfer.settings import TransferSettings

Row = dict[str, Any]


@dataclass(frozen=True)
class PairFaces:
    """Rows of `faces` by id, apart for sources and drivers."""

    sources: Mapping[str, Row]
    drivers: Mapping[str, Row]

    def of(self, pair: Mapping[str, Any]) -> tuple[Row, Row]:
        """Source and driver of a row that names both."""
        return self.sources[pair["identity_face_id"]], self.drivers[pair["expression_face_id"]]


def read_pair_faces(
    root: Root, settings: TransferSettings, pairs: Iterable[Mapping[str, Any]], columns: Sequence[str]
) -> PairFaces:
    """The faces of rows of `pairs` or `transfers`, each with `set` and `heatmap` beside the asked columns."""
    named = list(pairs)
    sources, drivers = ({row[key] for row in named} for key in ("identity_face_id", "expression_face_id"))
    return PairFaces(
        read_faces(root, [settings.source_set], sources, columns),
        read_faces(root, [settings.driver_set], drivers, columns),
    )
