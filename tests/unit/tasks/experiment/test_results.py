from __future__ import annotations

import pytest
from mlflow.utils.validation import _validate_metric_name

from mien.tasks.experiment.recognition import GENERATED, UNGATED, with_usual
from mien.tasks.experiment.results import Verdict, metric_name


@pytest.mark.parametrize("name", [with_usual(GENERATED), UNGATED, "rank-1, %", "a|b(c) é", "recall mood0, %"])
def test_mlflow_takes_every_name(name: str) -> None:
    _validate_metric_name(metric_name(name))


def test_names_stay_apart() -> None:
    assert metric_name(GENERATED) != metric_name(with_usual(GENERATED)) == "generated and usual"


@pytest.mark.parametrize(("holds", "word"), [(True, "holds"), (False, "does not hold"), (None, "not measured")])
def test_a_verdict_says_what_became_of_the_aim(holds: bool | None, word: str) -> None:
    assert Verdict("the aim", holds, "figures").line() == f"{word}: the aim: figures"
