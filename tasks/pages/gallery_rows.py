"""The rows of a gallery, read a shard at a time: what is shown of each, and the numbers of all."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa

from mien.storage import (
    JSON,
    Manifest,
    MissingError,
    Root,
    Status,
    manifest_names,
    read_manifest,
    read_shard,
)
from mien.storage.schemas import STATUSES
from mien.tasks.pages.gallery_columns import Labels, packed
from mien.tasks.pages.gallery_faces import UNREADABLE, Faces, batched_rows
from mien.tasks.pages.gallery_sheets import SheetPictures, decoded
from mien.tasks.runtime.progress import Advance
from mien.tasks.sets.reasons import reason_kind

Measure = Literal[
    "identity_similarity", "expression_reached", "expression_error", "driver_similarity", "sharpness_ratio",
    "texture_error", "detector_score",
]  # fmt: skip
"""The first three are shown beside each face and as medians."""
MEASURES: tuple[Measure, ...] = get_args(Measure)

_LABELS = ("identity", "expression", "status", "reason", "split", "consent", "licence", "model_uri", "run_id")
_COUNTED = ["identity", "model_uri", "status", "reason", *MEASURES]
_SHOWN = [
    *_LABELS, "output_id", "pair_id", "identity_face_id", "expression_face_id", "further_source_ids", "uri", "sha256",
    *MEASURES,
]  # fmt: skip

_ONE_MORE = (None, "1 more photo of the person")
NOT_KEPT = "picture not kept: run with --keep-rejected"
NOT_MADE = "nothing generated"


@dataclass
class Totals:
    """All rows of a table in numbers, shown or not."""

    statuses: Counter[Status] = field(default_factory=Counter["Status"])
    reasons: Counter[tuple[Status, str]] = field(default_factory=Counter[tuple["Status", str]])
    """By status and reason without its numbers."""
    identities: set[str | None] = field(default_factory=set["str | None"])
    models: set[str] = field(default_factory=set[str])
    measures: dict[Measure, array[float]] = field(default_factory=lambda: {name: array("f") for name in MEASURES})
    """Values of the rows that have one."""

    def count(self, rows: pa.Table) -> None:
        """Takes rows of `transfers`."""
        statuses = rows["status"].to_pylist()
        self.statuses.update(statuses)
        whys = zip(statuses, rows["reason"].to_pylist(), strict=True)
        self.reasons.update((status, reason_kind(reason)) for status, reason in whys if status != "ok")
        self.identities |= set(rows["identity"].to_pylist())
        self.models |= set(rows["model_uri"].to_pylist())
        for name, values in self.measures.items():
            values.frombytes(rows[name].drop_null().to_numpy().astype(np.float32).tobytes())

    @property
    def rows(self) -> int:
        """How many."""
        return self.statuses.total()

    def median(self, measure: Measure) -> float | None:
        """Of the rows that have the measure."""
        values = np.asarray(self.measures[measure], np.float64)
        return float(np.median(values)) if values.size else None


class GalleryRows:
    """What the page shows of the chosen rows of a table, and the totals of all."""

    def __init__(self, sources: Faces, drivers: Faces, results: SheetPictures) -> None:
        self.totals = Totals()
        self._sources, self._drivers, self._results = sources, drivers, results
        self._labels = {name: Labels() for name in (*_LABELS, "group", "absent", "further")}
        self._measures = {name: array("f") for name in MEASURES}
        self._ids: list[str] = []
        self._of = {name: array("i") for name in ("source", "driver", "result")}

    def read(self, root: Root, manifest: Manifest, max_rows: int | None, advance: Advance) -> None:
        """Reads the table; at most `max_rows` of its rows are shown, evenly spaced over its order."""
        groups, positions, first = _Groups(root, manifest), _positions(manifest.rows, max_rows), 0
        for number, shard in enumerate(manifest.shards):
            begin, end = np.searchsorted(positions, [first, first + shard.rows])
            chosen = positions[begin:end] - first
            columns = sorted({*_COUNTED, *(_SHOWN if len(chosen) else ()), *(("image",) if len(chosen) else ())})
            table = read_shard(root, "transfers", shard.fingerprint, columns)
            self.totals.count(table)
            groups.read(number)
            for row in batched_rows(table, chosen.tolist()):
                self._add(row, groups.of(row["pair_id"]))
                advance(1)
            first += shard.rows

    def _add(self, row: dict[str, Any], group: str | None) -> None:
        image = row["image"]
        picture = None if image is None else decoded(image)
        for name in _LABELS:
            self._labels[name].add(row[name])
        self._labels["group"].add(group)
        further = len(row["further_source_ids"] or ())
        self._labels["further"].add(f"{further} more photos of the person" if further > 1 else _ONE_MORE[further])
        self._labels["absent"].add(None if picture is not None else _absent(row))
        for name, values in self._measures.items():
            values.append(math.nan if row[name] is None else row[name])
        self._ids.append(row["output_id"])
        self._of["source"].append(self._sources.number(row["identity_face_id"]))
        self._of["driver"].append(self._drivers.number(row["expression_face_id"]))
        self._of["result"].append(-1 if picture is None else self._results.add(picture))

    def __len__(self) -> int:
        return len(self._ids)

    def shown(self) -> dict[Status, int]:
        """Rows that the page shows, by status."""
        status = self._labels["status"]
        counts = Counter(status.values[code] for code in status.codes)
        return {each: counts[each] for each in STATUSES}

    def packed(self) -> dict[str, JSON]:
        """For the page."""
        reasons = self._labels["reason"].values
        return {
            "count": len(self),
            "ids": list(self._ids),
            "labels": {name: labels.packed() for name, labels in self._labels.items()},
            "reasonKinds": [None if reason is None else reason_kind(reason) for reason in reasons],
            "measures": {name: packed(np.asarray(values, np.float32)) for name, values in self._measures.items()},
            **{name: packed(np.asarray(values)) for name, values in self._of.items()},
        }


def _absent(row: dict[str, Any]) -> str:
    """Why a row has no picture to show."""
    if row["image"] is not None:
        return UNREADABLE
    if row["uri"]:
        return f"picture lies in {row['uri']}"
    if not row["sha256"]:
        return NOT_MADE
    return NOT_KEPT if row["status"] == "rejected" else "picture is missing: run mien verify"


def _positions(total: int, max_rows: int | None) -> np.ndarray:
    """Indices of the rows that are shown."""
    count = total if max_rows is None else min(max_rows, total)
    return np.arange(count, dtype=np.int64) * total // max(count, 1)


class _Groups:
    """Expression groups of pairs. The pairs of a shard of generated faces lie in the shard of the same number, unless
    one of the two tables was written anew since."""

    def __init__(self, root: Root, manifest: Manifest) -> None:
        self._root = root
        self._groups: dict[str, str | None] = {}
        self._has_all = False
        self._shards: list[str] = []
        pairs = str(manifest.about.get("pairs"))
        if pairs in manifest_names(root, "pairs"):
            self._shards = [shard.fingerprint for shard in read_manifest(root, "pairs", pairs).shards]

    def read(self, number: int) -> None:
        """Reads what belongs to the shard of this number, instead of what belonged to the former one."""
        if not self._has_all:
            self._groups = dict(self._of_shard(self._shards[number])) if number < len(self._shards) else {}

    def of(self, pair_id: str) -> str | None:
        """The group of a pair; None where it has none, or is in no table any more."""
        if pair_id not in self._groups and not self._has_all:
            self._groups = {pair: group for name in self._shards for pair, group in self._of_shard(name)}
            self._has_all = True
        return self._groups.get(pair_id)

    def _of_shard(self, name: str) -> Iterator[tuple[str, str | None]]:
        try:
            rows = read_shard(self._root, "pairs", name, ["pair_id", "expression_group"])
        except MissingError:
            return
        yield from zip(rows["pair_id"].to_pylist(), rows["expression_group"].to_pylist(), strict=True)
