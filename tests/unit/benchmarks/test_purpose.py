from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from benchmarks import purpose
from benchmarks.making import own_expressions
from benchmarks.purpose import (
    ALONE,
    People,
    Row,
    as_seen,
    cell,
    check_apart,
    check_files_apart,
    drawn_drivers,
    ranks,
    rows_of,
    warnings,
)
from benchmarks.recogniser import SIDE_PX
from mien.model.inference.exported_generator import ExportedGenerator
from mien.model.landmarks.heatmap_spec import HeatmapSpec
from mien.model.landmarks.reference import AlignmentSettings
from mien.model.networks.config import GeneratorConfig
from mien.model.networks.generator import build_generator
from mien.tasks.generator.trained_on import TrainedOn
from tests.unit.benchmarks.given_photos import photo

NAMES = ("anna", "bert", "carl")
SOURCES = [photo(name, number) for number, name in enumerate(NAMES)]
PROBES = [photo(name, 10 + number) for number, name in enumerate(NAMES)]
PEOPLE = People(SOURCES, PROBES, 0)


def generator_trained_on(folder: Path, told: dict[str, object]) -> ExportedGenerator:
    generator = build_generator(GeneratorConfig(kind="residual", size_px=64, width=8, blocks=1))
    return ExportedGenerator(generator, AlignmentSettings(size_px=64), HeatmapSpec(), told).save(folder)


def test_a_probe_among_the_training_pictures_is_refused() -> None:
    faces, probes = (as_seen(one.crop for one in photos) for photos in (SOURCES, PROBES))
    check_apart(faces, probes)
    with pytest.raises(ValueError, match="1 of the photos to be named are trained on"):
        check_apart(np.concatenate([faces, probes[:1]]), probes)


def test_every_row_is_checked_for_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purpose, "trained", lambda *_, **__: pytest.fail("it was trained"))
    leaked = Row("and probes", np.stack([one.crop for one in PROBES]))
    with pytest.raises(ValueError, match="3 of the photos"):
        ranks(leaked, PEOPLE, 1, 1, augmented=False)


def test_a_driver_that_is_a_probe_is_refused() -> None:
    check_files_apart(SOURCES, PROBES)
    with pytest.raises(ValueError, match="1 of the photos to be named are used"):
        check_files_apart([*SOURCES, PROBES[1]], PROBES)


def test_made_faces_are_named_after_their_source(monkeypatch: pytest.MonkeyPatch) -> None:
    given = dict[str, np.ndarray]()

    def recording(faces: np.ndarray, people: np.ndarray, *_: object, **__: object) -> None:
        given.update(faces=faces, people=people)

    monkeypatch.setattr(purpose, "trained", recording)
    monkeypatch.setattr(purpose, "rank_1", lambda *_: 0.5)
    made = np.stack([one.crop for one in SOURCES for _ in range(2)])
    assert ranks(Row("and copies", made), PEOPLE, 1, 2, augmented=True).tolist() == [0.5, 0.5]
    assert given["people"].tolist() == [0, 1, 2, 0, 0, 1, 1, 2, 2]
    assert np.array_equal(given["faces"][3:], given["faces"][[0, 0, 1, 1, 2, 2]])
    assert given["faces"].shape[1:] == (SIDE_PX, SIDE_PX)


def test_probes_have_the_number_of_their_person() -> None:
    mixed = People(SOURCES, [PROBES[2], PROBES[0], PROBES[2]], 0)
    assert mixed.of_probes.tolist() == [2, 0, 2]


def test_the_drivers_of_a_person_take_turns_and_are_always_the_same() -> None:
    photos = [photo(f"driver {n // 3}", n) for n in range(12)]
    drivers = drawn_drivers(photos, people=5, each=6)
    assert [one.shown for one in drivers] == [one.shown for one in drawn_drivers(photos, people=5, each=6)]
    for start in range(0, 30, 6):
        counts = Counter(one.person for one in drivers[start : start + 6])
        assert sorted(counts.values()) == [1, 1, 2, 2]


def test_each_row_adds_as_many_pictures(tmp_path: Path) -> None:
    repeated = [one for one in SOURCES for _ in range(2)]
    generator = generator_trained_on(tmp_path, {})
    rows = list(rows_of(repeated, own_expressions(PROBES + PROBES), {"abc": generator}))
    assert [row.name for row in rows] == [
        ALONE, "and copies of them", "and warps", "and faces of abc", "and abc asked for the photo's own expression"
    ]  # fmt: skip
    assert rows[0].made is None
    assert [len(row.made) for row in rows[1:] if row.made is not None] == [6, 6, 6, 6]
    placebo = rows[-1].made
    assert placebo is not None
    assert np.array_equal(placebo[0], placebo[1])  # the same photo asked for the same


def test_a_difference_is_paired_by_seed() -> None:
    base, better = np.array([0.5, 0.7]), np.array([0.6, 0.8])
    assert cell(base, None) == "60.0 ± 10.0"
    assert cell(better, base) == "70.0 ± 10.0 (+10.0 ± 0.0)"


def test_who_was_trained_on_the_people_is_told(tmp_path: Path) -> None:
    told = {"trained_on": TrainedOn.of([PROBES[0].shown, SOURCES[1].shown], "salt").as_json()}
    generators = {
        "knowing": generator_trained_on(tmp_path / "a", told),
        "silent": generator_trained_on(tmp_path / "b", {}),
        "innocent": generator_trained_on(tmp_path / "c", {"trained_on": TrainedOn.of([], "salt").as_json()}),
    }
    lines = [line for line in warnings(generators, PEOPLE) if line.startswith("WARNING")]
    assert len(lines) == 2
    assert "knowing was trained on 2 of these people" in lines[0]
    assert "silent does not say" in lines[1]
