"""The faces of a training are those of the tables, with the landmarks that their heatmaps were drawn from."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import numpy as np
import pytest

from benchmarks.made_up_root import MadeUpSet
from mien.model.images.codec import encode_png
from mien.model.landmarks.heatmap_spec import HeatmapSpec
from mien.model.landmarks.heatmaps import render_heatmaps
from mien.model.landmarks.parts import POINTS, LandmarkScheme
from mien.model.landmarks.schemes import to_common
from mien.model.networks.config import GeneratorConfig
from mien.model.training.face_arrays import FaceArrays
from mien.model.training.face_stream import FaceStream, fitted_shapes
from mien.model.training.settings import TrainSettings
from mien.model.training.windows import FIRST, Windows, belts_of
from mien.storage import Root
from mien.tasks.errors import UsageError
from mien.tasks.sets.faces import FaceTables
from mien.tasks.train import faces as of_faces
from mien.tasks.train.face_index import FaceIndex, read_index
from mien.tasks.train.faces import held_out_faces, load_faces, training_faces, warn_of_many_reads
from tests.drawn_faces import HEATMAP_PX
from tests.drawn_set import SIDE_PX, drawn_set
from tests.streamed_faces import Reader, numbered_faces
from tests.unit.tasks.train.test_face_index import small_set

SETTINGS = TrainSettings(generator=GeneratorConfig(size_px=SIDE_PX))


@pytest.fixture
def root() -> Root:
    return Root(f"memory://{uuid4().hex}")


@pytest.mark.parametrize("scheme", POINTS)
def test_the_heatmaps_are_those_of_the_landmarks(root: Root, scheme: LandmarkScheme) -> None:
    faces = load_faces(root, [drawn_set(root, scheme=scheme)], "train", SIDE_PX)
    assert len(faces) > 0
    assert faces.spec == HeatmapSpec(HEATMAP_PX)
    assert faces.scheme == scheme
    assert (faces.dense is None) == (scheme == "ibug68")
    np.testing.assert_allclose(to_common(faces.landmarks, scheme), faces.points, atol=1e-6)
    again = render_heatmaps((faces.landmarks + 1) * (SIDE_PX / 2), scheme, SIDE_PX, faces.spec)
    assert np.abs(again.astype(int) - faces.heatmaps).max() <= 1


def numbered_set(root: Root, people: list[int]) -> tuple[FaceIndex, FaceTables]:
    """A set with one face of each of these people, without pictures; ten in a shard."""
    rows: list[dict[str, object]] = [{"face_id": str(n), "identity": f"{each:03d}"} for n, each in enumerate(people)]
    tables = small_set(root, "numbered", rows, shard_rows=10)
    return read_index(root, [tables]), tables


@pytest.mark.parametrize("scattered", [False, True])
def test_the_log_says_how_often_shards_are_read_where_that_is_often(
    root: Root, scattered: bool, caplog: pytest.LogCaptureFixture
) -> None:
    index, _ = numbered_set(root, [n % 100 if scattered else n // 5 for n in range(500)])
    memory, reads = Reader(numbered_faces([5] * 100)), list[int]()

    def read(rows: np.ndarray, into: FaceArrays) -> None:
        reads.append(len(set(index.shards[rows].tolist())))
        memory(rows, into)

    stream = replace(memory.stream(), identities=index.people, sets=index.sets, read=read)
    settings = TrainSettings(resident_faces=170)
    with caplog.at_level("WARNING", "mien.tasks"):
        warn_of_many_reads(stream, index, settings)
        warn_of_many_reads(memory.faces, index, settings)
    (belt,) = belts_of(stream, settings, 170, settings.batch_size)
    assert belt.updates is not None
    windows = Windows(stream, settings)
    for position in range(len(belt.chunks) - FIRST):  # and the next one is read ahead
        windows.at(position * belt.updates, 0)
    windows._reading.shutdown()  # pyright: ignore[reportPrivateUsage]
    often = sum(reads) / 50
    assert [record.getMessage().partition(" before ")[0] for record in caplog.records] == (
        [f"each shard of faces is read {often:.0f} times"] if scattered else []
    )
    assert (often > 4) == scattered


def test_of_very_many_held_out_faces_those_of_few_shards_are_taken(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of_faces, "THINNED_FACES", 96)
    monkeypatch.setattr(of_faces, "MAX_VALIDATION_FACES", 24)
    index, _ = numbered_set(root, [n // 5 for n in range(600)])
    held_out = held_out_faces(root, index, "train")  # nobody else is in it who could be seen
    assert len(held_out) == 0
    everything = replace(index, splits=np.ones_like(index.splits))
    few = held_out_faces(root, everything, "val")
    assert len(few) == 24
    assert len(few.names) == 12
    assert len(set(few.shards.tolist())) <= 16
    monkeypatch.setattr(of_faces, "THINNED_FACES", 600)
    assert len(held_out_faces(root, everything, "val").names) == 12


def test_more_faces_than_memory_is_to_hold_are_streamed(root: Root) -> None:
    tables = MadeUpSet(40, 4, SIDE_PX, shard_rows=16, held_out=4, spec=HeatmapSpec(HEATMAP_PX)).write(
        root, "many", lambda n: encode_png(np.full((SIDE_PX, SIDE_PX, 3), n, np.uint8))
    )
    index = read_index(root, [tables]).of_split("train")
    whole, stream = (
        training_faces(root, [tables], index, replace(SETTINGS, resident_faces=resident)) for resident in (120, 119)
    )
    assert isinstance(whole, FaceArrays)
    assert isinstance(stream, FaceStream)
    assert len(whole) == len(stream) == 120
    pool = Windows(stream, replace(SETTINGS, resident_faces=119)).at(0, 0)
    rows = np.concatenate(pool.people)
    shown = pool.faces.images[rows, 0, 0, 0]  # n, the number of the face in the set
    assert (pool.faces.identities[rows] == whole.identities[np.searchsorted(whole.images[:, 0, 0, 0], shown)]).all()
    np.testing.assert_allclose(fitted_shapes(whole, 0).mean, stream.shape_model.mean)


def test_faces_of_two_schemes_are_not_learnt_from_together(root: Root) -> None:
    sets = [drawn_set(root), drawn_set(root, "dense", "mediapipe478")]
    with pytest.raises(UsageError, match="ibug68, mediapipe478"):
        load_faces(root, sets, "train", SIDE_PX)
