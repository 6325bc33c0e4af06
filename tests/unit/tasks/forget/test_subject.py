"""Who is to be forgotten is found in every row that was made from the photos, also as a further source."""

from __future__ import annotations

from pathlib import Path

import pytest

from mien.storage import Root
from mien.tasks.forget.forget import find
from mien.tasks.forget.subject import Asked, find_subject
from mien.tasks.forget.tables import without_person
from tests.forging import manifest_of
from tests.small_root import EACH, PEOPLE, rows_of, small_root


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Root:
    return small_root(tmp_path_factory.mktemp("subject"))


def all_rows(root: Root, table: str) -> list[dict]:
    return rows_of(root, table, manifest_of(root, table).fingerprint)


def test_a_photo_that_was_only_a_third_source_takes_the_faces_made_from_it_with_it(root: Root) -> None:
    made = all_rows(root, "transfers")
    row = made[0]
    photo = row["further_image_ids"][1]
    shown = {face for each in made for face in (each["identity_face_id"], each["expression_face_id"])}
    subject = find_subject(root, Asked(image=photo))
    from_it = {each["output_id"] for each in made if photo in each["further_image_ids"]}
    as_driver = {each["output_id"] for each in made if each["driver_image_id"] == photo}
    assert len(from_it) == EACH
    assert photo not in {each["source_image_id"] for each in made}
    assert shown & subject.faces  # it was a driver of another person, too
    assert subject.outputs == from_it | as_driver
    assert subject.pairs == {each["pair_id"] for each in made if each["output_id"] in subject.outputs}


def test_no_row_that_stays_names_the_photo(root: Root) -> None:
    photo = all_rows(root, "transfers")[0]["further_image_ids"][1]
    subject = find(root, Asked(image=photo)).subject
    for table in ("images", "faces", "heatmaps", "pairs", "transfers"):
        left: list[dict] = []
        for shard in manifest_of(root, table).shards:
            found = without_person(root, table, shard.fingerprint, subject)
            if found is not None:
                left += found[0].to_pylist()
        assert left or table != "faces"
        text = repr(left)
        assert photo not in text
        assert not any(face in text for face in subject.faces)
    assert len(subject.outputs) < PEOPLE * EACH  # others stay


def test_a_face_of_a_photo_alone_is_enough(root: Root) -> None:
    """A refused row has no photo of a further source that was not there."""
    made = all_rows(root, "transfers")[0]
    subject = find_subject(root, Asked(image=made["further_image_ids"][0]))
    unmade = made | {"further_image_ids": [], "pair_id": "another"}
    assert subject.holds("transfers", unmade)
    older = unmade | {"further_source_ids": None, "further_image_ids": None}
    assert not subject.holds("transfers", older)
    assert not subject.holds("pairs", older | {"identity": "person0"})
    assert subject.holds("pairs", unmade | {"identity": "person0"})


def test_the_person_of_a_label_goes_with_all_faces(root: Root, tmp_path: Path) -> None:
    subject = find_subject(root, Asked(person="person1"))
    made = all_rows(root, "transfers")
    kept = [row for row in made if row["output_id"] not in subject.outputs]
    assert {row["identity"] for row in kept} == {"person2"}  # person0 has the expressions of person1
    photos = {row["image_id"] for row in all_rows(root, "images") if row["identity"] == "person1"}
    assert not photos & {photo for row in kept for photo in [row["driver_image_id"], *row["further_image_ids"]]}
