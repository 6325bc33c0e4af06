"""An evaluation leaves out whom a generator was trained on, or says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mien.storage import Root
from mien.tasks.errors import UsageError
from mien.tasks.evaluate.pairs import HeldOutFace
from mien.tasks.evaluate.unseen import without_seen
from mien.tasks.generator.trained_on import Shown, TrainedOn


def face(split: str, person: str, number: int, set_name: str = "team") -> HeldOutFace:
    image = f"{person}-{number}"
    return {"face_id": image, "identity": person, "split": split, "set": set_name, "name": person, "image_id": image}


ROWS = [face(split, who, n) for split, who in (("val", "ann"), ("val", "ben"), ("test", "cem")) for n in range(2)]
ROWS += [face("train", "dan", 0)]


def trained(root: Root, name: str, *people: str, set_name: str = "team") -> str:
    """The hash of a generator in the root that was trained on these people."""
    shown = [Shown(set_name, who, f"{who}-{n}") for who in people for n in range(2)]
    sha256 = name * 64
    config = {"provenance": {"trained_on": TrainedOn.of(shown, name).as_json()}}
    root.write_bytes(f"models/{sha256}/config.json", json.dumps(config).encode())
    return sha256


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(str(tmp_path))


def people(found: dict[str, list[HeldOutFace]]) -> dict[str, list[str]]:
    return {split: sorted({row["identity"] for row in rows}) for split, rows in found.items()}


def test_people_whom_nobody_saw_all_stay(root: Root) -> None:
    found, lines = without_seen(root, ROWS, {"generated": trained(root, "a", "dan", "eva")})
    assert people(found) == {"val": ["ann", "ben"], "test": ["cem"]}
    assert lines == ()


def test_people_whom_the_generator_saw_under_another_salt_are_left_out(root: Root) -> None:
    found, lines = without_seen(root, ROWS, {"generated": trained(root, "a", "ben", "cem", set_name="other")})
    assert people(found) == {"val": ["ann"], "test": []}
    assert lines == (
        "val: 1 of 2 people are left out, since generated was trained on them",
        "test: 1 of 1 people are left out, since generated was trained on them",
    )


def test_a_generator_that_saw_everybody_is_not_evaluated(root: Root) -> None:
    with pytest.raises(UsageError, match="trained on every person who is held out here"):
        without_seen(root, ROWS, {"generated": trained(root, "a", "ann", "ben", "cem")})


def test_people_whom_another_generator_saw_are_left_out_where_others_remain(root: Root) -> None:
    generators = {"generated": trained(root, "a", "dan"), "v1": trained(root, "b", "ben", "cem")}
    found, lines = without_seen(root, ROWS, generators)
    assert people(found) == {"val": ["ann"], "test": ["cem"]}
    assert lines == (
        "val: 1 of 2 people are left out, since v1 was trained on them",
        "test: v1 was trained on 1 of the 1 people, so that its figures are too good",
    )


def test_a_generator_that_does_not_say_whom_it_saw_is_marked(root: Root) -> None:
    root.write_bytes(f"models/{'c' * 64}/config.json", b'{"provenance": {}}')
    found, lines = without_seen(root, ROWS, {"generated": "c" * 64})
    assert people(found) == {"val": ["ann", "ben"], "test": ["cem"]}
    assert lines == ("generated does not say whom it was trained on",)
