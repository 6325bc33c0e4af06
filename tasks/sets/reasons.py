"""Why rows went no further, counted without the numbers in each reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from mien.storage import Manifest, Root, read_shard


def reason_kind(reason: str | None) -> str:
    """The reason without its numbers, so that equal ones count together."""
    words = [word for word in (reason or "").split() if not any(c.isdigit() for c in word)]
    return " ".join(words).removesuffix(" is below").removesuffix(" is above")


def count_reasons(root: Root, tables: Iterable[Manifest]) -> list[tuple[str, str, int]]:
    """Status, kind of reason, and rows, of all rows that are not ok; the most frequent first.

    Shards whose rows are all ok are not read.
    """
    counts: Counter[tuple[str, str]] = Counter()
    for manifest in tables:
        for shard in manifest.shards:
            if shard.counts["ok"] < shard.rows:
                rows = read_shard(root, manifest.table, shard.fingerprint, ["status", "reason"]).to_pylist()
                counts.update((row["status"], reason_kind(row["reason"])) for row in rows if row["status"] != "ok")
    return [(status, kind, count) for (status, kind), count in counts.most_common()]
