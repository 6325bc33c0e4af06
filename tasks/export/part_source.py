"""What each part of an export is made from: a shard of generated faces, and the pairs that these were made for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from mien.storage import Root, read_manifest, read_shard
from mien.storage.rows import PairRow
from mien.tasks.errors import RunError
from mien.tasks.sets.row_lookup import look_up


@dataclass(frozen=True)
class PartSource:
    """What a part is made from."""

    number: int
    shard: str
    """Of `transfers`."""
    pairs: str
    """The table of pairs."""
    pairs_shard: str | None
    """Of that table, where the pairs of `shard` are unless one of the tables was written anew."""

    @property
    def position(self) -> int:
        """For people, who count from 1."""
        return self.number + 1

    @property
    def name(self) -> str:
        """Of the part; unlike all others of the export."""
        return f"{self.number:06d}-{self.shard}"


def part_sources(root: Root, transfers: str) -> list[PartSource]:
    """The parts of a table of generated faces, in its order.

    Raises:
        StorageError: the table or that of its pairs is gone.
    """
    manifest = read_manifest(root, "transfers", transfers)
    pairs = read_manifest(root, "pairs", str(manifest.about["pairs"]))
    return [
        PartSource(number, shard.fingerprint, pairs.fingerprint, of_pairs.fingerprint if of_pairs else None)
        for number, (shard, of_pairs) in enumerate(zip_longest(manifest.shards, pairs.shards))
        if shard
    ]


def expression_groups(root: Root, source: PartSource, pair_ids: Sequence[str]) -> dict[str, str | None]:
    """`expression_group` of pairs by id.

    Raises:
        RunError: a pair is in no shard of the table.
    """
    columns, found = ["pair_id", "expression_group"], dict[str, str | None]()
    if source.pairs_shard is not None:
        rows: list[PairRow] = read_shard(root, "pairs", source.pairs_shard, columns).to_pylist()
        found = {row["pair_id"]: row["expression_group"] for row in rows}
    if away := [pair_id for pair_id in pair_ids if pair_id not in found]:
        for pair_id, row in look_up(root, "pairs", source.pairs, "pair_id", away, columns):
            found[pair_id] = row["expression_group"][0].as_py()
        if lost := [pair_id for pair_id in away if pair_id not in found]:
            raise RunError(
                f"the pair {lost[0]} of a generated face is not in pairs/{source.pairs}: mien verify says more"
            )
    return found
