"""Who a generator was trained on: recognised, and not listed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

from mien.tasks.generator.trained_on import PHOTOS_OF_A_PERSON, Shown, TrainedOn


def _id(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def photos(set_name: str, person: str, count: int, of: str | None = None) -> list[Shown]:
    return [Shown(set_name, person, _id(f"{of or person} {n}")) for n in range(count)]


RECORD = TrainedOn.of([*photos("team", "anna", 5), *photos("team", "ben", 100)], salt="a training")


def kept() -> TrainedOn:
    """As it comes back from the file of a generator."""
    found = TrainedOn.read(json.loads(json.dumps({"trained_on": RECORD.as_json()})))
    assert found is not None
    return found


def test_it_is_read_as_it_was_written() -> None:
    assert kept() == RECORD


def test_a_person_is_known_by_the_name_in_the_same_set_or_by_a_photo_in_any() -> None:
    asked = [
        *photos("team", "anna", 2, of="new photos"),
        *photos("crowd", "P-17", 3, of="anna"),
        *photos("crowd", "anna", 2, of="another anna"),
        *photos("team", "cem", 4),
    ]
    assert kept().seen(asked) == {("team", "anna"), ("crowd", "P-17")}


def test_all_photos_of_a_person_are_recognised_though_few_are_kept() -> None:
    assert len(RECORD.photos) == 5 + PHOTOS_OF_A_PERSON
    assert kept().seen(photos("crowd", "P-2", 100, of="ben")) == {("crowd", "P-2")}


def test_it_names_nobody_and_two_trainings_have_nothing_in_common() -> None:
    text = json.dumps(RECORD.as_json())
    assert "anna" not in text
    assert _id("anna 0") not in text
    other = TrainedOn.of(photos("team", "anna", 5), salt="another training")
    assert not other.people & RECORD.people
    assert not other.photos & RECORD.photos


def test_a_record_that_is_missing_or_damaged_is_none() -> None:
    good = RECORD.as_json()
    for damaged in (
        {},
        {"trained_on": None},
        {"trained_on": good | {"photos": "no base64"}},
        {"trained_on": {"salt": "s"}},
    ):
        assert TrainedOn.read(damaged) is None


def test_those_of_the_generator_that_a_training_began_with_are_recognised_too() -> None:
    new = replace(TrainedOn.of(photos("team", "cem", 4), salt="a later training"), before=(RECORD,))
    kept_new = TrainedOn.read(json.loads(json.dumps({"trained_on": new.as_json()})))
    assert kept_new == new
    asked = [*photos("team", "cem", 1), *photos("team", "anna", 1), *photos("team", "dora", 2)]
    assert kept_new.seen(asked) == {("team", "cem"), ("team", "anna")}
    assert "before" not in RECORD.as_json()


def test_where_the_one_before_cannot_be_read_nothing_is_claimed() -> None:
    """Half a record would call people unseen whom the first training has seen."""
    broken = {**RECORD.as_json(), "before": [{"salt": "x", "people": "not base64!", "photos": ""}]}
    assert TrainedOn.read({"trained_on": broken}) is None
    assert TrainedOn.read({"trained_on": {**RECORD.as_json(), "before": [None]}}) is None


def test_of_many_photos_of_a_person_the_same_are_kept_in_whatever_order_they_come() -> None:
    photos = [Shown("films", "zoe", str(n)) for n in range(700)]
    kept = TrainedOn.of(photos, "salt")
    assert kept == TrainedOn.of(reversed(photos), "salt")
    alone = {next(iter(TrainedOn.of([photo], "salt").photos)) for photo in photos}
    assert kept.photos == frozenset(sorted(alone)[:PHOTOS_OF_A_PERSON])
