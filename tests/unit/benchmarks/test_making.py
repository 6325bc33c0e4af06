from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.making import (
    AT_ONCE,
    about,
    asked_landmarks,
    by_copy,
    by_generator,
    by_warp,
    load_generators,
    own_expressions,
    seen_people,
)
from mien.model.images.codec import resize_rgb
from mien.model.inference.exported_generator import ExportedGenerator
from mien.model.landmarks.heatmap_spec import HeatmapSpec
from mien.model.landmarks.reference import AlignmentSettings
from mien.model.networks.config import GeneratorConfig
from mien.model.networks.generator import build_generator
from mien.tasks.generator.trained_on import TrainedOn
from tests.unit.benchmarks.given_photos import SIDE_PX, photo

PHOTOS = [photo("anna", 1), photo("anna", 2, lids=0.1), photo("bert", 3)]
GIVEN = [(one,) for one in PHOTOS]
EXPRESSIONS = own_expressions(PHOTOS[1:] + PHOTOS[:1])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained generator that says it was trained on anna."""
    generator = build_generator(GeneratorConfig(kind="residual", size_px=64, width=8, blocks=1))
    told = {"trained_on": TrainedOn.of([PHOTOS[0].shown], "salt").as_json(), "steps": 7, "data": {"team": "0"}}
    path = tmp_path_factory.mktemp("generator")
    ExportedGenerator(generator, AlignmentSettings(size_px=64), HeatmapSpec(), told).save(path)
    return path


def test_a_copy_is_the_first_photo_at_the_size_asked_for() -> None:
    made = by_copy([(PHOTOS[0], PHOTOS[1])], EXPRESSIONS[:1], 2 * SIDE_PX)
    assert np.array_equal(made[0], resize_rgb(PHOTOS[0].crop, 2 * SIDE_PX))


def test_a_warp_moves_nothing_where_nothing_is_asked_and_lids_where_they_are() -> None:
    own = by_warp(GIVEN, own_expressions(PHOTOS), SIDE_PX)
    moved = by_warp(GIVEN[:1], own_expressions(PHOTOS[1:2]), SIDE_PX)
    assert np.abs(own.astype(int) - np.stack([one.crop for one in PHOTOS]).astype(int)).max() <= 1
    assert np.abs(moved[0].astype(int) - PHOTOS[0].crop.astype(int)).max() > 50


def test_batches_change_nothing(folder: Path) -> None:
    make = by_generator(ExportedGenerator.load(folder))
    many = [one for _ in range(AT_ONCE) for one in GIVEN]
    asked = [one for _ in range(AT_ONCE) for one in EXPRESSIONS]
    made = make(many, asked, 96)
    assert made.shape == (len(many), 96, 96, 3)
    assert np.array_equal(made[:3], make(GIVEN, EXPRESSIONS, 96))


def test_what_is_asked_of_a_person_for_an_own_expression_is_that() -> None:
    asked = asked_landmarks(PHOTOS[0], EXPRESSIONS[0])
    assert np.allclose(asked.landmarks_xy, PHOTOS[1].keypoints.landmarks_xy, atol=1e-3)


def test_a_grey_photo_has_one_value_in_each_pixel_and_the_same_landmarks() -> None:
    grey = PHOTOS[0].grey
    assert (np.ptp(grey.crop, axis=2) == 0).all()
    assert grey.points is PHOTOS[0].points


def test_people_are_known_by_the_set_too_and_who_was_trained_on_is_found(folder: Path) -> None:
    (name, generator), *_ = load_generators([folder]).items()
    assert seen_people(generator, PHOTOS) == {"set/anna"}
    assert seen_people(generator, PHOTOS[2:]) == set()
    assert about(name, generator).startswith(
        f"generator {str(generator.sha256)[:8]}: residual, 64 px, 7 updates on team,"
    )


def test_a_generator_that_does_not_say_whom_it_was_trained_on_is_not_taken_for_an_innocent_one(folder: Path) -> None:
    generator = ExportedGenerator.load(folder)
    silent = ExportedGenerator(generator.generator, generator.alignment, generator.heatmap_spec, {})
    assert seen_people(silent, PHOTOS) is None
    assert "sets that it does not name" in about("x", silent)
