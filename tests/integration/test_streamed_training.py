"""A training whose faces do not fit into memory: in two processes, killed and resumed, on a root on S3."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from benchmarks.made_up_root import MadeUpSet
from mien.model.images.codec import encode_png
from mien.model.landmarks.heatmap_spec import HeatmapSpec
from mien.model.training.checkpoints import load_checkpoint
from mien.model.training.face_arrays import FaceArrays
from mien.model.training.face_stream import FaceStream
from mien.model.training.fit import fit
from mien.model.training.windows import Windows
from mien.storage import Root, StorageError
from mien.storage.shards import shard_path
from mien.tasks.sets.faces import FaceTables
from mien.tasks.train.face_index import FaceIndex, read_index
from mien.tasks.train.faces import load_faces, training_faces
from mien.tasks.train.processes import Work, processes
from mien.tasks.train.work_folder import resumed_trainer
from tests.unit.tasks.train.test_processes import SETTINGS as SMALL
from tests.unit.tasks.train.test_processes import Listener, members

SIDE_PX = 64
SETTINGS = replace(SMALL, resident_faces=119, resident_draws=0.6)
"""Chunks of seven faces; each process draws four at each update."""


def written(root: Root) -> FaceTables:
    """40 people with four photos each, of whom ten are held out; 16 faces in a shard."""
    random = np.random.default_rng(0)
    coarse = random.integers(0, 255, (160, 8, 8, 3), np.uint8)
    crops = [encode_png(cv2.resize(each, (SIDE_PX, SIDE_PX)).astype(np.uint8)) for each in coarse]
    made = MadeUpSet(40, 4, SIDE_PX, shard_rows=16, held_out=4, spec=HeatmapSpec(size_px=32))
    return made.write(root, "many", crops.__getitem__)


def index_of(root: Root, tables: FaceTables) -> FaceIndex:
    return read_index(root, [tables]).of_split("train")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def trained(root: Root, tables: FaceTables, folder: Path, listener: Listener) -> dict[str, torch.Tensor]:
    """The weights of a training of six updates in two processes."""
    faces = training_faces(root, [tables], index_of(root, tables), SETTINGS)
    assert isinstance(faces, FaceStream)
    held_out = load_faces(root, [tables], "val", SIDE_PX)
    with processes(2, Work.of(root, [tables], SETTINGS)) as ours:
        trainer = resumed_trainer(SETTINGS, faces, folder, None, ours)
        fit(trainer, held_out, listener, folder)
    checkpoint = load_checkpoint(folder)
    assert checkpoint is not None
    return checkpoint[0]


@pytest.mark.long
def test_two_processes_that_are_killed_go_on_with_the_same_faces(tmp_path: Path) -> None:
    root = Root(str(tmp_path / "root"))
    tables = written(root)
    whole = trained(root, tables, tmp_path / "whole", Listener())
    with pytest.raises(KeyboardInterrupt):
        trained(root, tables, tmp_path / "killed", Listener(4, _interrupt))
    assert members() == []
    resumed = trained(root, tables, tmp_path / "killed", again := Listener())
    assert again.updates == [3, 4, 5, 6]  # the third was computed, and not kept
    assert resumed.keys() == whole.keys()
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)


def _interrupt() -> None:
    raise KeyboardInterrupt


def test_from_s3_as_from_a_disk_and_a_damaged_shard_is_named(s3_url: str, tmp_path: Path) -> None:
    roots = Root(str(tmp_path / "root")), Root(f"{s3_url}/faces")
    sets = [written(root) for root in roots]
    streams = [
        training_faces(root, [tables], index_of(root, tables), SETTINGS)
        for root, tables in zip(roots, sets, strict=True)
    ]
    for update in (0, 9):
        local, remote = (_shown(stream, update) for stream in streams)
        assert len(local) == len(remote) > 20
        for name in ("images", "heatmaps", "points", "identities"):
            assert (getattr(local, name) == getattr(remote, name)).all()
    everything = training_faces(roots[0], [sets[0]], index_of(roots[0], sets[0]), replace(SETTINGS, resident_faces=120))
    assert isinstance(everything, FaceArrays)

    index = index_of(roots[1], sets[1])
    for place in index.places:
        path = shard_path("faces", place.faces)
        data = bytearray(roots[1].read_bytes(path))
        data[len(data) // 2] ^= 1
        roots[1].write_bytes(path, bytes(data))
    with pytest.raises(StorageError, match=r"s3://.*/faces/shards/[0-9a-f]{32}\.parquet is damaged: delete it"):
        _shown(streams[1], 30)


def _shown(stream: object, update: int) -> FaceArrays:
    assert isinstance(stream, FaceStream)
    pool = Windows(stream, SETTINGS, 2).at(update, 1)
    rows = np.concatenate(pool.people)
    faces = pool.faces
    return FaceArrays(faces.images[rows], faces.heatmaps[rows], faces.points[rows], faces.identities[rows])
