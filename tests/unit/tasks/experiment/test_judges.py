from __future__ import annotations

import numpy as np
import pytest

from mien.storage import Root
from mien.tasks.errors import UsageError
from mien.tasks.experiment import judges
from mien.tasks.experiment.judges import JudgeSpec, TrainedJudge, load_judge, others
from mien.tasks.sets.face_columns import crop_of
from mien.tasks.sets.faces import face_tables, read_faces
from tests.small_root import DETECTOR, PREPARED, rows_of
from tests.unit.tasks.experiment.given import EACH, PEOPLE, drawn_root


@pytest.fixture
def root(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Root:
    monkeypatch.setattr(judges, "MIN_PEOPLE", 3)
    monkeypatch.setattr(judges, "UPDATES", 2)
    return drawn_root(tmp_path_factory.mktemp("judges"))


def spec(root: Root, *apart: str, seed: int = 0) -> JudgeSpec:
    return JudgeSpec(None, (face_tables(root, PREPARED),), apart, seed)


def test_who_takes_part_is_not_trained_on(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    used = list[np.ndarray]()
    real = judges.fit_embedder
    monkeypatch.setattr(judges, "fit_embedder", lambda faces, *rest: used.append(faces) or real(faces, *rest))
    rows = rows_of(root, "faces", PREPARED)
    of_first = [row for row in rows if row["identity"] == "person0"]
    judge = load_judge(root, spec(root, of_first[0]["image_id"]))  # one photo is enough to leave out the person
    assert isinstance(judge, TrainedJudge)
    assert (judge.people, judge.photos, len(used[0])) == (PEOPLE - 1, (PEOPLE - 1) * EACH, (PEOPLE - 1) * EACH)
    assert judge.name == f"an embedder trained here on {(PEOPLE - 1) * EACH} photos of {PEOPLE - 1} other people"


def test_one_that_was_trained_is_found_and_another_seed_is_another(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    faces = read_faces(root, [face_tables(root, PREPARED)], {r["face_id"] for r in rows_of(root, "faces", PREPARED)},
                       ["crop"])  # fmt: skip
    pictures = [crop_of(faces[face_id]) for face_id in sorted(faces)]
    first, other = load_judge(root, spec(root)), load_judge(root, spec(root, seed=1))
    assert first.key != other.key
    assert not np.array_equal(first.vectors(pictures), other.vectors(pictures))
    monkeypatch.setattr(judges, "fit_embedder", lambda *_: pytest.fail("it was trained again"))
    assert np.array_equal(load_judge(root, spec(root)).vectors(pictures), first.vectors(pictures))


def test_too_few_others_are_told(root: Root) -> None:
    apart = [row["image_id"] for row in rows_of(root, "faces", PREPARED) if row["identity"] != "person0"]
    with pytest.raises(UsageError, match="needs 3 people with two photos each, and there are 1 who take no part here"):
        load_judge(root, spec(root, *apart))
    with pytest.raises(UsageError, match="name more sets with --embedder-set"):
        others(root, spec(root, *apart))


def test_a_named_embedder_gives_unit_vectors_and_none_without_a_face(root: Root) -> None:
    face = next(iter(read_faces(root, [face_tables(root, PREPARED)], {rows_of(root, "faces", PREPARED)[0]["face_id"]},
                                ["crop"]).values()))  # fmt: skip
    blank = np.full_like(crop_of(face), 255)
    found = load_judge(root, JudgeSpec(DETECTOR)).vectors([crop_of(face), blank])
    assert np.linalg.norm(found[0]) == pytest.approx(1, abs=1e-5)
    assert not found[1].any()


def test_a_damaged_embedder_is_trained_again(root: Root) -> None:
    face = rows_of(root, "faces", PREPARED)[0]["face_id"]
    pictures = [crop_of(read_faces(root, [face_tables(root, PREPARED)], {face}, ["crop"])[face])]
    first = load_judge(root, spec(root))
    for damaged in (b"", b"PK", root.read_bytes(f"experiments/{first.key}.npz")[:500]):
        root.write_bytes(f"experiments/{first.key}.npz", damaged)
        assert np.array_equal(load_judge(root, spec(root)).vectors(pictures), first.vectors(pictures))
