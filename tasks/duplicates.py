"""Photos that a set holds twice: a second pass over the rows of `faces`, once all shards are there.

A shard of `faces` is a function of its photos alone, so it cannot say which of them another shard has too. This pass
reads a few narrow columns of all shards, keeps the first of each group of duplicates in the order of the table, and
writes the shards that hold the others anew, under a name that follows from the shard and the verdicts on its rows. All
other shards stay as they are; the manifest lists what holds now.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from model.quality_limits import QualityLimits
from storage import Root, ShardRef, find_shard, fingerprint, read_shard, source_digest, write_shard
from storage.schemas import FACES

CODE = source_digest("tasks.duplicates", "storage.schemas")

_COLUMNS = ["face_id", "image_id", "identity", "status", "perceptual_hash"]


@dataclass(frozen=True)
class Duplicate:
    """The verdict on a row."""

    of: str
    """The face that is kept."""
    reason: str


def mark_duplicates(root: Root, shards: Sequence[ShardRef], limits: QualityLimits) -> list[ShardRef]:
    """The shards with the duplicates among their good faces rejected; those without any are the given ones."""
    tables = [read_shard(root, "faces", shard.fingerprint, _COLUMNS).to_pylist() for shard in shards]
    verdicts = find_duplicates([row for table in tables for row in table], limits.most_duplicate_bits)
    marked: list[ShardRef] = []
    start = 0
    for shard, rows in zip(shards, tables, strict=True):
        own = {place: verdicts[start + place] for place in range(len(rows)) if start + place in verdicts}
        marked.append(_marked(root, shard, own) if own else shard)
        start += len(rows)
    return marked


def find_duplicates(rows: Sequence[dict[str, Any]], most_bits: int) -> dict[int, Duplicate]:
    """Verdicts by the row's place: good faces that an earlier good face shows already.

    The same bytes are one photo whoever it is said to show. Near-duplicates are sought among the photos of a person:
    each is compared with the earlier ones that were kept, so a slow series does not vanish into its first frame.
    """
    verdicts: dict[int, Duplicate] = {}
    by_bytes: dict[str, dict[str, Any]] = {}
    kept: dict[str | None, _Kept] = {}
    for place, row in enumerate(rows):
        if row["status"] != "ok":
            continue
        first = by_bytes.setdefault(row["image_id"], row)
        if first is not row:
            verdicts[place] = Duplicate(first["face_id"], _copy_reason(first, row))
        elif most_bits >= 0:
            of_person = kept.setdefault(row["identity"], _Kept(most_bits))
            bits = np.frombuffer(row["perceptual_hash"], np.uint8)
            if near := of_person.find(bits):
                verdicts[place] = Duplicate(near, "nearly the same as an earlier photo of the person")
            else:
                of_person.add(bits, row["face_id"])
    return verdicts


def _copy_reason(first: dict[str, Any], second: dict[str, Any]) -> str:
    if first["identity"] != second["identity"]:
        return "the same file as an earlier photo, which is said to show another person"
    return "the same file as an earlier photo"


class _Kept:
    """Hashes of kept faces, found again by any of their bands.

    Two hashes that differ in at most n bits are equal in one of n + 1 bands, so only faces that share a band are
    compared: no near-duplicate is missed, and a set of 100,000 photos without identities takes seconds.
    """

    def __init__(self, most_bits: int) -> None:
        self._most_bits = most_bits
        self._bands: dict[tuple[int, bytes], list[tuple[np.ndarray, str]]] = {}

    def find(self, bits: np.ndarray) -> str | None:
        """The first kept face within the limit of this hash (32 × uint8)."""
        for band in self._split(bits):
            for other, face_id in self._bands.get(band, ()):
                if int(np.bitwise_count(bits ^ other).sum()) <= self._most_bits:
                    return face_id
        return None

    def add(self, bits: np.ndarray, face_id: str) -> None:
        for band in self._split(bits):
            self._bands.setdefault(band, []).append((bits, face_id))

    def _split(self, bits: np.ndarray) -> Iterator[tuple[int, bytes]]:
        for number, part in enumerate(np.array_split(np.unpackbits(bits), self._most_bits + 1)):
            yield number, part.tobytes()


def _marked(root: Root, shard: ShardRef, verdicts: dict[int, Duplicate]) -> ShardRef:
    named = [[place, verdict.of, verdict.reason] for place, verdict in verdicts.items()]
    name = fingerprint({"code": CODE, "shard": shard.fingerprint, "duplicates": named})
    if found := find_shard(root, "faces", name):
        return found
    rows = read_shard(root, "faces", shard.fingerprint).to_pylist()
    for place, verdict in verdicts.items():
        rows[place] |= {"status": "rejected", "reason": verdict.reason, "duplicate_of": verdict.of}
    return write_shard(root, "faces", name, pa.Table.from_pylist(rows, schema=FACES))
