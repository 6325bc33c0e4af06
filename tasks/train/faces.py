"""The faces of prepared sets as a training takes them: in memory, or on their way through it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mien.model.evaluation.pairs import thinned
from mien.model.expression.shape_model import ShapeModel
from mien.model.landmarks.heatmap_spec import HeatmapSpec
from mien.model.training.face_arrays import FaceArrays
from mien.model.training.face_stream import SAMPLED_FACES, FaceStream, TrainingFaces
from mien.model.training.settings import TrainSettings
from mien.model.training.stream_order import sample_rows
from mien.model.training.windows import belts_of, shard_reads
from mien.model.warping.composition import FINEST
from mien.storage import Root
from mien.tasks.errors import UsageError
from mien.tasks.sets.faces import FaceTables, crop_size_px, prepare_settings
from mien.tasks.sets.splits import Split
from mien.tasks.train.face_index import FaceIndex, read_index
from mien.tasks.train.face_reader import FaceReader
from mien.tasks.train.people import never_seen

MAX_VALIDATION_FACES = 400
MANY_READS = 4
"""Of a shard in an epoch: two are common, since chunks end within shards."""
THINNED_FACES = 2_000
"""Held out, of which those are chosen."""
_log = logging.getLogger("mien.tasks")


def picture_px(settings: TrainSettings, crop_px: int) -> int:
    """Side of the photos that a training compares its results with: that of the crops, and at most twice that of the
    network for kinds that put their images together at any size."""
    size_px = settings.generator.size_px
    return min(crop_px, FINEST * size_px) if settings.generator.kind == "motion" else size_px


def load_faces(root: Root, sets: Sequence[FaceTables], split: Split, size_px: int) -> FaceArrays:
    """The usable faces of a split, their photos of a side of `size_px`, in the order of the tables.

    Raises:
        StorageError: a table or a shard cannot be read; it is named.
        UsageError: the faces have landmarks of several schemes.
        RunError: a crop is no picture.
    """
    everything = read_index(root, sets)
    index = everything.of_split("train") if split == "train" else held_out_faces(root, everything, split)
    return in_memory(index, reader_of(root, sets, index, size_px))


def held_out_faces(root: Root, everything: FaceIndex, split: Split) -> FaceIndex:
    """The faces that a training is validated on: of people whom it does not see, and not too many.

    Of very many they come from few shards: to read a face, all pictures of its shard are read.
    """
    index = never_seen(root, everything, split)
    near = index.chosen(sample_rows(index.people, index.sets, THINNED_FACES, seed=0))
    return near.chosen(thinned(near.people, MAX_VALIDATION_FACES))


def training_faces(root: Root, sets: Sequence[FaceTables], index: FaceIndex, settings: TrainSettings) -> TrainingFaces:
    """The faces of a training: in memory where they are no more than `resident_faces`.

    Raises:
        StorageError: a table or a shard cannot be read; it is named.
        UsageError: the faces have landmarks of several schemes.
        RunError: a crop is no picture.
        ModelError: there are not two people with two photos each.
    """
    reader = reader_of(root, sets, index, picture_px(settings, crop_size_px(root, sets[0])))
    if len(index) <= settings.resident_faces:
        return in_memory(index, reader)
    rows = sample_rows(index.people, index.sets, SAMPLED_FACES, settings.seed)
    shapes = ShapeModel.fit(reader.read_points(rows).astype(np.float64), index.people[rows])
    return FaceStream(index.people, index.sets, reader.read, shapes, reader.side_px, reader.spec, reader.scheme)


def warn_of_many_reads(faces: TrainingFaces, index: FaceIndex, settings: TrainSettings) -> None:
    """One line of the log where much more is read from the tables than the faces that come into memory."""
    if isinstance(faces, FaceArrays):
        return
    belts = belts_of(faces, settings, settings.resident_faces // settings.accumulate, settings.batch_size)
    if (reads := shard_reads(belts, index.shards)) > MANY_READS:
        _log.warning(
            "each shard of faces is read %.0f times before all faces were in memory once, since the photos of a person "
            "lie in many shards or train.resident_faces is low: prepare the set from a folder for each person, or set "
            "it higher",
            reads,
        )


def reader_of(root: Root, sets: Sequence[FaceTables], index: FaceIndex, size_px: int) -> FaceReader:
    """A reader of faces of prepared sets. Raises UsageError where they have landmarks of several schemes."""
    schemes = index.schemes_found
    if len(schemes) > 1:
        raise UsageError(
            f"the faces have landmarks of several schemes ({', '.join(schemes)}): prepare all sets with one detector"
        )
    spec = HeatmapSpec(**prepare_settings(root, sets[0])["heatmaps"])
    return FaceReader(root, index, size_px, crop_size_px(root, sets[0]), spec, schemes[0] if schemes else "ibug68")


def in_memory(index: FaceIndex, reader: FaceReader) -> FaceArrays:
    """All faces of an index."""
    faces = FaceArrays.room(len(index), reader.side_px, reader.spec, reader.scheme)
    reader.read(np.arange(len(index)), faces)
    return replace(faces, identities=index.people.astype(np.int64), sets=index.sets.astype(np.int64))
