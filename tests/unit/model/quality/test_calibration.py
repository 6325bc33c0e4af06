"""Limits from measures of real photos."""

from __future__ import annotations

import numpy as np
import pytest

from mien.model.quality.calibration import by_measure, calibrated_limits, robust_high, robust_low
from mien.model.quality.face_measures import FaceMeasures
from mien.model.quality.gate import GateLimits, GateSettings

RANDOM = np.random.default_rng(0)
SIMILAR = RANDOM.normal(0.65, 0.06, 4000)


def test_of_normal_values_one_percent_lies_beyond() -> None:
    assert (robust_low(SIMILAR, 2.33) > SIMILAR).mean() == pytest.approx(0.01, abs=0.005)
    assert (robust_high(SIMILAR, 2.33) < SIMILAR).mean() == pytest.approx(0.01, abs=0.005)


def test_wrong_labels_hardly_open_the_limit_of_similarity() -> None:
    """2% of the photos have a wrong label, so 4% of the pairs show two people."""
    wrong = SIMILAR.copy()
    wrong[:160] = RANDOM.normal(0.2, 0.06, 160)
    clean, dirty = (calibrated_limits(values, {})["min_identity_similarity"] for values in (SIMILAR, wrong))
    assert clean - dirty < 0.04
    assert np.quantile(wrong, 0.01) < 0.3  # what the first percentile would say


def test_the_built_in_limits_hold_where_real_photos_differ_little() -> None:
    limits = calibrated_limits(SIMILAR, {"texture_error": RANDOM.uniform(0, 0.1, 100).tolist()})
    assert limits["max_texture_error"] == GateLimits(0.4).max_texture_error


def test_real_photos_that_differ_widen_the_limits_up_to_what_a_damaged_face_reaches() -> None:
    real = {
        "sharpness_ratio": np.exp(RANDOM.normal(0, 0.7, 200)).tolist(),
        "texture_error": RANDOM.normal(0.5, 0.3, 200).tolist(),
        "contrast_ratio": np.exp(RANDOM.normal(0, 0.5, 200)).tolist(),
    }
    limits = calibrated_limits(SIMILAR, real)
    assert 0.15 <= limits["min_sharpness_ratio"] < 0.2
    assert 4 < limits["max_sharpness_ratio"] <= 6
    assert (limits["max_texture_error"], limits["min_contrast_ratio"]) == (0.78, 0.66)


def test_the_limits_are_settings() -> None:
    real = by_measure([FaceMeasures(identity_similarity=0.5, texture_error=0.1, asked="little")] * 3)
    assert set(real) == {"identity_similarity", "texture_error"}
    GateSettings(**calibrated_limits(SIMILAR, real))
