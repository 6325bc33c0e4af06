"""An exported generator keeps weights and inputs as they were made, and refuses weights of another one."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from mien.model.errors import WeightsError
from mien.model.expression.shape_model import ShapeModel
from mien.model.inference.exported_generator import CONFIG, SHAPE_MODEL, WEIGHTS, ExportedGenerator
from mien.model.landmarks.heatmap_spec import HeatmapSpec
from mien.model.landmarks.reference import AlignmentSettings
from mien.model.networks.config import GeneratorConfig
from mien.model.networks.generator import build_generator
from tests.drawn_faces import drawn_faces

FACES = drawn_faces(people=2, each=2)


@pytest.fixture
def saved(tmp_path: Path) -> ExportedGenerator:
    torch.manual_seed(0)
    generator = build_generator(GeneratorConfig(size_px=64, width=16, blocks=1))
    model = ExportedGenerator(generator, AlignmentSettings(size_px=96), HeatmapSpec(size_px=32), {"run": "a"})
    return model.save(tmp_path)


def generate(model: ExportedGenerator, side_px: int = 64, made_px: int | None = None) -> np.ndarray:
    photos = np.repeat(np.repeat(FACES.images.transpose(0, 2, 3, 1), side_px // 64, 1), side_px // 64, 2)
    return model.generate(
        photos[:, None],
        source_heatmaps=FACES.heatmaps[:, None],
        target_heatmaps=FACES.heatmaps[::-1],
        source_points=FACES.points[:, None],
        target_points=FACES.points[::-1],
        side_px=made_px,
    )


def test_a_loaded_model_generates_the_same_pixels(saved: ExportedGenerator, tmp_path: Path) -> None:
    loaded = ExportedGenerator.load(tmp_path, sha256=saved.sha256)
    first, second = generate(saved), generate(loaded)
    assert first.shape == (4, 64, 64, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, second)
    assert loaded.alignment == AlignmentSettings(size_px=96)
    assert loaded.heatmap_spec == HeatmapSpec(size_px=32)
    assert loaded.provenance == {"run": "a"}
    assert loaded.size_px == 64


def test_it_says_how_its_keypoints_are_drawn(saved: ExportedGenerator, tmp_path: Path) -> None:
    assert saved.scheme is None
    dense = replace(saved, scheme="mediapipe478", heatmap_spec=HeatmapSpec(32, form="contours")).save(
        tmp_path / "dense"
    )
    loaded = ExportedGenerator.load(tmp_path / "dense")
    assert loaded.scheme == dense.scheme == "mediapipe478"
    assert loaded.heatmap_spec == HeatmapSpec(32, form="contours")


def test_a_generator_of_a_version_that_drew_points_alone_gets_points(saved: ExportedGenerator, tmp_path: Path) -> None:
    config = json.loads((tmp_path / CONFIG).read_text())
    del config["landmark_scheme"], config["heatmaps"]["form"]
    (tmp_path / CONFIG).write_text(json.dumps(config))
    loaded = ExportedGenerator.load(tmp_path)
    assert saved.heatmap_spec.form == "contours"
    assert loaded.heatmap_spec == HeatmapSpec(32, form="points")
    assert loaded.scheme is None


def test_a_width_by_default_is_stored_as_the_number_that_it_is(tmp_path: Path) -> None:
    generator = build_generator(GeneratorConfig(size_px=64, blocks=0))
    ExportedGenerator(generator, AlignmentSettings(), HeatmapSpec(), {}).save(tmp_path)
    assert json.loads((tmp_path / CONFIG).read_text())["generator"]["width"] == 24
    assert ExportedGenerator.load(tmp_path).generator.config == GeneratorConfig(size_px=64, width=24, blocks=0)


def test_images_have_the_side_of_the_photos_unless_another_is_asked_for(saved: ExportedGenerator) -> None:
    assert generate(saved, side_px=128).shape[1] == 128
    assert generate(saved, side_px=128, made_px=64).shape[1] == 64
    assert generate(saved, made_px=256).shape[1] == 256


def test_the_network_sees_the_same_in_a_larger_photo(saved: ExportedGenerator) -> None:
    # Each pixel four times: averaged over areas, that is the small photo again. Only the sampling is finer.
    small, large = generate(saved).astype(float), generate(saved, side_px=128, made_px=64).astype(float)
    assert np.abs(small - large).mean() < 4


def test_several_photos_of_a_person_are_taken(saved: ExportedGenerator) -> None:
    both = FACES.images.transpose(0, 2, 3, 1)[[[0, 1], [2, 3]]]
    asked = FACES.heatmaps[[1, 3]], FACES.points[[1, 3]]
    given = {
        "source_heatmaps": FACES.heatmaps[[[0, 1], [2, 3]]],
        "target_heatmaps": asked[0],
        "source_points": FACES.points[[[0, 1], [2, 3]]],
        "target_points": asked[1],
    }
    made = saved.generate(both, **given)
    assert made.shape == (2, 64, 64, 3)
    alone = saved.generate(both, **given, present=np.array([[True, False], [True, True]]))
    assert not np.array_equal(made[0], alone[0])
    assert np.array_equal(made[1], alone[1])


def test_weights_of_the_former_form_are_taken_over(saved: ExportedGenerator, tmp_path: Path) -> None:
    # One layer gave flow, drawn layer and mask, and there was one source.
    weights = load_file(tmp_path / WEIGHTS)
    for what in ("weight", "bias"):
        show, drawn = weights.pop(f"show.{what}"), weights[f"draw.{what}"]
        weights[f"draw.{what}"] = torch.cat([show[:2], drawn, show[2:]])
    for name in ("rate.weight", "rate_deep.weight"):
        weights.pop(name)
    save_file(weights, tmp_path / WEIGHTS)
    config = json.loads((tmp_path / CONFIG).read_text())
    config["weights_sha256"] = hashlib.sha256((tmp_path / WEIGHTS).read_bytes()).hexdigest()
    (tmp_path / CONFIG).write_text(json.dumps(config))
    assert np.array_equal(generate(ExportedGenerator.load(tmp_path)), generate(saved))


def test_the_same_weights_have_the_same_hash(saved: ExportedGenerator, tmp_path: Path) -> None:
    assert saved.save(tmp_path / "again").sha256 == saved.sha256


def test_tampered_weights_are_refused(saved: ExportedGenerator, tmp_path: Path) -> None:
    weights = bytearray((tmp_path / WEIGHTS).read_bytes())
    weights[-1] ^= 1
    (tmp_path / WEIGHTS).write_bytes(weights)
    with pytest.raises(WeightsError, match="not the ones that were saved"):
        ExportedGenerator.load(tmp_path)


def test_other_weights_than_the_expected_are_refused(saved: ExportedGenerator, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="not the ones that were saved"):
        ExportedGenerator.load(tmp_path, sha256="0" * 64)


def test_weights_of_another_shape_are_refused(saved: ExportedGenerator, tmp_path: Path) -> None:
    config = json.loads((tmp_path / CONFIG).read_text())
    config["generator"]["width"] = 32
    (tmp_path / CONFIG).write_text(json.dumps(config))
    with pytest.raises(WeightsError, match="does not fit this version of the code"):
        ExportedGenerator.load(tmp_path)


def with_shapes(saved: ExportedGenerator, folder: Path) -> ExportedGenerator:
    shapes = ShapeModel.fit(FACES.points.astype(np.float64), FACES.identities)
    return replace(saved, shape_model=shapes).save(folder)


def test_the_shape_model_is_stored_with_the_weights(saved: ExportedGenerator, tmp_path: Path) -> None:
    loaded = with_shapes(saved, tmp_path / "more")
    assert loaded.sha256 == saved.sha256
    assert loaded.shape_model is not None
    assert loaded.shape_model.mean.shape == (68, 3)
    assert saved.shape_model is None


def test_a_model_from_before_the_shape_model_loads(saved: ExportedGenerator, tmp_path: Path) -> None:
    config = json.loads((tmp_path / CONFIG).read_text())
    del config["shape_model_sha256"]
    (tmp_path / CONFIG).write_text(json.dumps(config))
    assert ExportedGenerator.load(tmp_path).shape_model is None


def test_another_shape_model_is_refused(saved: ExportedGenerator, tmp_path: Path) -> None:
    with_shapes(saved, tmp_path)
    (tmp_path / SHAPE_MODEL).write_bytes(b"another")
    with pytest.raises(WeightsError, match="shape model"):
        ExportedGenerator.load(tmp_path)


@pytest.mark.parametrize("missing", [WEIGHTS, CONFIG])
def test_a_missing_file_is_named(saved: ExportedGenerator, tmp_path: Path, missing: str) -> None:
    (tmp_path / missing).unlink()
    with pytest.raises(WeightsError, match=missing):
        ExportedGenerator.load(tmp_path)


def test_several_photos_are_for_generators_that_learnt_from_several(saved: ExportedGenerator) -> None:
    assert saved.combines  # nothing is said of a training
    assert replace(saved, provenance={"settings": {"max_sources": 4}}).combines
    assert not replace(saved, provenance={"settings": {"max_sources": 1}}).combines
    assert not replace(saved, provenance={"settings": {"steps": 800}}).combines  # of versions before
    residual = build_generator(GeneratorConfig(kind="residual", size_px=64, width=16, blocks=1))
    assert not replace(saved, generator=residual).combines
