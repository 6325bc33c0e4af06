"""The pictures of an evaluation: each generator is asked with heatmaps as it was trained on them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from mien.model.expression.retargeting import RetargetSettings
from mien.model.inference.exported_generator import ExportedGenerator
from mien.model.landmarks.heatmaps import HeatmapSpec, render_heatmaps
from mien.model.landmarks.reference import AlignmentSettings
from mien.model.networks.config import GeneratorConfig, GeneratorKind
from mien.model.networks.generator import build_generator
from mien.storage import Root
from mien.tasks.evaluate.methods import COLUMNS, make_pictures
from mien.tasks.evaluate.results import GENERATED, EvaluationInputs, EvaluationPair, Kind
from mien.tasks.generator.neutrals import keep_neutrals
from mien.tasks.generator.weights import keep_model
from mien.tasks.sets.face_columns import crop_of, heatmap_of, landmarks_px
from mien.tasks.sets.faces import read_faces, usable_faces
from tests.drawn_faces import HEATMAP_PX
from tests.drawn_set import SIDE_PX, drawn_set, small_generator


@pytest.mark.parametrize("kind", ["same", "cross"])
def test_each_generator_gets_heatmaps_in_its_own_form_and_scheme(
    kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Root(f"memory://{uuid4().hex}")
    tables = drawn_set(root, scheme="mediapipe478")
    dense = replace(ExportedGenerator.load(small_generator(tmp_path / "first")), scheme="mediapipe478")
    contours = HeatmapSpec(HEATMAP_PX, form="contours")
    other = replace(dense, scheme="ibug68", heatmap_spec=contours)
    first = keep_model(root, _saved(dense, tmp_path / "dense"))
    other.generator.state_dict()["draw.bias"].add_(0.1)  # it has weights of its own
    second = keep_model(root, _saved(other, tmp_path / "other"))
    given: dict[str | None, dict[str, Any]] = {}
    generate = ExportedGenerator.generate

    def seen(self: ExportedGenerator, sources: np.ndarray, **keypoints: Any) -> np.ndarray:
        given[self.sha256] = keypoints
        return generate(self, sources, **keypoints)

    monkeypatch.setattr(ExportedGenerator, "generate", seen)
    ids = [row["face_id"] for row in usable_faces(root, [tables], ["face_id"])]
    faces = read_faces(root, [tables], set(ids), [*COLUMNS, "identity"])
    neutrals = keep_neutrals(root, [tables], first, RetargetSettings())
    inputs = EvaluationInputs(first, (("other", second),), (tables,), RetargetSettings(), neutrals)
    pictures = make_pictures(root, inputs, kind, [EvaluationPair(ids[0], ids[5], "person 0")])
    assert set(pictures.results) > {GENERATED, "other"}
    assert np.array_equal(given[first]["source_heatmaps"][0, 0], heatmap_of(faces[ids[0]]))
    for side in ("source", "target"):
        common = (given[second][f"{side}_points"].reshape(1, 68, 2) + 1) * (SIDE_PX / 2)
        expected = render_heatmaps(common, "ibug68", SIDE_PX, contours).astype(int)
        assert np.abs(given[second][f"{side}_heatmaps"].reshape(expected.shape) - expected).max() <= 1
    assert np.array_equal(given[first]["target_points"], given[second]["target_points"])
    asked = render_heatmaps(landmarks_px(faces[ids[5]])[None], "mediapipe478", SIDE_PX, HeatmapSpec(HEATMAP_PX))
    same = np.array_equal(given[first]["target_heatmaps"], asked)
    assert same == (kind == "same")  # of two people it is retargeted, and as dense
    assert given[first]["target_heatmaps"].mean() == pytest.approx(asked.mean(), rel=0.1)


@pytest.mark.parametrize("kind", ["motion", "residual"])
def test_pictures_have_the_side_of_the_crops_and_further_photos_go_in(
    kind: GeneratorKind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Root(f"memory://{uuid4().hex}")
    tables = drawn_set(root)
    network = build_generator(GeneratorConfig(kind=kind, size_px=96, width=16, blocks=1))
    large = ExportedGenerator(network, AlignmentSettings(size_px=96), HeatmapSpec(size_px=HEATMAP_PX), {})
    sha256 = keep_model(root, _saved(large, tmp_path / "large"))
    ids = [row["face_id"] for row in usable_faces(root, [tables], ["face_id"])]
    given: list[np.ndarray] = []
    generate = ExportedGenerator.generate

    def seen(self: ExportedGenerator, sources: np.ndarray, **others: Any) -> np.ndarray:
        given.append(sources)
        return generate(self, sources, **others)

    monkeypatch.setattr(ExportedGenerator, "generate", seen)
    inputs = EvaluationInputs(sha256, (), (tables,), RetargetSettings(), None)
    pairs = [EvaluationPair(ids[0], ids[1], "a", None, (ids[2], ids[3])), EvaluationPair(ids[4], ids[5], "b")]
    pictures = make_pictures(root, inputs, "same", pairs, (2, 4))
    assert all(of_method.shape == (2, SIDE_PX, SIDE_PX, 3) for of_method in pictures.results.values())
    if kind == "residual":
        assert not [method for method in pictures.results if method.startswith("sources")]
        return
    assert [len(sources[0]) for sources in given] == [1, 2, 1, 3, 1]
    crops = [crop_of(pictures.faces[face_id]) for face_id in (ids[0], ids[2], ids[3])]
    assert np.array_equal(given[3][0], crops)
    one, two, four = (pictures.results[method].astype(int) for method in (GENERATED, "sources_2", "sources_4"))
    assert np.abs(one[1] - two[1]).max() <= 1  # no further photo; another batch may round differently
    assert np.abs(one[0] - two[0]).max() > 1 < np.abs(two[0] - four[0]).max()


def _saved(generator: ExportedGenerator, folder: Path) -> Path:
    generator.save(folder)
    return folder
