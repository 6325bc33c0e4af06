"""What a training needs of a prepared set, and what the set has of it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow.compute as pc

from mien.storage import Manifest, Root, open_table


def training_line(root: Root, faces: Manifest) -> str | None:
    """One line; None where no face is usable, which is said elsewhere.

    A training learns from pairs of photos of one person, and is validated on pairs of a person whom it never saw.
    """
    if not faces.counts["ok"]:
        return None
    table = open_table(root, faces.table, faces.fingerprint)
    rows = table.to_table(columns=["identity", "split"], filter=pc.field("status") == "ok")
    photos = Counter(zip(rows["split"].to_pylist(), rows["identity"].to_pylist(), strict=True))
    people = Counter(split for (split, who), count in photos.items() if who is not None and count >= 2)
    have = f"{people['train']} in train, {people['val']} in val, {people['test']} in test"
    about: Any = faces.about
    besides = Counter(dict[str, str]((about.get("compared") or {}).get("chosen") or {}).values())
    if besides:
        chosen = " and ".join(f"{count} in {split}" for split, count in sorted(besides.items(), reverse=True))
        have += f"; of so few people {chosen} had to be chosen, and stay there"
    if people["train"] and people["val"]:
        return f"for training: people with two or more usable photos: {have}"
    return (
        "for training this set is not enough by itself: it needs two usable photos each of one person in train and of "
        f"another in val, and of such people it has {have}"
    )
