"""In which order faces come into memory that are too many for it, so that pairs can be drawn from those that are there.

    faces of a set ──► people ──► chunks ──► shuffled, once for each epoch ──► each lane takes every so many'th of them

People are kept together: a chunk has all faces of most of its people, and several people. Chunks are cut in the order
of the tables, so that a chunk lies in few shards. What comes when follows from the seed alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Int

Rows = Int[np.ndarray, " _"]
"""Of faces; as many as there are."""

LEAST_CHUNK = 6
"""Faces: two parts of people of three faces each, of whom none is cut into single faces."""
_ORDER = 2
"""Of the random numbers of a training, beside those of its two kinds of update (`PairSampler.begin`)."""


def evenly_filled(sizes: Sequence[int], room: int) -> list[int]:
    """How much of a room each of several sets gets: all the same, and what a small set leaves goes to the others."""
    out = [0] * len(sizes)
    for done, n in enumerate(sorted(range(len(sizes)), key=lambda n: sizes[n])):
        out[n] = min(sizes[n], (room - sum(out)) // (len(sizes) - done))
    return out


def several_photos(identities: Int[np.ndarray, " faces"], among: Rows) -> list[Rows]:
    """Rows of each person with several faces among these, in the order of their first faces; none may have."""
    if len(among) < 2:
        return []
    order = np.argsort(identities[among], kind="stable")
    groups = np.split(among[order], np.flatnonzero(np.diff(identities[among][order])) + 1)
    return sorted((rows for rows in groups if len(rows) >= 2), key=lambda rows: int(rows[0]))


def chunks_of(identities: Int[np.ndarray, " faces"], among: Rows, size: int) -> list[Rows]:
    """The rows of people with several faces in chunks of at most `size`, which is at least `LEAST_CHUNK`.

    A person with more than half as many faces is cut into equal parts, which come into different chunks where there are
    other people between. A chunk with one person alone gets some faces of another one, too, who so is in several
    chunks: without them there would be times when nobody is there to be compared with.
    """
    people = several_photos(identities, among)
    chunks: list[Rows] = []
    held: list[tuple[int, Rows]] = []
    filled, alone = 0, True
    for person, rows in _parts(people, size // 2):
        if held and (filled + len(rows) > size or (alone and held[0][0] == person)):
            chunks.append(_closed(held, people, len(chunks), size))
            held, filled, alone = [], 0, True
        held.append((person, rows))
        filled, alone = filled + len(rows), alone and held[0][0] == person
    return [*chunks, _closed(held, people, len(chunks), size)] if held else chunks


def _parts(people: list[Rows], most: int) -> Iterator[tuple[int, Rows]]:
    """(person, some of their rows): first one part of each person, then the second parts of those who have one, …"""
    left = [(person, np.array_split(rows, -(-len(rows) // most))) for person, rows in enumerate(people)]
    turn = 0
    while left:
        yield from ((person, parts[turn]) for person, parts in left)
        turn += 1
        left = [(person, parts) for person, parts in left if len(parts) > turn]


def _closed(held: list[tuple[int, Rows]], people: list[Rows], number: int, size: int) -> Rows:
    """The rows of a chunk, those of somebody else among them."""
    alone = held[0][0]
    if len(people) > 1 and {alone} == {person for person, _ in held}:
        other = (alone + 1 + number % (len(people) - 1)) % len(people)
        held = [*held, (other, people[other][: size // 2])]
    return np.sort(np.concatenate([rows for _, rows in held]))


def sample_rows(identities: Int[np.ndarray, " faces"], sets: Int[np.ndarray, " faces"], most: int, seed: int) -> Rows:
    """At most so many rows, evenly from all sets: chunks of people at random, all where there are no more."""
    random, of_sets = np.random.default_rng([seed, _ORDER]), [np.flatnonzero(sets == n) for n in np.unique(sets)]
    chosen: list[Rows] = []
    for rows, room in zip(of_sets, evenly_filled([len(rows) for rows in of_sets], most), strict=True):
        if len(rows) <= room:
            chosen.append(rows)
            continue
        chunks = chunks_of(identities, rows, max(LEAST_CHUNK, room // 16))
        for n in random.permutation(len(chunks)).tolist():
            if len(chunks[n]) > room:
                break
            chosen.append(chunks[n])
            room -= len(chunks[n])
    return np.unique(np.concatenate([np.zeros(0, np.int64), *chosen]))


@dataclass(frozen=True)
class Order:
    """Which chunk comes when, without an end: all of them once in each epoch, shared among the lanes."""

    chunks: int
    lane: int
    lanes: int
    seed: int
    of_set: int

    def at(self, position: int) -> int:
        """The number of the chunk that comes at this position of the lane."""
        epoch, number = divmod(position * self.lanes + self.lane, self.chunks)
        return int(_shuffled(self.chunks, self.seed, self.of_set, epoch)[number])


@lru_cache(maxsize=32)
def _shuffled(count: int, seed: int, of_set: int, epoch: int) -> Int[np.ndarray, " chunks"]:
    return np.random.default_rng([seed, _ORDER, of_set, epoch]).permutation(count)
