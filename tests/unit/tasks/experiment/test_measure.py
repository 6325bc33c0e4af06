from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mien.storage import Root, read_set
from mien.tasks.experiment import judges, measure
from mien.tasks.experiment.arms import Arm
from mien.tasks.experiment.judges import JudgeSpec
from mien.tasks.experiment.measure import Scoring, Setup, Training, enrolled_scores, score, tell, told_name
from tests.small_root import DETECTOR, GENERATED
from tests.unit.tasks.experiment.given import PEOPLE, drawn_root, enrolled_like_the_generated

HOW = Training(2, augmented=True)
JUDGE = JudgeSpec(DETECTOR)
ASKED = Scoring(JUDGE, augmented=False)


@pytest.fixture
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Root, Setup, Arm]:
    root = drawn_root(tmp_path_factory.mktemp("measure"))
    _, setup = enrolled_like_the_generated(root)
    return root, setup, Arm("generated", "generated", read_set(root, GENERATED).tables["transfers"], 2)


def test_each_seed_names_each_probe_and_what_is_kept_is_not_trained_again(
    made: tuple[Root, Setup, Arm], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, setup, arm = made
    (first,) = tell(root, setup, arm, [HOW], range(2))
    assert [len(each.said) for each in first] == [len(setup.probe_ids)] * 2
    assert all(0 <= person < PEOPLE for each in first for person in each.said)
    assert first[0].tables == [setup.tables.faces, setup.enrolled.faces, arm.transfers]
    seeds = list[int]()
    real = measure.trained

    def counting(*of: object, **named: object) -> object:
        seeds.append(of[3])  # type: ignore[arg-type]
        return real(*of, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(measure, "trained", counting)
    assert tell(root, setup, arm, [HOW], range(2)) == [first]
    assert seeds == []
    assert tell(root, setup, arm, [HOW], range(3))[0][:2] == first
    assert seeds == [2]
    both = tell(root, setup, arm, [HOW, replace(HOW, augmented=not HOW.augmented)], range(2))
    assert both[0] == first
    assert seeds == [2, 0, 1]


def test_arms_with_the_same_pictures_are_trained_once(
    made: tuple[Root, Setup, Arm], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, setup, arm = made
    copy = Arm("copy", "copy", None, 2)
    (first,) = tell(root, setup, copy, [HOW], range(2))
    with monkeypatch.context() as patch:
        photos = measure.added(root, copy, setup.enrolled, setup.enrolled_ids)
        patch.setattr(measure, "added", lambda *_: replace(photos, without=1))
        patch.setattr(measure, "trained", lambda *_, **__: pytest.fail("it was trained again"))
        (again,) = tell(root, setup, arm, [HOW], range(2))
    assert [each.said for each in again] == [each.said for each in first]
    assert again[0].tables == [setup.tables.faces, setup.enrolled.faces, arm.transfers]
    assert again[0].without == 1
    monkeypatch.setattr(measure, "trained", lambda *_, **__: pytest.fail("trained"))
    with pytest.raises(pytest.fail.Exception):
        tell(root, setup, Arm("generated", "generated", arm.transfers, 1), [HOW], range(2))  # other pictures


def test_a_damaged_result_is_made_again(made: tuple[Root, Setup, Arm]) -> None:
    root, setup, arm = made
    first = tell(root, setup, arm, [HOW], [0])
    path = f"experiments/{told_name(setup, arm, HOW, 0)}.json"
    assert root.exists(path)
    root.write_bytes(path, b"{")
    assert tell(root, setup, arm, [HOW], [0]) == first


def test_what_decides_a_result_names_it(made: tuple[Root, Setup, Arm]) -> None:
    _, setup, arm = made
    fewer = Setup(setup.tables, setup.enrolled, setup.enrolled_ids, setup.probe_ids[1:])
    names = [
        told_name(setup, arm, HOW, 0),
        told_name(setup, arm, HOW, 1),
        told_name(setup, arm, Training(2, augmented=False), 0),
        told_name(setup, arm, Training(3, augmented=True), 0),
        told_name(setup, Arm("", "ungated", arm.transfers, 2), HOW, 0),
        told_name(setup, Arm("", "generated", arm.transfers, 3), HOW, 0),
        told_name(fewer, arm, HOW, 0),
    ]
    assert len(set(names)) == len(names)


def test_no_name_and_no_picture_is_kept(made: tuple[Root, Setup, Arm]) -> None:
    root, setup, arm = made
    tell(root, setup, arm, [HOW], [0])
    score(root, setup, arm, ASKED, 0)
    kept = [root.read_bytes(f"experiments/{name}") for name in root.list("experiments")]
    assert len(kept) == 3
    assert not any(b"person" in each or b"PNG" in each for each in kept)


def test_an_embedder_scores_each_probe_with_each_template(made: tuple[Root, Setup, Arm]) -> None:
    root, setup, arm = made
    arms = Arm("photo", "photo"), arm, Arm("copy", "copy", None, 2)
    alone, enriched, copies = (score(root, setup, each, ASKED, 0)[0] for each in arms)
    assert np.array(alone.template).shape == (len(setup.probe_ids), PEOPLE)
    name, own = enrolled_scores(root, setup, JUDGE)
    assert name == DETECTOR
    assert np.allclose(alone.template, own, atol=1e-4)
    assert np.allclose(copies.template, alone.template, atol=1e-4)  # the mean of copies is the photo
    assert not np.allclose(enriched.template, alone.template, atol=1e-4)
    assert len(enriched.linear) == len(setup.probe_ids)


def test_an_embedder_that_was_trained_here_is_trained_further_where_that_is_asked_for(
    made: tuple[Root, Setup, Arm], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, setup, arm = made
    monkeypatch.setattr(judges, "MIN_PEOPLE", 3)
    monkeypatch.setattr(judges, "UPDATES", 2)
    monkeypatch.setattr(measure, "TUNED_UPDATES", 2)
    own = Scoring(JudgeSpec(None, (setup.tables,)), augmented=False)
    plain, none = score(root, setup, arm, own, 0)
    assert none is None
    further = replace(own, further=True)
    again, tuned = score(root, setup, arm, further, 0)
    assert again == plain
    assert tuned is not None
    assert np.array(tuned.scores).shape == np.array(plain.template).shape
    assert tuned.tables == [setup.tables.faces, setup.enrolled.faces, arm.transfers]
    monkeypatch.setattr(measure, "added", lambda *_: pytest.fail("the pictures were made again"))
    assert score(root, setup, arm, further, 0) == (plain, tuned)


def test_a_detector_is_not_trained_further(made: tuple[Root, Setup, Arm]) -> None:
    root, setup, arm = made
    assert score(root, setup, arm, replace(ASKED, further=True), 0)[1] is None


def test_the_usual_augmentation_of_photos_is_a_seeded_arm(made: tuple[Root, Setup, Arm]) -> None:
    root, setup, _ = made
    photo, usual = Arm("photo", "photo", None, 2), replace(ASKED, augmented=True)
    one, other = (score(root, setup, photo, usual, seed) for seed in (0, 1))
    assert one != other
    assert one == score(root, setup, photo, usual, 0)
