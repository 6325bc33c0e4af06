"""Whom a training learns from, and whom it is validated on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from mien.storage import Root, read_shard
from mien.tasks.generator.trained_on import Shown, TrainedOn
from mien.tasks.generator.weights import RegisteredModel, provenance_of
from mien.tasks.runtime.read_ahead import read_ahead
from mien.tasks.sets.splits import Split
from mien.tasks.train.face_index import FaceIndex

_AT_ONCE = 8
"""Shards."""


def never_seen(root: Root, everything: FaceIndex, split: Split) -> FaceIndex:
    """The faces of a split that is held out, without people who are not.

    A person who is held out in one set and trained on in another one, by the same photo, is not held out.
    """
    chosen = everything.of_split(split)
    if not len(chosen):
        return chosen
    seen = TrainedOn.of(shown(root, everything.of_split("train")), "").seen(shown(root, chosen))
    return chosen.chosen(np.array([name not in seen for name in chosen.names], np.bool_)[chosen.people])


def trained_on(root: Root, learnt: FaceIndex, salt: str, start: RegisteredModel | None = None) -> TrainedOn:
    """What a generator that learned from these faces keeps of the people, and of those whom the one that its training
    began with had learned from."""
    own = TrainedOn.of(shown(root, learnt), salt)
    before = None if start is None else TrainedOn.read(provenance_of(root, start.sha256))
    return own if before is None else replace(own, before=(before,))


def shown(root: Root, index: FaceIndex) -> Iterator[Shown]:
    """The people of some faces, each with the photo; read shard by shard."""
    parts = index.by_shard(np.arange(len(index)))
    reading = read_ahead(parts, lambda part: read_shard(root, "faces", part[0].faces, ["image_id"]), _AT_ONCE)
    for (_, positions, rows), table in reading:
        people = [index.names[person] for person in index.people[positions].tolist()]
        for name, image_id in zip(people, table["image_id"].take(rows).to_pylist(), strict=True):
            yield Shown(name[0], name[1], image_id)
