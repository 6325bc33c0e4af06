"""What a generator takes: heatmaps of source and target in one form, from the cache where that has it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import numpy as np
import pytest

from mien.model.expression.retargeting import RetargetSettings
from mien.model.images.codec import encode_png
from mien.model.inference.exported_generator import ExportedGenerator
from mien.model.landmarks.heatmap_spec import HeatmapForm, HeatmapSpec
from mien.model.landmarks.heatmaps import render_heatmaps
from mien.model.landmarks.parts import LandmarkScheme
from mien.model.landmarks.schemes import to_common
from mien.storage import Root
from mien.tasks.generator.inputs import FacePair, HeatmapsFor, generator_inputs, retargeted_points
from mien.tasks.generator.neutrals import keep_neutrals
from mien.tasks.generator.weights import keep_model
from mien.tasks.sets.face_columns import landmarks_px, scheme_of
from mien.tasks.sets.face_rows import FaceWithHeatmap
from mien.tasks.sets.faces import FaceTables, read_faces, usable_faces
from tests.dense_faces import dense_landmarks
from tests.drawn_faces import drawn_faces
from tests.drawn_set import SIDE_PX, drawn_set, small_generator

FACES = drawn_faces(people=2, each=2)
COLUMNS = ["crop", "landmarks_xy", "landmark_scheme", "identity"]


def row(n: int, scheme: LandmarkScheme, spec: HeatmapSpec, gaze: float = 0.0) -> FaceWithHeatmap:
    landmarks = ((dense_landmarks(FACES.points[n], scheme, gaze) + 1) * (SIDE_PX / 2)).astype(np.float32)
    face = {
        "face_id": f"{n}",
        "set": "drawn",
        "crop": encode_png(np.ascontiguousarray(FACES.images[n].transpose(1, 2, 0))),
        "landmarks_xy": landmarks.ravel().tolist(),
        "landmark_scheme": scheme,
        "heatmap": render_heatmaps(landmarks[None], scheme, SIDE_PX, spec)[0],
    }
    return cast("FaceWithHeatmap", face)


def own_points(pairs: list[FacePair]) -> np.ndarray:
    return generator_inputs(HeatmapsFor(HeatmapSpec(), None, frozenset()), pairs, SIDE_PX).target_points


@pytest.mark.parametrize("scheme", ["ibug68", "insightface106", "mediapipe478"])
@pytest.mark.parametrize("form", ["points", "contours"])
def test_a_face_asked_for_itself_has_the_heatmap_of_the_cache(scheme: LandmarkScheme, form: HeatmapForm) -> None:
    spec = HeatmapSpec(size_px=32, form=form)
    pairs = [(face, face) for face in (row(n, scheme, spec, gaze=0.3) for n in range(4))]
    how = HeatmapsFor(spec, scheme, frozenset(["drawn"]))
    for retargeted in (None, own_points(pairs)):
        inputs = generator_inputs(how, pairs, SIDE_PX, retargeted)
        cached = np.stack([face["heatmap"] for face, _ in pairs]).astype(int)
        assert np.array_equal(inputs.source_heatmaps[:, 0], cached)
        assert np.abs(inputs.target_heatmaps - cached).max() <= 1


def test_a_pair_of_a_set_with_itself_is_retargeted_to_its_own_heatmap(tmp_path: Path) -> None:
    root = Root(f"memory://{uuid4().hex}")
    tables = drawn_set(root)
    sha256 = keep_model(root, small_generator(tmp_path))
    generator = ExportedGenerator.load(tmp_path)
    rows = list(
        read_faces(root, [tables], {r["face_id"] for r in usable_faces(root, [tables], ["face_id"])}, COLUMNS).values()
    )
    pairs = [(face, face) for face in rows]
    neutrals = keep_neutrals(root, [tables], sha256, RetargetSettings())
    retargeted = retargeted_points(root, neutrals, RetargetSettings(), None, pairs, SIDE_PX)
    how = HeatmapsFor.of(root, generator, [tables])
    assert how.cached == {"drawn"}
    inputs = generator_inputs(how, pairs, SIDE_PX, retargeted)
    apart = np.abs(inputs.target_heatmaps.astype(int) - np.stack([face["heatmap"] for face in rows]))
    assert apart.max() <= 4
    assert apart.mean() < 0.1


def test_a_cache_in_another_form_is_not_taken(tmp_path: Path) -> None:
    root = Root(f"memory://{uuid4().hex}")
    tables: FaceTables = drawn_set(root)
    generator = ExportedGenerator.load(small_generator(tmp_path))
    assert HeatmapsFor.of(root, generator, [tables]).cached == {"drawn"}
    for change in ({"form": "points"}, {"sigma_px": 1.0}):
        other = replace(generator, heatmap_spec=replace(generator.heatmap_spec, **cast("dict[str, Any]", change)))
        how = HeatmapsFor.of(root, other, [tables])
        assert how.cached == frozenset()
        face = row(0, "ibug68", HeatmapSpec(size_px=32))
        drawn = generator_inputs(how, [(face, face)], SIDE_PX).source_heatmaps[0, 0]
        assert np.array_equal(drawn, row(0, "ibug68", other.heatmap_spec)["heatmap"])
        assert not np.array_equal(drawn, face["heatmap"])


def test_faces_of_two_schemes_are_both_drawn_from_the_common_landmarks() -> None:
    spec = HeatmapSpec(size_px=32)
    dense, common = row(0, "mediapipe478", spec), row(1, "ibug68", spec)
    how = HeatmapsFor(spec, "mediapipe478", frozenset(["drawn"]))
    inputs = generator_inputs(how, [(dense, common), (common, dense)], SIDE_PX)
    points = own_points([(common, dense), (dense, common)])
    expected = render_heatmaps((points + 1) * (SIDE_PX / 2), "ibug68", SIDE_PX, spec).astype(int)
    assert np.abs(inputs.source_heatmaps[:, 0] - expected).max() <= 1
    assert np.abs(inputs.target_heatmaps - expected[::-1]).max() <= 1


def test_a_generator_of_the_common_landmarks_gets_no_dense_heatmaps() -> None:
    spec = HeatmapSpec(size_px=32)
    face = row(0, "mediapipe478", spec)
    inputs = generator_inputs(HeatmapsFor(spec, "ibug68", frozenset(["drawn"])), [(face, face)], SIDE_PX)
    common = to_common(landmarks_px(face), "mediapipe478")
    assert np.array_equal(inputs.source_heatmaps[:, 0], render_heatmaps(common[None], "ibug68", SIDE_PX, spec))
    assert np.array_equal(inputs.source_heatmaps[:, 0], inputs.target_heatmaps)
    assert not np.array_equal(inputs.source_heatmaps[0, 0], face["heatmap"])


@pytest.mark.parametrize("scheme", ["mediapipe478", "ibug68"])
def test_all_sources_of_a_pair_are_drawn_from_one_scheme(scheme: LandmarkScheme) -> None:
    """One of them knows the common landmarks alone: then so do the others, and the target."""
    spec = HeatmapSpec(size_px=32)
    source, driver, near = (row(n, "mediapipe478", spec) for n in range(3))
    other = row(3, scheme, spec)
    how = HeatmapsFor(spec, "mediapipe478", frozenset(["drawn"]))
    inputs = generator_inputs(how, [(source, driver)], SIDE_PX, further=[[near, other]])
    assert inputs.sources.shape == (1, 3, SIDE_PX, SIDE_PX, 3)
    assert inputs.source_points.shape == (1, 3, 68, 2)
    for number, face in enumerate((source, near, other)):
        drawn = [row(n, "mediapipe478", spec)["heatmap"] for n in (0, 2, 3)][number]
        if scheme == "ibug68":
            common = to_common(landmarks_px(face), scheme_of(face))
            drawn = render_heatmaps(common[None], "ibug68", SIDE_PX, spec)[0]
        assert np.array_equal(inputs.source_heatmaps[0, number], drawn)
    alone = generator_inputs(how, [(source, driver)], SIDE_PX)
    assert np.array_equal(alone.target_heatmaps, inputs.target_heatmaps) == (scheme == "mediapipe478")
    assert np.array_equal(alone.sources[0, 0], inputs.sources[0, 0])


def test_a_row_is_the_same_whatever_it_is_asked_beside() -> None:
    spec = HeatmapSpec(size_px=32, form="contours")
    rows = [row(n, "mediapipe478", spec) for n in range(4)]
    pairs = list(zip(rows, rows[1:] + rows[:1], strict=True))
    how, asked = HeatmapsFor(spec, "mediapipe478", frozenset()), own_points([(face, face) for face in rows])
    together = generator_inputs(how, pairs, SIDE_PX, asked)
    for n in range(4):
        alone = generator_inputs(how, pairs[n : n + 1], SIDE_PX, asked[n : n + 1])
        for key, value in vars(alone).items():
            assert np.array_equal(value[0], getattr(together, key)[n]), key
