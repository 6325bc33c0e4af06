"""Who is trained on is not held out, under whatever name."""

from __future__ import annotations

from uuid import uuid4

import pytest

from mien.storage import Root
from mien.tasks.generator.trained_on import Shown, TrainedOn
from mien.tasks.train.face_index import read_index
from mien.tasks.train.people import never_seen, shown, trained_on
from tests.unit.tasks.train.test_face_index import face_ids, small_set


@pytest.fixture
def root() -> Root:
    return Root(f"memory://{uuid4().hex}")


def test_a_person_who_is_trained_on_by_the_same_photo_is_not_held_out(root: Root) -> None:
    def photo(face_id: str, image_id: str, identity: str, split: str) -> dict[str, object]:
        return {"face_id": face_id, "image_id": image_id, "identity": identity, "split": split}

    first = small_set(root, "first", [photo("a", "1", "ada", "train"), photo("b", "2", "bob", "val")])
    second = small_set(
        root,
        "second",
        [photo("c", "1", "a.", "val"), photo("d", "3", "a.", "val"), photo("e", "4", "cy", "val")],
        shard_rows=2,
    )
    everything = read_index(root, [first, second])
    unseen = never_seen(root, everything, "val")
    assert face_ids(root, unseen) == ["b", "e"]
    assert unseen.names == (("first", "bob"), ("second", "cy"))
    assert len(never_seen(root, everything, "test")) == 0
    learnt = everything.of_split("train")
    assert list(shown(root, learnt)) == [Shown("first", "ada", "1")]
    assert trained_on(root, learnt, "salt") == TrainedOn.of([Shown("first", "ada", "1")], "salt")
