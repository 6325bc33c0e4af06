"""People whom a generator was trained on are no test of it: they are left out, or the evaluation says so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from mien.storage import Root
from mien.tasks.errors import UsageError
from mien.tasks.evaluate.pairs import HeldOutFace
from mien.tasks.evaluate.results import GENERATED, HELD_OUT
from mien.tasks.generator.trained_on import Shown, TrainedOn
from mien.tasks.generator.weights import provenance_of


def without_seen(
    root: Root, rows: Sequence[HeldOutFace], generators: Mapping[str, str]
) -> tuple[dict[str, list[HeldOutFace]], tuple[str, ...]]:
    """By split the held-out faces of people whom no generator was trained on, and a line on each that was left out.

    Where only people are left whom another generator was trained on, they stay, and a line says so: then its figures
    are too good, which is no help to the one that is evaluated.

    Args:
        root: That the generators lie in.
        rows: Of all splits.
        generators: Hashes of the weights by method.

    Raises:
        UsageError: the evaluated generator was trained on everybody.
    """
    records = {name: TrainedOn.read(provenance_of(root, sha256)) for name, sha256 in generators.items()}
    lines = [f"{name} does not say whom it was trained on" for name, record in records.items() if record is None]
    by_split: dict[str, list[HeldOutFace]] = {}
    for split in HELD_OUT:
        kept = [row for row in rows if row["split"] == split]
        for name, record in records.items():
            kept, line = _without(kept, record, name, split)
            lines += [line] if line else []
        by_split[split] = kept
    if any(row["split"] in HELD_OUT for row in rows) and not any(by_split.values()):
        raise UsageError(
            "the generator was trained on every person who is held out here: evaluate it on a set of others, or with "
            "the splits that it was trained with"
        )
    return by_split, tuple(lines)


def _without(
    rows: list[HeldOutFace], record: TrainedOn | None, name: str, split: str
) -> tuple[list[HeldOutFace], str | None]:
    seen = set[tuple[str, str]]() if record is None else record.seen(map(_shown, rows))
    if not seen:
        return rows, None
    people = len({(row["set"], row["name"]) for row in rows})
    kept = [row for row in rows if (row["set"], row["name"]) not in seen]
    if name == GENERATED or _pairs(kept):
        return kept, f"{split}: {len(seen)} of {people} people are left out, since {name} was trained on them"
    return rows, f"{split}: {name} was trained on {len(seen)} of the {people} people, so that its figures are too good"


def _pairs(rows: Iterable[HeldOutFace]) -> bool:
    """Whether somebody has two photos."""
    return any(count > 1 for count in Counter(row["identity"] for row in rows).values())


def _shown(row: HeldOutFace) -> Shown:
    return Shown(row["set"], row["name"], row["image_id"])
