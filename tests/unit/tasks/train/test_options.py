"""What the parameters of the flow and the settings decide together."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from mien.model.errors import DetectorError, SettingsError
from mien.model.networks.config import GeneratorConfig
from mien.model.training.recipes import RECIPES
from mien.model.training.settings import TrainSettings
from mien.tasks.train.train import TrainOptions, changed_from_recipe, training_fingerprint, without_missing_terms

FILE = TrainSettings(
    generator=GeneratorConfig(kind="residual", size_px=64), steps=50, minutes=2.0, seed=5, batch_size=8
)


def test_what_a_parameter_says_wins_and_all_else_stays() -> None:
    said = TrainOptions(generator="motion", size=96, minutes=1.0, steps=20, seed=0).over(FILE)
    assert said == TrainSettings(
        GeneratorConfig(kind="motion", size_px=96, width=24), steps=20, minutes=1.0, seed=0, batch_size=8
    )


def test_what_no_parameter_says_is_as_the_settings_have_it() -> None:
    found = TrainOptions().over(FILE)
    assert found.generator == GeneratorConfig(kind="residual", size_px=64, width=32)
    assert (found.steps, found.minutes, found.seed, found.batch_size) == (50, 2.0, 5, 8)


def test_a_width_that_is_set_is_kept_for_any_kind() -> None:
    narrow = TrainSettings(generator=GeneratorConfig(kind="residual", width=16))
    assert TrainOptions(generator="motion").over(narrow).generator.width == 16


@pytest.mark.parametrize("options", [TrainOptions(size=0), TrainOptions(steps=0), TrainOptions(minutes=-1.0)])
def test_a_parameter_out_of_bounds_is_refused(options: TrainOptions) -> None:
    with pytest.raises(SettingsError):
        options.over(FILE)


def test_changes_are_told_from_the_recipe() -> None:
    patent = TrainOptions(steps=3).over(RECIPES["patent"])
    assert changed_from_recipe(patent, "patent") == {"train.steps": 3}
    from_default = changed_from_recipe(patent, "default")
    assert {"train.optimizer", "train.weights.mouth", "train.generator.keeps_source"} < set(from_default)


def test_without_the_embedders_weights_it_is_another_training_that_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert without_missing_terms(FILE) is FILE

    def missing(name: str) -> None:
        raise DetectorError(f"the weights {name} are missing: pip install 'mien[dlib]'")

    monkeypatch.setattr("mien.tasks.train.train.weight_file", missing)
    with caplog.at_level(logging.WARNING):
        found = without_missing_terms(FILE)
    assert found == replace(FILE, weights=replace(FILE.weights, identity=0.0))
    assert training_fingerprint([], found) != training_fingerprint([], FILE)
    (line,) = caplog.messages
    assert "without the identity term" in line
    assert "pip install 'mien[dlib]'" in line
    patent = RECIPES["patent"]
    assert without_missing_terms(patent) is patent  # which has no such term
