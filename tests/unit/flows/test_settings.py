"""The settings file: what it says of itself reads back, and what it gets wrong is told in one line."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from mien.flows.settings import Settings, read_settings, settings_toml
from mien.model.configuration.refine import choices, refine, settable, setting_names, type_words
from mien.model.configuration.toml import field_docs
from mien.model.errors import SettingsError
from mien.model.images.video import FrameSettings
from mien.model.landmarks.reference import AlignmentSettings
from mien.model.training.loss_weights import LossWeights
from mien.model.training.recipes import RECIPES, Recipe
from mien.tasks.errors import UsageError
from tests.paths import REPOSITORY


def tables(settings: Any) -> Iterator[Any]:
    """All records of the settings, however deep."""
    yield settings
    for field in fields(settings):
        if is_dataclass(value := getattr(settings, field.name)):
            yield from tables(value)


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_printed_settings_read_back_to_the_same_values(recipe: Recipe) -> None:
    assert refine(Settings(), tomllib.loads(settings_toml(recipe))) == read_settings(None, recipe)


def test_the_printed_settings_have_a_table_for_each_section_and_name_every_setting() -> None:
    text = settings_toml()
    for name in setting_names(Settings()):
        table, _, last = name.rpartition(".")
        assert f"[{name}]\n" in text or f"\n{last} = " in text or f"\n# {last} =" in text, name
        assert not table or f"\n[{table}]\n" in text


def test_every_setting_says_what_it_is() -> None:
    for table in tables(Settings()):
        plain = {name for name in settable(table) if not is_dataclass(getattr(table, name))}
        assert plain <= field_docs(type(table)).keys(), type(table)


def test_no_number_may_be_nan_or_infinite() -> None:
    """A fingerprint of NaN cannot be made, and every limit lets NaN pass."""
    for table in tables(Settings()):
        plain = {name: hint for name, hint in settable(table).items() if not is_dataclass(getattr(table, name))}
        numbers = [name for name, hint in plain.items() if not choices(hint) and type_words(hint) == "a number"]
        for name in numbers:
            for value in (float("nan"), float("inf"), -float("inf")):
                with pytest.raises(Exception, match=rf"{name} must be .*, not -?(nan|inf)"):
                    refine(table, {name: value})
                with pytest.raises(Exception, match=rf"{name} must be .*, not -?(nan|inf)"):
                    replace(table, **{name: value})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"trian": {}}, "there is no setting trian: did you mean train?"),
        ({"steps": 20}, "there is no setting steps: did you mean train.steps?"),
        ({"train": {"steps": 0}}, "train.steps must be at least 1, not 0"),
        (
            {"train": {"weights": {"moth": 1}}},
            "there is no setting train.weights.moth: did you mean train.weights.mouth?",
        ),
        ({"train": {"generator": {"parts": 5}}}, "there is no setting train.generator.parts"),
        ({"train": {"generator": {"size_px": 100}}}, "train.generator: size_px is 100: choose one of 64, 96"),
        (
            {"train": {"generator": {"kind": "residual", "width": 15}}},
            "train.generator: the width of a residual generator must be even, not 15",
        ),
        ({"train": {"batch_size": 0}}, "train.batch_size must be at least 1, not 0"),
        ({"train": {"batch_size": 1}}, "train: a batch_size of 1 has no pairs that do not belong together"),
        ({"train": {"learning_rate": -1}}, "train.learning_rate must be above 0, not -1.0"),
        ({"train": {"average_decay": 1}}, "train.average_decay must be at least 0 and below 1, not 1.0"),
        (
            {"train": {"gan_loss": "hing"}},
            "train.gan_loss must be one of bce, hinge, least_squares, not 'hing'; did you",
        ),
        ({"train": {"stop": {"metric": "identity_auc"}}}, "train.stop.metric must be one of l1, ssim, psnr"),
        ({"quality": {"min_brightness": 0.95}}, "quality: min_brightness is above max_brightness"),
        ({"gate": {"max_expression_error": -0.1}}, "gate.max_expression_error must be at least 0"),
        ({"frames": {"every": 0}}, "frames.every must be at least 1, not 0"),
        ({"alignment": {"size_px": 8}}, "alignment.size_px must be at least 64 and at most 1024, not 8"),
        ({"train": [1]}, "train must be a table of settings"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as raised:
        read_settings(given)
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)


def test_a_file_refines_a_recipe(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('[train]\nexpression_real_pair = "literal"\n[train.stop]\ntolerance = 0.5\n[gate]\n')
    patent = RECIPES["patent"]
    stop = replace(patent.stop, tolerance=0.5)
    found = read_settings(str(file), "patent")
    assert found == Settings(train=replace(patent, expression_real_pair="literal", stop=stop))
    assert found == read_settings(tomllib.loads(file.read_text()), "patent")


def test_the_example_of_the_docs_is_a_settings_file() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", (REPOSITORY / "docs" / "settings.md").read_text(), re.DOTALL)
    found = read_settings(tomllib.loads(example))
    assert found.train.weights == LossWeights(mouth=8.0, identity=0.0)
    assert (found.quality.min_face_px, found.train.minutes, found.gate.min_sharpness_ratio) == (48.0, 30.0, 0.6)


def test_parameters_win_over_the_sections_of_a_file() -> None:
    chosen = read_settings({"alignment": {"size_px": 96, "margin_top": 0.4}, "frames": {"every": 5, "fps": 3.0}})
    assert chosen.with_crop_size(None).with_frames(None, None) == chosen
    assert chosen.with_crop_size(128).alignment == AlignmentSettings(128, 0.4)
    assert chosen.with_frames(1.0, None).frames == FrameSettings(fps=1.0)
    assert chosen.with_frames(None, 7).frames == FrameSettings(fps=3.0, every=7)
    assert chosen.with_frames(1.0, 7).frames == FrameSettings(fps=1.0, every=7)
    for wrong in (lambda: chosen.with_crop_size(8), lambda: chosen.with_frames(0.0, None)):
        with pytest.raises(SettingsError):
            wrong()


def test_nothing_given_is_the_recipe_alone() -> None:
    assert read_settings(None) == read_settings({}) == Settings()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[train\n", "is no TOML file: "),
        (b"a = 1\na = 2\n", "is no TOML file: "),
        (b"x = " + b"9" * 5000, "is no TOML file: "),
        (b"x = " + b"[" * 100_000, "is no TOML file: "),
        (b"\xff\xfe", "is no UTF-8 text"),
        (b"train = 3\n", "train must be a table of settings, not 3"),
    ],
)
def test_a_file_that_is_none_is_told_in_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "settings.toml"
    file.write_bytes(content)
    with pytest.raises(UsageError) as raised:
        read_settings(str(file))
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no\.toml"):
        read_settings(str(tmp_path / "no.toml"))


def test_an_unknown_recipe_is_refused() -> None:
    with pytest.raises(UsageError, match="there is no recipe 'patents': choose one of default, patent"):
        read_settings(None, "patents")  # pyright: ignore[reportArgumentType]


def test_reading_settings_loads_neither_torch_nor_mlflow() -> None:
    code = "import sys, mien.flows.settings as s; s.settings_toml(); print(*(sys.modules.keys() & {'torch', 'mlflow'}))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert found.stdout.strip() == ""
