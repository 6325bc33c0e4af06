from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mien.storage import Root
from mien.tasks.errors import UsageError
from mien.tasks.experiment import verification
from mien.tasks.experiment.judges import JudgeSpec
from mien.tasks.experiment.measure import Scored, Setup, Tuned
from mien.tasks.experiment.recognition import MadeFaces
from mien.tasks.experiment.results import Experiment
from mien.tasks.experiment.subjects import Probe, Subjects
from mien.tasks.experiment.verification import run_verification
from mien.tasks.sets.faces import FaceTables

PEOPLE, EACH = 12, 6
TABLES = FaceTables("team", "f" * 32, "e" * 32)
PROBES = tuple(Probe(f"{p}-{n}", f"image {p}-{n}", p, n % 2 == 1) for p in range(PEOPLE) for n in range(EACH))
SUBJECTS = Subjects(
    TABLES,
    tuple(f"p{n}" for n in range(PEOPLE)),
    tuple(f"known {n}" for n in range(PEOPLE)),
    tuple(f"photo {n}" for n in range(PEOPLE)),
    PROBES,
    (),
)
SETUP = Setup(TABLES, TABLES, SUBJECTS.enrolled, tuple(probe.face_id for probe in PROBES))
ARMS = ("photo", "copy", "placebo", "warp", "generated", "ungated")


def scores(expressive: float, calm: float = 0.0) -> list[list[float]]:
    """Cosines: genuine ones are 0.9, lower by `calm` of calm photos and by `expressive` of others; of two people -1 to
    0.5."""
    random = np.random.default_rng(0)
    out = random.uniform(-1, 0.5, (len(PROBES), PEOPLE))
    for row, probe in enumerate(PROBES):
        lower = expressive if probe.expressive else calm
        out[row, probe.person] = 0.9 - lower * random.uniform(0.5, 1.5)
    return out.tolist()


def measured(
    monkeypatch: pytest.MonkeyPatch, generated: float, tuned: bool = True, calm: float = 0.0, copies: float = 0.6
) -> Experiment:
    def scored(*_: object, further: bool) -> dict[str, tuple[Scored, Tuned | None]]:
        assert further
        out: dict[str, tuple[Scored, Tuned | None]] = {}
        for name in (*ARMS, "usual", *(f"{arm} + usual" for arm in ARMS[1:])):
            of_arm = scores(copies if name.startswith("copy") else 0.6)
            if name.startswith("generated"):
                of_arm = scores(generated, calm)
            out[name] = Scored([], of_arm, [], 0), Tuned([], of_arm) if tuned else None
        return out

    monkeypatch.setattr(verification, "score_arms", scored)
    monkeypatch.setattr(verification, "enrolled_scores", lambda *_: ("a judge", np.array(scores(0.6))))
    return run_verification(Root("unused"), SUBJECTS, SETUP, MadeFaces("t", "p"), 2, JudgeSpec("x"), ["about"])


def test_a_gap_that_generated_faces_close_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    found = measured(monkeypatch, generated=0.05)
    tables = {table.key: table for table in found.tables}
    assert set(tables) == {"template_fmr_0.01", "template_fmr_0.001", "tuned_fmr_0.01", "tuned_fmr_0.001"}
    rows = {row.arm: row for row in tables["template_fmr_0.01"].rows}
    assert rows["photo"].value.value > 0.3
    assert rows["photo"].value.value == pytest.approx(
        rows["photo"].beside["FNMR expressive, %"].value - rows["photo"].beside["FNMR calm, %"].value
    )
    assert rows["generated"].over["photo"].high < 0
    assert {verdict.holds for verdict in found.verdicts} == {True}
    assert "100% less" in found.verdicts[0].said


def test_a_gap_that_closes_since_calm_photos_are_told_worse_is_no_gain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Expressive photos stay as they were, and calm ones become as bad: the gap is nothing, and so is the gain."""
    found = measured(monkeypatch, generated=0.6, calm=0.6)
    first = found.verdicts[0]
    assert first.holds is False
    assert found.verdicts[1].holds is False
    assert "FNMR calm +" in first.said
    rows = {row.arm: row for row in found.tables[0].rows}
    assert rows["generated"].over["photo"].high < 0  # by the gap alone it would hold


def test_what_copies_of_the_photo_do_as_well_is_not_put_down_to_generated_faces(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = measured(monkeypatch, generated=0.05, copies=0.05)
    falls, more = found.verdicts[:2]
    assert (falls.holds, more.holds) == (True, False)
    assert more.aim.endswith("the gap falls by more with generated than with copy")


def test_a_gap_that_stays_does_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    found = measured(monkeypatch, generated=0.6)
    assert {verdict.holds for verdict in found.verdicts} == {False}
    assert " 0% less" in found.verdicts[0].said


def test_a_gap_that_grows_is_told_as_more(monkeypatch: pytest.MonkeyPatch) -> None:
    found = measured(monkeypatch, generated=0.9)
    assert found.verdicts[0].holds is False
    assert "% more; change +" in found.verdicts[0].said


def test_without_a_gap_there_is_none_to_close(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.unit.tasks.experiment.test_verification.scores", lambda *_: _no_gap())
    found = measured(monkeypatch, generated=0.0)
    assert {verdict.holds for verdict in found.verdicts[::2]} == {None}


def _no_gap() -> list[list[float]]:
    return [[0.9 if person == probe.person else 0.1 for person in range(PEOPLE)] for probe in PROBES]


def test_an_embedder_that_cannot_be_trained_further_has_no_such_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    found = measured(monkeypatch, generated=0.05, tuned=False)
    assert [table.key for table in found.tables] == ["template_fmr_0.01", "template_fmr_0.001"]


def test_too_few_photos_of_a_kind_are_told() -> None:
    calm = replace(SUBJECTS, probes=tuple(replace(probe, expressive=False) for probe in PROBES))
    with pytest.raises(UsageError, match="gives 72 calm and 0 expressive photos to compare, and it takes 10 of each"):
        run_verification(Root("unused"), calm, SETUP, MadeFaces("t", "p"), 2, JudgeSpec("x"), [])


def test_a_probe_whose_expression_was_taken_is_refused() -> None:
    made = MadeFaces("t", "p", drivers=("image 0-0",))
    with pytest.raises(UsageError, match="1 of the photos to be told are used for training"):
        run_verification(Root("unused"), SUBJECTS, SETUP, made, 2, JudgeSpec("x"), [])
