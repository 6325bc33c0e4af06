from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mien.model.recognition.error_rates import auc, best_person, threshold_at


def test_auc_is_that_of_the_library_ties_included() -> None:
    random = np.random.default_rng(0)
    genuine, impostor = random.normal(0.5, 1, 80).round(1), random.normal(0, 1, 300).round(1)
    labels = np.concatenate([np.ones(80), np.zeros(300)])
    assert auc(genuine, impostor) == pytest.approx(roc_auc_score(labels, np.concatenate([genuine, impostor])))
    assert np.isnan(auc(genuine, impostor[:0]))
    assert np.isnan(auc(np.append(genuine, np.nan), impostor))
    assert np.isnan(auc(genuine, np.append(impostor, np.nan)))


@pytest.mark.parametrize("fmr", [0.001, 0.01, 0.1, 0.5])
def test_no_more_impostors_match_than_are_allowed_and_nearly_as_many(fmr: float) -> None:
    impostor = np.random.default_rng(1).normal(size=1000)
    matched = (impostor >= threshold_at(impostor, fmr)).sum()
    assert matched == round(fmr * 1000)


def test_impostors_that_are_alike_do_not_match_beyond_the_rate() -> None:
    impostor = np.array([0.9] * 50 + [0.1] * 50)
    assert (impostor >= threshold_at(impostor, 0.1)).sum() == 0
    assert threshold_at(impostor, 1.0) == float("-inf")


def test_the_person_with_the_highest_score_is_named_the_first_of_equals() -> None:
    assert best_person(np.array([[0.1, 0.9], [0.5, 0.5]])).tolist() == [1, 0]
