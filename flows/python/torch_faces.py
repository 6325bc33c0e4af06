"""Faces of a table as a data set of torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import pyarrow as pa
import torch
from torch import Tensor
from torch.utils.data import Dataset

from mien.model.images.codec import decode_rgb


class TorchFaces(Dataset[dict[str, Any]]):
    """Pictures with their labels, by index. Its items go through torch's own `default_collate`."""

    LABELS: ClassVar[tuple[str, ...]] = ("identity", "expression", "split")

    def __init__(self, rows: pa.Table, key: str, picture: str, transform: Callable[[Tensor], Any] | None) -> None:
        self._rows, self._key, self._picture, self._transform = rows.combine_chunks(), key, picture, transform

    def __len__(self) -> int:
        return self._rows.num_rows

    def __getitem__(self, index: int) -> dict[str, Any]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"there are {len(self)} faces, and none of index {index}")
        row = self._rows.slice(index % len(self), 1).to_pylist()[0]
        pixels = torch.from_numpy(decode_rgb(row[self._picture]).transpose(2, 0, 1).copy())
        image = pixels if self._transform is None else self._transform(pixels)
        return {"id": row[self._key], "image": image, **{name: row[name] or "" for name in self.LABELS}}
