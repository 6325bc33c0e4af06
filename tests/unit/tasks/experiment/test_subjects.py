from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from mien.storage import Root
from mien.tasks.errors import UsageError
from mien.tasks.experiment import subjects as module
from mien.tasks.experiment.subjects import check_apart, choose_subjects
from mien.tasks.sets.faces import face_tables
from tests.small_root import PREPARED, rows_of
from tests.unit.tasks.experiment.given import EACH, PEOPLE, drawn_root, generator


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Root:
    return drawn_root(tmp_path_factory.mktemp("subjects"))


def test_each_person_has_one_known_photo_and_all_others_are_probes(root: Root) -> None:
    found = choose_subjects(root, face_tables(root, PREPARED), generator(root), None)
    assert found.people == tuple(f"person{n}" for n in range(PEOPLE))
    faces = {row["face_id"]: row for row in rows_of(root, "faces", PREPARED)}
    assert [faces[face_id]["identity"] for face_id in found.enrolled] == list(found.people)
    assert Counter(probe.person for probe in found.probes) == dict.fromkeys(range(PEOPLE), EACH - 1)
    assert all(faces[probe.face_id]["identity"] == found.people[probe.person] for probe in found.probes)
    assert not set(found.enrolled) & {probe.face_id for probe in found.probes}
    assert not set(found.photos) & {probe.image_id for probe in found.probes}
    assert found.notes == ()


def test_people_whom_the_generator_was_trained_on_take_no_part(root: Root) -> None:
    found = choose_subjects(root, face_tables(root, PREPARED), generator(root, "person1", "person3"), None)
    assert found.people == ("person0", "person2", "person4")
    assert found.notes == ("2 people are left out, since the generator was trained on them",)


def test_too_few_people_are_told(root: Root) -> None:
    seen = generator(root, "person1", "person3", "person4")
    with pytest.raises(UsageError, match="has 2 people for the experiment, and it takes 3: labelled people"):
        choose_subjects(root, face_tables(root, PREPARED), seen, None)
    with pytest.raises(UsageError, match="one with the label serene"):
        choose_subjects(root, face_tables(root, PREPARED), generator(root), "serene")


def test_a_generator_that_does_not_say_whom_it_saw_is_marked(root: Root) -> None:
    root.write_bytes(f"models/{'c' * 64}/config.json", b'{"provenance": {}}')
    found = choose_subjects(root, face_tables(root, PREPARED), "c" * 64, None)
    assert len(found.people) == PEOPLE
    assert "does not say whom it was trained on" in found.notes[0]


def test_the_calmest_photo_is_known_and_a_label_goes_before_landmarks(
    root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    faces = {row["face_id"]: row for row in rows_of(root, "faces", PREPARED)}

    def sizes(root: Root, tables: object, rows: list[dict[str, str]]) -> np.ndarray:
        return np.array([float(row["expression"].removeprefix("mood")) for row in rows])

    monkeypatch.setattr(module, "_how_expressive", sizes)
    by_landmarks = choose_subjects(root, face_tables(root, PREPARED), generator(root), None)
    assert {faces[face_id]["expression"] for face_id in by_landmarks.enrolled} == {"mood0"}
    assert {faces[p.face_id]["expression"] for p in by_landmarks.probes if p.expressive} == {"mood2", "mood3"}
    by_label = choose_subjects(root, face_tables(root, PREPARED), generator(root), "mood2")
    assert {faces[face_id]["expression"] for face_id in by_label.enrolled} == {"mood2"}
    assert all(probe.expressive for probe in by_label.probes)


def test_a_photo_that_is_used_and_told_is_refused() -> None:
    check_apart(["a", "b"], ["c"])
    with pytest.raises(UsageError, match="1 of the photos to be told are used for training as well, such as b"):
        check_apart(["a", "b"], ["b", "c"])
