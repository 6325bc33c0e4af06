"""The neutrals of a job: by person and set, the same whatever the order of the rows, one file for all workers."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pytest
import torch

from mien.model.expression.retargeting import RetargetSettings, neutral_landmarks
from mien.model.inference.exported_generator import ExportedGenerator
from mien.model.landmarks.heatmap_spec import HeatmapSpec
from mien.model.landmarks.reference import AlignmentSettings
from mien.model.networks.config import GeneratorConfig
from mien.model.networks.generator import build_generator
from mien.storage import Root, commit, fingerprint, write_shard
from mien.storage.schemas import FACES
from mien.tasks.errors import UsageError
from mien.tasks.generator.neutrals import FormerNeutrals, Neutrals, keep_neutrals, load_neutrals
from mien.tasks.generator.weights import keep_model
from mien.tasks.sets.faces import FaceTables
from tests.shapes import closed_eyes, in_crop, narrow_mouth, neutral, opened_mouth

SIDE_PX = 128
CALM, OPEN, OTHER = in_crop(neutral()), in_crop(opened_mouth(neutral(), 0.3)), in_crop(narrow_mouth(neutral(), 0.7))
SHUT = in_crop(closed_eyes(neutral()))


@pytest.fixture
def root() -> Root:
    return Root(f"memory://{uuid4().hex}")


@pytest.fixture
def generator(root: Root, tmp_path: Path) -> str:
    torch.manual_seed(0)
    network = build_generator(GeneratorConfig(size_px=64, width=16, blocks=1))
    ExportedGenerator(network, AlignmentSettings(), HeatmapSpec(), {}).save(tmp_path)
    return keep_model(root, tmp_path)


def face(face_id: str, points: np.ndarray, identity: str | None) -> dict[str, Any]:
    return {
        "face_id": face_id,
        "image_id": f"photo of {face_id}",
        "identity": identity,
        "split": "test",
        "landmarks_xy": ((points + 1) / 2 * SIDE_PX).ravel().tolist(),
        "landmark_scheme": "ibug68",
        "status": "ok",
    }


def prepared(root: Root, name: str, *rows: dict[str, Any]) -> FaceTables:
    shard = write_shard(root, "faces", fingerprint([row["face_id"] for row in rows]), pa.Table.from_pylist(rows, FACES))
    settings = {"alignment": {"size_px": SIDE_PX}, "faces": "dlib"}
    faces = commit(root, "faces", [shard], {"settings": settings, "name": name})
    heatmaps = commit(root, "heatmaps", [], {"spec": {}, "name": name})
    return FaceTables(name, faces.fingerprint, heatmaps.fingerprint)


def kept(root: Root, generator: str, *sets: FaceTables) -> str:
    name = keep_neutrals(root, sets, generator, RetargetSettings())
    assert name is not None
    return name


def test_photos_of_a_person_share_a_neutral_and_unlabelled_ones_do_not(root: Root, generator: str) -> None:
    rows = [face("a1", CALM, "anna"), face("a2", OPEN, "anna"), face("b", OTHER, None), face("c", SHUT, None)]
    neutrals = load_neutrals(root, kept(root, generator, prepared(root, "four", *rows)))
    anna, again, b, c = neutrals.of([("four", face_id) for face_id in ("a1", "a2", "b", "c")])
    assert np.array_equal(anna, again)
    assert anna == pytest.approx(neutral_landmarks(np.stack([CALM, OPEN])), abs=1e-4)
    assert b == pytest.approx(neutral_landmarks(OTHER[None]), abs=1e-4)
    assert c == pytest.approx(neutral_landmarks(SHUT[None]), abs=1e-4)


def test_the_order_of_the_rows_plays_no_part(root: Root, generator: str) -> None:
    rows = [face("a1", CALM, "anna"), face("a2", OPEN, "anna"), face("a3", SHUT, "anna"), face("b", OTHER, None)]
    first, second = (kept(root, generator, prepared(root, "x", *order)) for order in (rows, rows[::-1]))
    ids = [("x", row["face_id"]) for row in rows]
    assert np.array_equal(load_neutrals(root, first).of(ids), load_neutrals(root, second).of(ids))


def test_a_label_of_another_set_is_another_person(root: Root, generator: str) -> None:
    sets = prepared(root, "one", face("a", CALM, "1")), prepared(root, "two", face("b", OTHER, "1"))
    a, b = load_neutrals(root, kept(root, generator, *sets)).of([("one", "a"), ("two", "b")])
    assert np.abs(a - b).max() > 0.03


def test_a_photo_in_two_sets_has_the_neutral_of_its_person_in_each(root: Root, generator: str) -> None:
    one = prepared(root, "one", face("x", OPEN, "anna"), face("y", CALM, "anna"))
    two = prepared(root, "two", face("x", OPEN, None))
    for sets in ((one, two), (two, one)):
        neutrals = load_neutrals(root, kept(root, generator, *sets))
        of_anna, alone = neutrals.of([("one", "x"), ("two", "x")])
        assert of_anna == pytest.approx(neutral_landmarks(np.stack([OPEN, CALM])), abs=1e-4)
        assert alone == pytest.approx(neutral_landmarks(OPEN[None]), abs=1e-4)


def test_nothing_is_found_twice_and_other_faces_are_another_file(root: Root, generator: str) -> None:
    tables, more = prepared(root, "one", face("a", CALM, "1")), prepared(root, "two", face("b", OTHER, "1"))
    name = kept(root, generator, tables)
    written = root.read_bytes(f"neutrals/{name}.npz")
    assert kept(root, generator, tables) == name
    assert root.read_bytes(f"neutrals/{name}.npz") == written
    assert kept(root, generator, tables, more) != name


def test_raw_landmarks_need_no_neutrals(root: Root, generator: str) -> None:
    tables = prepared(root, "one", face("a", CALM, "1"))
    assert keep_neutrals(root, [tables], generator, RetargetSettings("none")) is None
    assert root.list("neutrals") == []


def test_a_generator_without_a_shape_model_is_told(root: Root, generator: str) -> None:
    tables = prepared(root, "one", face("a", CALM, "1"))
    with pytest.raises(UsageError, match="without a shape model"):
        keep_neutrals(root, [tables], generator, RetargetSettings("shape_model"))


def next_job(root: Root, generator: str, former: str, before: FaceTables, now: FaceTables) -> Neutrals:
    """The neutrals of a job over the same set after it has changed."""
    name = keep_neutrals(root, [now], generator, RetargetSettings(), FormerNeutrals(former, (before,)))
    assert name is not None
    return load_neutrals(root, name)


THREE = [face("a1", CALM, "anna"), face("a2", OPEN, "anna"), face("a3", SHUT, "anna")]
BERT = [face("b1", OTHER, "bert")]


def test_a_new_photo_of_a_person_leaves_all_neutrals_until_there_are_twice_as_many(root: Root, generator: str) -> None:
    before = prepared(root, "x", *THREE, *BERT)
    former = kept(root, generator, before)
    as_then = load_neutrals(root, former)
    known = [("x", row["face_id"]) for row in (*THREE, *BERT)]
    more = [face(f"a{number}", OPEN, "anna") for number in range(4, 7)]
    tables = prepared(root, "x", *THREE, *more[:2], *BERT)
    grown = next_job(root, generator, former, before, tables)
    assert np.array_equal(grown.of(known), as_then.of(known))
    assert np.array_equal(grown.of([("x", "a5")]), as_then.of([("x", "a1")]))
    # It counts from the photos that the neutral was found from, not from the job before.
    name = keep_neutrals(root, [tables], generator, RetargetSettings(), FormerNeutrals(former, (before,)))
    assert name is not None
    doubled = next_job(root, generator, name, tables, prepared(root, "x", *THREE, *more, *BERT))
    assert np.abs(doubled.of([("x", "a1")]) - as_then.of([("x", "a1")])).max() > 1e-4
    assert np.array_equal(doubled.of([("x", "b1")]), as_then.of([("x", "b1")]))


def test_a_new_person_is_found_beside_those_that_stay(root: Root, generator: str) -> None:
    before = prepared(root, "x", *THREE)
    former = kept(root, generator, before)
    grown = next_job(root, generator, former, before, prepared(root, "x", *BERT, *THREE))
    assert np.array_equal(grown.of([("x", "a1")]), load_neutrals(root, former).of([("x", "a1")]))
    assert grown.of([("x", "b1")])[0] == pytest.approx(neutral_landmarks(OTHER[None]), abs=1e-4)


@pytest.mark.parametrize(
    "now",
    [
        THREE[:2],
        [*THREE[:2], face("a3", CALM, "anna")],
        [*THREE[:2], face("a3", SHUT, "another")],
    ],
    ids=["a photo is gone", "a photo has other landmarks", "a photo is of somebody else"],
)
def test_a_neutral_that_is_not_right_any_more_is_found_anew(root: Root, generator: str, now: list[Any]) -> None:
    before = prepared(root, "x", *THREE)
    former = kept(root, generator, before)
    shapes = {"a1": CALM, "a2": OPEN, "a3": ((np.array(now[-1]["landmarks_xy"]) / SIDE_PX * 2) - 1).reshape(68, 2)}
    of_anna = [shapes[row["face_id"]] for row in now if row["identity"] == "anna"]
    found = next_job(root, generator, former, before, prepared(root, "x", *now)).of([("x", "a1")])[0]
    assert found == pytest.approx(neutral_landmarks(np.stack(of_anna)), abs=1e-4)


def test_labels_that_become_one_person_have_one_neutral(root: Root, generator: str) -> None:
    before = prepared(root, "x", *THREE, *BERT)
    former = kept(root, generator, before)
    merged = next_job(root, generator, former, before, prepared(root, "x", *THREE, BERT[0] | {"identity": "anna"}))
    assert np.array_equal(merged.of([("x", "b1")]), load_neutrals(root, former).of([("x", "a1")]))


def test_the_same_job_again_has_the_same_neutrals_and_a_lost_file_is_made_again(root: Root, generator: str) -> None:
    tables = prepared(root, "x", *THREE)
    former = kept(root, generator, tables)
    again = FormerNeutrals(former, (tables,))
    assert keep_neutrals(root, [tables], generator, RetargetSettings(), again) == former
    root.delete(f"neutrals/{former}.npz")
    assert keep_neutrals(root, [tables], generator, RetargetSettings(), again) == former
    assert root.exists(f"neutrals/{former}.npz")


def test_who_is_known_by_one_photo_has_another_neutral_as_a_driver(root: Root, generator: str) -> None:
    smiling = opened_mouth(neutral(), 0.1)
    smiling[[48, 54], 1] -= 0.08
    crowd = [
        face(f"p{n}{m}", in_crop(narrow_mouth(neutral(), 1 - n / 50)), f"p{n}") for n in range(8) for m in range(2)
    ]
    rows = [*crowd, face("alone", in_crop(smiling), "alone")]
    found = load_neutrals(root, kept(root, generator, prepared(root, "x", *rows)))
    alone, many = ("x", "alone"), ("x", "p01")
    assert (found.photos(alone), found.photos(many)) == (1, 2)
    assert np.array_equal(found.of([many]), found.of_drivers([many]))
    calm = in_crop(neutral())
    corners = [
        abs(shape[0][[48, 54], 1] - calm[[48, 54], 1]).mean()
        for shape in (found.of([alone]), found.of_drivers([alone]))
    ]
    assert corners[1] < 0.9 * corners[0]  # a part of the smile is no longer taken for the face
    small = load_neutrals(root, kept(root, generator, prepared(root, "y", *rows[-3:])))
    assert np.allclose(small.of([("y", "alone")]), small.of_drivers([("y", "alone")]))  # too few others to tell
