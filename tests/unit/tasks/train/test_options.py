"""What the parameters of the flow and the settings decide together."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from mien.model.errors import DetectorError, SettingsError
from mien.model.networks.config import GeneratorConfig
from mien.model.training.recipes import RECIPES
from mien.model.training.settings import TrainSettings
from mien.storage import Root
from mien.tasks.errors import UsageError
from mien.tasks.generator.trained_on import TrainedOn
from mien.tasks.generator.weights import RegisteredModel
from mien.tasks.train.options import TrainOptions, changed_from_recipe, resolve_settings, without_missing_terms
from mien.tasks.train.train import training_fingerprint
from tests.drawn_set import drawn_set

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


def test_a_training_that_begins_with_a_generator_has_its_shape(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root, start = Root(f"memory://{uuid4().hex}"), RegisteredModel("models:/mien-generator/3", "run", "abc", False)
    config = GeneratorConfig(kind="motion", size_px=64, width=16)
    known: dict[str, Any] = {"trained_on": TrainedOn.of([], "salt").as_json()}
    monkeypatch.setattr("mien.tasks.train.options.crop_size_px", lambda root, tables: 128)
    monkeypatch.setattr("mien.tasks.train.options.config_of", lambda root, sha256: config)
    monkeypatch.setattr("mien.tasks.train.options.provenance_of", lambda root, sha256: known)

    def begun(settings: TrainSettings, **given: Any) -> GeneratorConfig:
        return resolve_settings(root, [drawn_set(root)], settings, TrainOptions(**given), start).generator

    plain = TrainSettings(steps=5)
    assert begun(plain) == config
    assert begun(plain, size=128) == replace(config, size_px=128)
    assert begun(replace(plain, generator=replace(config, size_px=96))) == replace(config, size_px=96)
    with pytest.raises(
        UsageError, match=r"models:/mien-generator/3 .* \(kind residual, not motion, width 32, not 16\)"
    ):
        begun(plain, generator="residual")
    monkeypatch.setattr("mien.tasks.train.options.crop_size_px", lambda root, tables: 256)
    with pytest.raises(UsageError, match=r"do not fit 256 px: it looks at 64 px; --size may be 64, 96, 128$"):
        begun(plain, size=256)
    with pytest.raises(UsageError, match=r"\(blocks 2, not 4\)"):
        begun(replace(plain, generator=replace(config, blocks=2)))
    known.clear()
    with pytest.raises(UsageError, match="does not say whom it was trained on"):
        begun(plain)


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

    monkeypatch.setattr("mien.tasks.train.options.weight_file", missing)
    with caplog.at_level(logging.WARNING):
        found = without_missing_terms(FILE)
    assert found == replace(FILE, weights=replace(FILE.weights, identity=0.0))
    assert training_fingerprint([], found) != training_fingerprint([], FILE)
    (line,) = caplog.messages
    assert "without the identity term" in line
    assert "pip install 'mien[dlib]'" in line
    patent = RECIPES["patent"]
    assert without_missing_terms(patent) is patent  # which has no such term


def test_without_the_meshs_weights_it_goes_without_the_landmark_term_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("mien.model.graphs.mediapipe_files.is_installed", lambda: False)
    with caplog.at_level(logging.WARNING):
        found = without_missing_terms(FILE)
    assert found == replace(FILE, weights=replace(FILE.weights, landmarks=0.0))
    (line,) = caplog.messages
    assert "without the landmark term (train.weights.landmarks = 0)" in line
    assert "mediapipe==0.10.21" in line
    patent = RECIPES["patent"]
    assert without_missing_terms(patent) is patent
