from __future__ import annotations

from dataclasses import replace

import pytest

from mien.storage import Root, read_set
from mien.tasks.errors import UsageError
from mien.tasks.experiment.judges import JudgeSpec
from mien.tasks.experiment.measure import Setup
from mien.tasks.experiment.recognition import (
    MadeFaces,
    RecognitionSettings,
    arms_of,
    run_recognition,
)
from mien.tasks.experiment.results import Experiment
from mien.tasks.experiment.subjects import Subjects
from tests.small_root import DETECTOR, GENERATED
from tests.unit.tasks.experiment.given import drawn_root, enrolled_like_the_generated

SETTINGS = RecognitionSettings(seeds=2, updates=2, judge=JudgeSpec(DETECTOR), doses=(1,))
Given = tuple[Root, Subjects, Setup, MadeFaces]


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Given:
    root = drawn_root(tmp_path_factory.mktemp("recognition"))
    subjects, setup = enrolled_like_the_generated(root)
    # The generated set has sources of its own; the probes are all photos but these.
    probes = tuple(probe for probe in subjects.probes if probe.face_id in setup.probe_ids)
    table = read_set(root, GENERATED).tables["transfers"]
    return root, replace(subjects, probes=probes, photos=()), setup, MadeFaces(table, table)


@pytest.fixture(scope="module")
def found(given: Given) -> Experiment:
    with pytest.MonkeyPatch.context() as patch:
        from mien.tasks.transfer.generate import PairGenerator

        patch.setattr(PairGenerator, "target_points", lambda *_: None)
        return run_recognition(*given, 2, SETTINGS, ["a drawn set"])


def test_every_arm_is_measured_plain_and_with_the_usual_augmentation(found: Experiment, given: Given) -> None:
    cnn, template, linear = found.tables
    names = [arm.name for arm in arms_of(given[3], 2)]
    expected = {*names, "usual", *(f"{name} + usual" for name in names[1:])}
    for table in (cnn, template, linear):
        assert {row.arm for row in table.rows} == expected
    assert all(len(row.by_seed) == 2 for row in cnn.rows)
    assert all(0 <= row.value.value <= 1 for row in cnn.rows)
    assert len(found.tried) >= len(expected)


def test_each_difference_is_what_the_two_rows_differ_by(found: Experiment) -> None:
    rows = {row.arm: row for row in found.tables[0].rows}
    assert set(rows["generated"].over) == {"photo", "warp"}
    assert set(rows["generated + usual"].over) == {"usual", "warp + usual"}
    for row in rows.values():
        for base, each in row.over.items():
            assert each.value == pytest.approx(row.value.value - rows[base].value.value)
            assert row.adjusted[base] >= each.p


def test_the_aims_have_verdicts_with_figures(found: Experiment) -> None:
    aims = [verdict.aim for verdict in found.verdicts]
    assert aims[:5] == [
        "cnn: generated + usual beats usual by 3 points or more",
        "cnn: placebo + usual does not beat usual",
        "cnn: copy + usual does not beat usual",
        "cnn: generated beats warp",
        "cnn: generated + usual beats warp + usual",
    ]
    assert all("points" in verdict.said for verdict in found.verdicts[:5])


def test_curves_metrics_and_the_embedders_auc_are_told(found: Experiment) -> None:
    assert {curve.key for curve in found.curves} == {"dose", "watermark"}
    dose = next(curve for curve in found.curves if curve.key == "dose")
    assert set(dose.lines) == {"generated", "generated + usual", "warp", "warp + usual"}
    assert [x for x, _ in dose.lines["generated"]] == [1, 2]  # two are those of the tables
    row = next(row for row in found.tables[0].rows if row.arm == "generated + usual")
    assert dose.lines["generated + usual"][1][1].value == row.value.value
    assert found.tried.count("generated: 2 seeds") == 1
    assert any(line.startswith(f"embedder that reports: {DETECTOR}, AUC ") for line in found.about)
    metrics = found.metrics()
    assert metrics["cnn/generated and usual"] == next(
        row.value.value for row in found.tables[0].rows if row.arm == "generated + usual"
    )


def test_a_probe_whose_expression_was_taken_is_refused(given: Given) -> None:
    root, subjects, setup, made = given
    leaked = replace(made, drivers=(subjects.probes[0].image_id,))
    with pytest.raises(UsageError, match="1 of the photos to be told are used for training"):
        run_recognition(root, subjects, setup, leaked, 2, SETTINGS, [])


def test_a_known_photo_among_the_probes_is_refused(given: Given) -> None:
    root, subjects, setup, made = given
    leaked = replace(subjects, photos=(subjects.probes[0].image_id,))
    with pytest.raises(UsageError, match="1 of the photos to be told are used for training"):
        run_recognition(root, leaked, setup, made, 2, SETTINGS, [])
