"""The faces that are in memory at an update, of more than memory holds.

    slots of a set    │ 8 │ 9 │ 10 │ 3 │ 4 │ 5 │ 6 │ 7 │     chunks by their position in the order
                              ▲    └── shown, the oldest first ──┘
                              └ being read, beside the training

Each set has a belt of slots in one block of memory. After so many updates that each face was drawn as often as asked,
on average, the oldest chunk is no longer shown, the one that was read meanwhile is, and the next one is read into the
place of the oldest. A set that fits is read once and stays. So memory is what `resident_faces` says, however many faces
there are. Which faces are shown at an update follows from the seed and the update, not from how fast they were read: an
update waits for its chunk.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from mien.model.errors import ModelError
from mien.model.expression.shape_model import ShapeModel
from mien.model.training.face_arrays import ABSENT
from mien.model.training.face_stream import FaceStream
from mien.model.training.pools import Pool, TargetExpressions, neutrals_of
from mien.model.training.settings import TrainSettings
from mien.model.training.stream_order import LEAST_CHUNK, Order, Rows, chunks_of, evenly_filled, several_photos

SHOWN, FIRST = 16, 4
"""Chunks of a set that are shown at most, and at first: a training begins before all of them are read."""


@dataclass(frozen=True)
class Belt:
    """The faces of a set, chunk after chunk."""

    chunks: Sequence[Rows]
    order: Order
    start: int
    """Row of memory where its slots begin."""
    slot: int
    """Rows of each."""
    updates: int | None
    """For which a chunk is the newest one; None if all faces of the set stay."""

    def shown(self, update: int) -> range:
        """Positions of the chunks that pairs of this update are drawn from, the oldest first."""
        if self.updates is None:
            return range(1)
        moved = update // self.updates
        return range(max(0, moved + FIRST - SHOWN), moved + FIRST)

    def following(self, update: int) -> range:
        """Positions of what is read meanwhile."""
        return range(0) if self.updates is None else range(self.shown(update).stop, self.shown(update).stop + 1)

    def faces(self, position: int) -> Rows:
        """Those of the chunk at this position, as rows of all faces."""
        return self.chunks[self.order.at(position)]

    def rows(self, position: int) -> Rows:
        """Rows of memory where they lie."""
        first = self.start + self.slot * (position % (SHOWN + 1))
        return np.arange(first, first + len(self.faces(position)))


class Windows:
    """What is in memory when: a lane of its own for each part of the batches, as each part is drawn by itself.

    A process keeps the lanes of its parts alone. So processes read different faces, and all of them together each face
    as often as any other of its set.
    """

    def __init__(self, stream: FaceStream, settings: TrainSettings, processes: int = 1) -> None:
        """For a training of so many processes.

        Raises:
            ModelError: there are not two people with two photos each, or there is too little room for them.
            SettingsError: the batch cannot be divided among the processes.
        """
        self.shape_model: ShapeModel = stream.shape_model
        self._stream, self._settings = stream, settings
        self._lanes, self._pairs = processes * settings.accumulate, settings.part_size(processes)
        self._room = settings.resident_faces // settings.accumulate
        self._own: dict[int, _Lane] = {}
        self._reading = ThreadPoolExecutor(1, thread_name_prefix="faces")

    def at(self, update: int, part: int) -> Pool:
        """The faces that the pairs of a part of an update are drawn from. Waits until they are there.

        Raises:
            Exception: what reading them raises.
        """
        if part not in self._own:
            belts = belts_of(self._stream, self._settings, self._room, self._pairs, part, self._lanes)
            self._own[part] = _Lane(self._stream, belts, self._reading)
        return self._own[part].at(update)

    @property
    def resident(self) -> int:
        """Faces that there is memory for in this process now."""
        return sum(lane.room for lane in self._own.values())


def belts_of(
    stream: FaceStream, settings: TrainSettings, room: int, pairs: int, lane: int = 0, lanes: int = 1
) -> list[Belt]:
    """A belt for each set, in a room for so many faces from which so many pairs are drawn at each update.

    Raises:
        ModelError: that is too little.
    """
    of_sets = [several_photos(stream.identities, np.flatnonzero(stream.sets == n)) for n in np.unique(stream.sets)]
    of_sets = [np.sort(np.concatenate(people)) for people in of_sets if people]
    belts: list[Belt] = []
    start = 0
    for n, (faces, own) in enumerate(zip(of_sets, evenly_filled([len(each) for each in of_sets], room), strict=True)):
        if own == len(faces):
            belts.append(Belt([faces], Order(1, 0, 1, settings.seed, n), start, own, None))
        else:
            slot = own // (SHOWN + 1)
            if slot < LEAST_CHUNK:
                least = LEAST_CHUNK * (SHOWN + 1) * len(of_sets) * settings.accumulate
                raise ModelError(
                    f"train.resident_faces = {settings.resident_faces} is too little to draw pairs from: set it to "
                    f"{least} or more"
                )
            chunks = chunks_of(stream.identities, faces, slot)
            drawn = 2 * pairs / len(of_sets)  # faces of the set, at each update
            updates = max(1, round(np.mean([len(each) for each in chunks]) * settings.resident_draws / drawn))
            belts.append(Belt(chunks, Order(len(chunks), lane, lanes, settings.seed, n), start, slot, updates))
        start += own
    return belts


class _Lane:
    """The faces in memory for one part of the batches."""

    def __init__(self, stream: FaceStream, belts: list[Belt], reading: ThreadPoolExecutor) -> None:
        self._stream, self._belts, self._reading = stream, belts, reading
        self.room = max(belt.start + belt.slot * (1 if belt.updates is None else SHOWN + 1) for belt in belts)
        self._memory = stream.room(self.room)
        self._neutrals = np.empty((self.room, 68, 2))
        self._read: dict[tuple[int, int], Future[None]] = {}
        """What was read, or is, by the set and the position of the chunk."""
        self._shown: list[range] = []
        self._pool: Pool | None = None

    def at(self, update: int) -> Pool:
        """The faces of an update."""
        shown = [belt.shown(update) for belt in self._belts]
        if self._pool is None or shown != self._shown:
            self._keep_only({(n, position) for n, position in _each(shown)})
            for key in _each(shown):
                self._begin_to_read(*key)
            for key in _each(shown):
                self._read[key].result()
            self._shown, self._pool = shown, self._pool_of(shown)
            for key in _each([belt.following(update) for belt in self._belts]):
                self._begin_to_read(*key)
        return self._pool

    def _keep_only(self, wanted: set[tuple[int, int]]) -> None:
        """Forgets the other chunks, in whose places others are read; none of them is still being read then."""
        for key in self._read.keys() - wanted:
            if not (read := self._read.pop(key)).cancel():
                read.exception()

    def _begin_to_read(self, n: int, position: int) -> None:
        if (n, position) not in self._read:
            self._read[n, position] = self._reading.submit(self._load, self._belts[n], position)

    def _load(self, belt: Belt, position: int) -> None:
        faces, rows = belt.faces(position), belt.rows(position)
        place = self._memory.part(int(rows[0]), len(rows))
        self._stream.read(faces, place)
        self._neutrals[rows] = neutrals_of(place.points, self._stream.identities[faces], self._stream.shape_model)

    def _pool_of(self, shown: list[range]) -> Pool:
        """What is shown, each face once: two epochs that meet, and two chunks, may have one face in common."""
        places = [(self._belts[n].faces(position), self._belts[n].rows(position)) for n, position in _each(shown)]
        faces, rows = (np.concatenate(column)[::-1] for column in zip(*places, strict=True))  # the newest first
        faces, newest = np.unique(faces, return_index=True)
        identities = np.full(self.room, ABSENT, np.int64)
        sets = np.zeros(self.room, np.int64)
        identities[rows[newest]], sets[rows[newest]] = self._stream.identities[faces], self._stream.sets[faces]
        memory = self._memory.showing(identities, sets)
        return Pool.of(memory, TargetExpressions(memory, self._stream.shape_model, self._neutrals))


def _each(shown: list[range]) -> Iterator[tuple[int, int]]:
    return ((n, position) for n, positions in enumerate(shown) for position in positions)


def shard_reads(belts: Sequence[Belt], shards: Int[np.ndarray, " faces"]) -> float:
    """How often a shard is read in an epoch, on average over those that are read at all, where all chunks are.

    Args:
        belts: Of all sets.
        shards: The shard that each face lies in.
    """
    of_chunks = [np.unique(shards[chunk]) for belt in belts for chunk in belt.chunks]
    return sum(map(len, of_chunks)) / max(1, len(np.unique(np.concatenate(of_chunks))))
