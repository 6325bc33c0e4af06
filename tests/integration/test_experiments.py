"""The experiments on a root that went through the pipeline: new people, small numbers, all real but the judge."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow import MlflowClient

from mien.flows.experiment_expression import experiment_expression
from mien.flows.experiment_recognition import experiment_recognition
from mien.flows.experiment_verification import experiment_verification
from mien.model.images.codec import decode_rgb
from mien.storage import Root
from mien.tasks.errors import UsageError
from mien.tasks.tracking import tracking_uri
from tests.integration.flow_calls import UNJUDGED, prepare, table_rows, verify

pytestmark = pytest.mark.usefixtures("prefect_server", "shared_workers")

JUDGE = "tests.own_detector:DarkSquares"
PEOPLE = [f"s{n}" for n in range(10, 20)]
PHOTOS = [f"sample:orl/{person}/{photo}.pgm" for person in PEOPLE for photo in range(1, 5)]
SMALL: dict[str, Any] = {"set": "others", "per_identity": 2, "embedder": JUDGE, "settings": UNJUDGED}


@pytest.fixture(scope="module")
def root(done: tuple[Path, Any]) -> Path:
    prepare(PHOTOS, "others", done[0], pattern="{identity}/{expression}.pgm", val_fraction=0.0, test_fraction=0.0)
    return done[0]


@pytest.fixture(scope="module")
def recognised(root: Path) -> Any:
    return experiment_recognition(root=str(root), expressions="six", seeds=2, updates=2, **SMALL)


def test_recognition_makes_faces_trains_all_arms_and_says_what_came_of_it(root: Path, recognised: Any) -> None:
    lines = recognised.lines()
    assert any(line.startswith("- 10 people of others with a photo each, 30 other photos to tell") for line in lines)
    assert sum(line.startswith(("| generated + usual", "| placebo", "| warp")) for line in lines) >= 9
    assert sum(line.startswith(("- holds: ", "- does not hold: ", "- not measured: ")) for line in lines) == 9
    page = Path(recognised.page)
    assert {"experiment.html", "experiment.md", "experiment.json"} <= {path.name for path in page.parent.iterdir()}
    assert json.loads((page.parent / "experiment.json").read_text())["title"] == "recognition of others"
    for name in ("others-recognition-enrolled", "others-recognition-generated", "others-recognition-placebo"):
        assert verify(name, root).ok


def test_the_known_people_of_the_faces_have_one_photo_each(root: Path, recognised: Any) -> None:
    enrolled = table_rows(root, "faces", "others-recognition-enrolled")
    assert sorted(row["identity"] for row in enrolled) == sorted(PEOPLE)
    made = table_rows(root, "transfers", "others-recognition-generated")
    assert {row["identity_face_id"] for row in made} <= {row["face_id"] for row in enrolled}
    own = table_rows(root, "transfers", "others-recognition-placebo")
    assert all(row["identity_face_id"] == row["expression_face_id"] for row in own)


def test_the_placebo_is_each_photo_as_it_was(root: Path, recognised: Any) -> None:
    """Asked for its own landmarks, and not for what retargeting makes of them."""
    enrolled = table_rows(root, "faces", "others-recognition-enrolled")
    crops = {row["face_id"]: decode_rgb(row["crop"]) for row in enrolled}
    own = table_rows(root, "transfers", "others-recognition-placebo")
    assert len(own) == len(PEOPLE)
    for row in own:
        assert np.abs(decode_rgb(row["image"]).astype(int) - crops[row["identity_face_id"]]).max() <= 1


def test_a_second_run_finds_everything_and_says_the_same(root: Path, recognised: Any) -> None:
    kept = {path: path.stat().st_mtime_ns for path in (root / "experiments").glob("*.json")}
    again = experiment_recognition(root=str(root), expressions="six", seeds=2, updates=2, **SMALL)
    assert again.experiment == recognised.experiment
    assert {path: path.stat().st_mtime_ns for path in (root / "experiments").glob("*.json")} == kept


def test_mlflow_has_a_run_with_one_below_it_for_each_arm_and_seed(root: Path, recognised: Any) -> None:
    client = MlflowClient(tracking_uri(Root(str(root))))
    parent = client.get_run(recognised.mlflow_run.partition(" ")[0])
    assert parent.data.tags["mien.kind"] == "experiment"
    assert "cnn/generated and usual" in parent.data.metrics
    query = f"tags.mlflow.parentRunId = '{parent.info.run_id}'"
    below = client.search_runs([parent.info.experiment_id], query, max_results=500)
    names = [run.info.run_name for run in below]
    assert len(names) == len(set(names))
    assert {"cnn: usual, seed 0", "cnn: generated + usual, seed 1", "cnn: placebo, seed 1"} <= set(names)


def test_verification_and_expressions_run_on_the_same_set(root: Path) -> None:
    verified = experiment_verification(root=str(root), expressions="six", **SMALL)
    assert [table.key for table in verified.experiment.tables] == ["template_fmr_0.01", "template_fmr_0.001"]
    asked = {"set": "others", "per_identity": 2, "settings": UNJUDGED}
    told = experiment_expression(root=str(root), folds=2, shares=[0.5], seeds=1, updates=2, **asked)
    (table,) = told.experiment.tables
    assert told.experiment.classes == ("1", "2", "3", "4")
    assert len(table.rows) == 8
    for fold in (0, 1):
        trained = {r["identity"] for r in table_rows(root, "faces", f"others-expression-fold-{fold}-50")}
        made = {r["identity"] for r in table_rows(root, "transfers", f"others-expression-fold-{fold}-50-generated")}
        assert made <= trained
        assert 0 < len(trained) <= 5  # the other five are told


def test_expressions_of_the_people_s_own_set_are_taken_from_the_others_in_it(root: Path) -> None:
    """All but the people who are told; where nobody is left it says so."""
    with pytest.raises(UsageError, match="nobody is left to take expressions from: name another set"):
        experiment_recognition(root=str(root), expressions="others", seeds=1, updates=1, **SMALL)


def test_what_an_experiment_kept_goes_with_a_person(root: Path, recognised: Any) -> None:
    from mien.flows.forget import forget_person

    assert list((root / "experiments").iterdir())
    forget_person(root=str(root), person="s10", yes=True)
    left = [path.name for path in (root / "experiments").iterdir()]
    assert left == []
    assert not Path(recognised.page).exists()
    assert "s10" not in {row["identity"] for row in table_rows(root, "faces", "others-recognition-enrolled")}
    assert "s10" not in {row["identity"] for row in table_rows(root, "transfers", "others-recognition-generated")}
