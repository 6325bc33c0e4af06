"""`mien.open`: the tables of a set for a program: as Arrow, as pandas, and as a data set of torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from mien.storage import NamedSet, Root, StorageError, TableName, open_table, read_set

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow.dataset as ds

    from mien.flows.python.torch_faces import TorchFaces

PICTURES: dict[TableName, tuple[str, str]] = {"faces": ("face_id", "crop"), "transfers": ("output_id", "image")}
"""Columns with the id and the picture of each table that has pictures."""


@dataclass(frozen=True)
class Faces:
    """A table of faces: found in photos, or generated."""

    root: Root
    table: TableName
    fingerprint: str

    @property
    def arrow(self) -> ds.Dataset:
        """The rows as an Arrow dataset; nothing is read before they are asked for. docs/tables.md has the columns."""
        return open_table(self.root, self.table, self.fingerprint)

    def to_pandas(self, columns: Sequence[str] | None = None, status: str | None = None) -> pd.DataFrame:
        """The rows as a DataFrame.

        Args:
            columns: Of the table; all if None, pictures included.
            status: Rows of this status alone, such as ok.
        """
        chosen = None if columns is None else list(columns)
        only = None if status is None else pc.field("status") == status
        return self.arrow.to_table(columns=chosen, filter=only).to_pandas()

    def to_torch(self, transform: Callable[[Any], Any] | None = None) -> TorchFaces:
        """The usable faces as a data set of torch, for `torch.utils.data.DataLoader`.

        An item has `id`, `image` (uint8, 3 × side × side), `identity`, `expression` and `split`; a text is empty where
        nothing is known. The encoded pictures are held in memory, and decoded as they are asked for.

        Args:
            transform: Applied to each image.
        """
        from mien.flows.python.torch_faces import TorchFaces

        key, picture = PICTURES[self.table]
        rows = self.arrow.to_table(
            columns=[key, picture, *TorchFaces.LABELS],
            filter=(pc.field("status") == "ok") & pc.field(picture).is_valid(),
        )
        return TorchFaces(rows, key, picture, transform)

    def __len__(self) -> int:
        return self.arrow.count_rows()


@dataclass(frozen=True)
class OpenedSet:
    """A set as it was when it was opened: later versions of it do not change what is read here."""

    root: Root
    version: NamedSet

    @property
    def name(self) -> str:
        return self.version.name

    @property
    def faces(self) -> Faces:
        """The faces that were found in the photos of a prepared set.

        Raises:
            StorageError: the set has none.
        """
        return self._table("faces")

    @property
    def transfers(self) -> Faces:
        """The generated faces, with their measures.

        Raises:
            StorageError: the set has none.
        """
        return self._table("transfers")

    def _table(self, table: TableName) -> Faces:
        if table not in self.version.tables:
            has = ", ".join(self.version.tables)
            raise StorageError(f"the set {self.name!r} in {self.root.url} has no {table}; it has {has}")
        return Faces(self.root, table, self.version.tables[table])


def open_set(root: str, set: str) -> OpenedSet:
    """Opens a set for reading.

    Args:
        root: A folder or any fsspec URL such as s3://bucket/prefix.
        set: Name of the set.

    Raises:
        StorageError: there is no such set, or the root cannot be read.
    """
    opened_root = Root(root)
    return OpenedSet(opened_root, read_set(opened_root, set))
