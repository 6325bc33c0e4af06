"""Columns of a gallery as the page reads them: labels as codes into a list of texts, numbers as they are in memory.

Packed columns are base64 of little-endian arrays: a browser reads 100,000 rows of them in a fraction of a second.
"""

from __future__ import annotations

import base64
from array import array
from dataclasses import dataclass, field

import numpy as np

from mien.storage import JSON

_UNSIGNED = (np.uint8, np.uint16, np.uint32)


@dataclass
class Labels:
    """A column of texts of which many are alike; None is one of them."""

    values: list[str | None] = field(default_factory=list["str | None"])
    codes: array[int] = field(default_factory=lambda: array("I"))
    _known: dict[str | None, int] = field(default_factory=dict["str | None", int])

    def add(self, value: str | None) -> None:
        """The value of the next row."""
        code = self._known.get(value)
        if code is None:
            code = self._known[value] = len(self.values)
            self.values.append(value)
        self.codes.append(code)

    def packed(self) -> dict[str, JSON]:
        """For the page."""
        return {"values": list(self.values), "codes": packed(np.asarray(self.codes))}


def packed(values: np.ndarray) -> dict[str, JSON]:
    """Numbers for the page: float32, int32 where one is negative, else the smallest unsigned integers."""
    if values.dtype.kind == "f":
        kind = np.dtype(np.float32)
    elif values.size and values.min() < 0:
        kind = np.dtype(np.int32)
    else:
        highest = int(values.max()) if values.size else 0
        kind = np.dtype(next(each for each in _UNSIGNED if highest <= np.iinfo(each).max))
    data = values.astype(kind.newbyteorder("<")).tobytes()
    return {"type": f"{kind.kind}{kind.itemsize}", "data": base64.b64encode(data).decode()}
