from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from mien.storage import Root, read_set
from mien.tasks.errors import UsageError
from mien.tasks.experiment import expression
from mien.tasks.experiment.expression import FoldFaces, Posed, choose_posed, run_expression
from mien.tasks.sets.faces import face_tables
from tests.small_root import GENERATED, PREPARED
from tests.unit.tasks.experiment.given import EACH, PEOPLE, drawn_root, generator


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Root:
    return drawn_root(tmp_path_factory.mktemp("expression"))


@pytest.fixture(autouse=True)
def _few_photos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expression, "MIN_PHOTOS", PEOPLE)


def posed(root: Root, *seen: str, folds: int = 2) -> Posed:
    return choose_posed(root, face_tables(root, PREPARED), generator(root, *seen), folds, 0)


def test_new_people_are_told_in_turns_and_the_others_are_always_trained_on(root: Root) -> None:
    found = posed(root, "person0")
    assert found.classes == tuple(f"mood{n}" for n in range(EACH))
    told = Counter(person for fold in found.folds for person in fold)
    assert told == dict.fromkeys([f"person{n}" for n in range(1, PEOPLE)], 1)
    assert found.notes == ("1 people are trained on and not told, since the generator was trained on them",)
    for fold in range(2):
        trained, tested = found.trained(fold, 1.0, 0), found.tested(fold)
        assert len(trained) + len(tested) == PEOPLE * EACH
        assert {face.person for face in trained}.isdisjoint(face.person for face in tested)
        assert "person0" in {face.person for face in trained}


def test_a_share_has_each_label_and_follows_from_the_seed(root: Root) -> None:
    found = posed(root)
    few = found.trained(0, 0.1, 0)
    assert Counter(face.label for face in few) == dict.fromkeys(range(EACH), 1)
    assert found.trained(0, 0.1, 0) == few
    assert any(found.trained(0, 0.1, seed) != few for seed in range(1, 5))


def test_labels_with_few_photos_are_left_out_and_said(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expression, "MIN_PHOTOS", PEOPLE + 1)
    with pytest.raises(UsageError, match=f"{PREPARED} has 0 labels with {PEOPLE + 1} photos of 3 people"):
        posed(root)


def test_fewer_new_people_than_folds_are_told(root: Root) -> None:
    seen = [f"person{n}" for n in range(1, PEOPLE)]
    with pytest.raises(UsageError, match="1 people of six are new to the generator, too few for 2 folds"):
        posed(root, *seen)


def fold_faces(root: Root, found: Posed, fold: int) -> FoldFaces:
    table = read_set(root, GENERATED).tables["transfers"]
    return FoldFaces(fold, 1.0, tuple(found.trained(fold, 1.0, 0)), tuple(found.tested(fold)), table, table)


def test_all_arms_are_measured_with_recalls_and_confusions(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    from mien.tasks.transfer.generate import PairGenerator

    monkeypatch.setattr(PairGenerator, "target_points", lambda *_: None)
    found = posed(root, "person0")
    folds = [fold_faces(root, found, fold) for fold in range(2)]
    result = run_expression(root, found, folds, 2, 2, 0, ["about"])
    (table,) = result.tables
    assert [row.arm for row in table.rows] == [
        "photo", "usual", "placebo", "placebo + usual", "warp", "warp + usual", "generated", "generated + usual",
    ]  # fmt: skip
    assert all(set(row.beside) == {f"recall mood{n}, %" for n in range(EACH)} for row in table.rows)
    for counts in result.confusions.values():
        assert sum(map(sum, counts)) == 2 * (PEOPLE - 1) * EACH  # seeds × photos that are told
    again = run_expression(root, found, folds, 2, 2, 0, ["about"])
    assert again == result


def test_made_faces_have_the_labels_of_their_drivers(root: Root) -> None:
    from mien.storage import open_table
    from mien.tasks.experiment.expression import _made

    table = read_set(root, GENERATED).tables["transfers"]
    pictures, labels = _made(root, posed(root), table, "generated")
    rows = open_table(root, "transfers", table).to_table(columns=["expression"]).to_pylist()
    assert len(pictures) == len(labels) == len(rows)
    assert Counter(f"mood{label}" for label in labels) == Counter(row["expression"] for row in rows)


def test_a_photo_that_is_trained_on_and_told_is_refused(root: Root) -> None:
    found = posed(root)
    faces = fold_faces(root, found, 0)
    leaked = replace(faces, test=(*faces.test, faces.train[0]))
    with pytest.raises(UsageError, match="1 of the photos to be told are used for training"):
        run_expression(root, found, [leaked], 1, 1, 0, [])
