from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.judged import unseen
from benchmarks.judged_measures import openings
from benchmarks.judged_pairs import Pairs, pairs_of_one, pairs_of_two, shut_eyes_of_one, usual_eyes
from benchmarks.judged_results import Judges, Results, Tasks, copies_of, face_box, photos_of
from benchmarks.judged_rows import Row, column, rows, table
from benchmarks.making import Pictures, own_expressions
from mien.model.detection.detector import FoundFace
from mien.model.expression.shape_model import ShapeModel
from mien.model.inference.exported_generator import ExportedGenerator
from mien.model.landmarks.heatmap_spec import HeatmapSpec
from mien.model.landmarks.reference import AlignmentSettings
from mien.model.networks.config import GeneratorConfig
from mien.model.networks.generator import build_generator
from mien.tasks.generator.trained_on import TrainedOn
from tests.unit.benchmarks.given_photos import SIDE_PX, photo

PHOTOS = [
    photo(person, 10 * number + n, lids, split)
    for number, (person, split) in enumerate((("anna", "train"), ("bert", "test"), ("carl", "val")))
    for n, lids in enumerate((1.0, 0.95, 0.9, 0.02))
]
BY_CROP = {each.crop.tobytes(): each for each in PHOTOS}


class KnowsThePhotos:
    """Recognises each photo by its pixels, and says what its landmarks and who its person is."""

    version, landmark_scheme, weights_licences = "1", "ibug68", {}
    same_person_similarity, group_similarity = 0.5, 0.5

    def __init__(self, name: str) -> None:
        self.name = name
        self.looks = 0

    def find(self, image: np.ndarray) -> list[FoundFace]:
        self.looks += 1
        seen = BY_CROP.get(np.ascontiguousarray(image[::4, ::4]).tobytes())
        if seen is None:
            return []
        landmarks = (seen.keypoints.landmarks_xy * 4).astype(np.float32)
        return [FoundFace((0.0, 0.0, 9.0, 9.0), 1.0, landmarks, "ibug68")]

    def embed(self, image: np.ndarray, faces: list[FoundFace]) -> np.ndarray:
        people = sorted({each.person for each in PHOTOS})
        seen = BY_CROP[np.ascontiguousarray(image[::4, ::4]).tobytes()]
        return np.eye(len(people), dtype=np.float32)[[people.index(seen.person)] * len(faces)]

    def similarity(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return (first * second).sum(-1)


def enlarged(pictures: Pictures) -> Pictures:
    """So that the pixels are found again."""
    return pictures.repeat(4, axis=1).repeat(4, axis=2)


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch) -> Tasks:
    def by_copy(sources: list[tuple], _: list, side_px: int) -> Pictures:
        crops = np.stack([photos[0].crop for photos in sources])
        return enlarged(crops) if side_px == 4 * SIDE_PX else crops.repeat(side_px // SIDE_PX, 1).repeat(2, 2)

    monkeypatch.setattr("benchmarks.judged_results.by_copy", by_copy)
    monkeypatch.setattr("benchmarks.judged_pairs.by_copy", by_copy)
    points = np.stack([each.points for each in PHOTOS])
    points = points + np.random.default_rng(0).normal(0, 1e-3, points.shape)
    model, usual = ShapeModel.fit(points, np.repeat(np.arange(3), 4)), usual_eyes(PHOTOS)
    shut = shut_eyes_of_one(PHOTOS, usual, 9)
    return Tasks(pairs_of_one(PHOTOS, 9), pairs_of_two(PHOTOS, model, 9), shut, shut.first(0), usual)


def judges() -> Judges:
    return Judges(KnowsThePhotos("mesh"), None, None)


def test_a_copy_reaches_nothing_and_the_photo_all_that_is_asked(tasks: Tasks) -> None:
    copy, photo_itself = (Results(way, tasks, judges()) for way in (copies_of, photos_of))
    assert copy.reached(tasks.one, "eyes", copy.judges.mesh) == 0
    assert photo_itself.reached(tasks.one, "eyes", photo_itself.judges.mesh) == pytest.approx(1, abs=1e-3)
    assert (copy.shut(tasks.shut_one), photo_itself.shut(tasks.shut_one)) == (0, 1)
    assert photo_itself.sharpness("face", 128) == 1


def test_greenish_mouths_are_counted_among_those_that_open() -> None:
    shut, open_ = photo("anna", 1), photo("anna", 2, jaw_px=10)
    pairs = Pairs([(shut,), (shut,), (open_,)], [open_, open_, shut], [], one_person=True)
    pairs.expressions.extend(own_expressions(pairs.drivers))
    none = pairs.first(0)

    def made(*colours: tuple[int, int, int]) -> Results:
        pictures = np.stack([np.full((256, 256, 3), colour, np.uint8) for colour in colours])
        return Results(lambda *_: pictures, Tasks(pairs, none, none, none, {}), judges())

    green, white = (200, 210, 200), (200, 200, 200)
    assert made(white, white, green).greenish() == 0  # the third does not open
    assert made(green, white, white).greenish() == 0.5
    assert made(green, green, white).greenish() == 1


def test_where_there_is_nothing_to_look_at_there_is_no_value(tasks: Tasks) -> None:
    results = Results(photos_of, tasks, judges())
    for value in (
        results.reached(tasks.two, "mouth", results.judges.mesh),
        results.reached(tasks.one, "mouth", None),
        results.whose(results.judges.mesh).leak,
        results.whose(None).kept,
        results.told_from_photos(128),
        results.rate(128),
        Results(copies_of, tasks, judges()).shut(tasks.shut_two),
    ):
        assert np.isnan(value)


def test_copies_are_taken_for_the_source_and_the_drivers_pictures_for_the_driver(tasks: Tasks) -> None:
    def drivers(pairs: Pairs, side_px: int) -> Pictures:
        return pairs.photos(side_px)

    copy, leaked = (Results(way, tasks, judges()) for way in (copies_of, drivers))
    assert copy.whose(copy.judges.mesh) == (0, 1)
    assert leaked.whose(leaked.judges.mesh) == (1, 0)


def test_a_picture_without_a_face_is_nobody(tasks: Tasks) -> None:
    results = Results(lambda pairs, side_px: np.zeros((len(pairs), side_px, side_px, 3), np.uint8), tasks, judges())
    assert results.whose(results.judges.mesh) == (0, 0)
    assert results.shut(tasks.shut_one) == 0
    assert np.isnan(results.reached(tasks.one, "eyes", results.judges.mesh))


def test_results_are_looked_at_once(tasks: Tasks) -> None:
    results = Results(copies_of, tasks, judges())
    results.reached(tasks.one, "eyes", results.judges.mesh)
    looks = results.judges.mesh.looks
    results.reached(tasks.one, "mouth", results.judges.mesh)
    assert results.judges.mesh.looks == looks


def test_colour_is_that_of_results_of_grey_sources(tasks: Tasks) -> None:
    def reddened(pairs: Pairs, side_px: int) -> Pictures:
        made = pairs.grey.firsts[0].crop // 2
        assert all((np.ptp(each.crop, axis=2) == 0).all() for each in pairs.firsts)
        return np.stack([made.repeat(2, 0).repeat(2, 1) + np.array([9, 0, 0], np.uint8)] * len(pairs))

    assert Results(reddened, tasks, judges()).chroma() == 9


def test_a_box_holds_the_landmarks() -> None:
    left, top, right, bottom = face_box(PHOTOS[0].points, 128)
    inside = PHOTOS[0].keypoints.landmarks_xy * 2
    assert (left, top) == tuple(np.clip(inside.min(0), 0, 128).astype(int))
    assert (right, bottom) == tuple(np.clip(inside.max(0), 0, 128).astype(int))
    assert openings(PHOTOS[0].keypoints.landmarks_xy, "ibug68").eyes > 0


def test_people_who_were_trained_on_are_left_out_and_without_a_record_those_of_train(tmp_path: Path) -> None:
    network = build_generator(GeneratorConfig(kind="residual", size_px=64, width=8, blocks=1))

    def generator(told: dict[str, object]) -> ExportedGenerator:
        return ExportedGenerator(network, AlignmentSettings(size_px=64), HeatmapSpec(), told)

    on_bert = generator({"trained_on": TrainedOn.of([PHOTOS[4].shown], "salt").as_json()})
    kept, lines = unseen(PHOTOS, {"a": on_bert})
    assert {each.person for each in kept} == {"set/anna", "set/carl"}
    assert not any("WARNING" in line for line in lines)
    kept, lines = unseen(PHOTOS, {"a": on_bert, "b": generator({})})
    assert {each.person for each in kept} == {"set/carl"}
    assert any("WARNING: b does not say" in line for line in lines)


def test_a_table_has_a_row_for_each_measure_and_a_dash_where_there_is_none(tasks: Tasks) -> None:
    measures = [Row("one", "≥ 1", lambda its: 0.5), Row("other", "", lambda its: float("nan"))]
    lines = list(table(measures, {"copy": column(Results(copies_of, tasks, judges()), measures)}))
    assert lines == ["| | copy | aim |", "|---|---|---|", "| one | 0.500 | ≥ 1 |", "| other | – |  |"]


def test_titles_are_told_once_and_the_second_embedder_has_rows_where_there_is_one() -> None:
    alone, both = ([row.title for row in rows(second)] for second in (False, True))
    assert len(set(both)) == len(both)
    assert [title for title in both if title not in alone] == [title for title in both if "second embedder" in title]
    assert len(both) == len(alone) + 2
