"""What a transfer job would take, before it is begun: from the last job that was done in the same root."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from mien.storage import Root, ShardRef
from mien.storage.artefacts import COSTS, json_artefact, keep, load
from mien.storage.shards import shard_path
from mien.tasks.runtime.ranks import runs_at_once

MIN_PAIRS = 16
"""A job that made fewer tells nothing of the rate."""


@dataclass(frozen=True)
class LastJob:
    """What the last job took that made anything."""

    pairs: int
    seconds: float
    workers: int
    bytes: int
    size_px: int | None = None
    """Side of its faces; None for jobs of earlier versions, which did not say so."""

    def __post_init__(self) -> None:
        if self.pairs < 1:
            raise ValueError(f"a job of {self.pairs} pairs has no rate")


_LAST_JOB = json_artefact(COSTS, LastJob)
_TRANSFERS = "transfers"


@dataclass(frozen=True)
class Cost:
    """What a job of so many pairs would take."""

    pairs: int
    like: LastJob | None
    """None where no earlier job tells."""
    size_px: int
    """Side of the faces."""

    def line(self) -> str:
        """For users."""
        if self.like is None:
            return "time and size are not known before the first job of this root"
        seconds = self.pairs * self.like.seconds / self.like.pairs
        size = self.pairs * self.like.bytes / self.like.pairs * self._larger**2
        hours, minutes = divmod(round(seconds / 60), 60)
        took = f"{hours} h {minutes} min" if hours else f"{minutes} min" if minutes else f"{seconds:.0f} s"
        less = "longer" if self._larger > 1 else "less"
        other = f" with faces of {self.like.size_px} px; those of {self.size_px} px take {less}"
        return (
            f"about {took} with {self.like.workers} workers and {size / 2**20:,.1f} MiB, "
            f"rejected faces and their substitutes not counted, as the last job of this root took"
            f"{'' if self._larger == 1 else other}"
        )

    @property
    def _larger(self) -> float:
        """The side over that of the last job."""
        assert self.like is not None
        return self.size_px / (self.like.size_px or self.size_px)


def expected_cost(root: Root, pairs: int, size_px: int) -> Cost:
    """From what the last job has written down; nothing is written."""
    return Cost(pairs, load(root, _LAST_JOB, _TRANSFERS), size_px)


@contextmanager
def remembered_cost(root: Root, shards: Sequence[ShardRef], workers: int, size_px: int) -> Iterator[None]:
    """Writes down what the job in the block took, unless it fails. `shards` are those of the job when the block ends;
    what was there before was not made by it. `workers` are those of one rank."""
    known, begun_s = set(root.list("transfers/shards")), time.monotonic()
    yield
    made = [shard for shard in shards if f"{shard.fingerprint}.parquet" not in known]
    remember(root, made, time.monotonic() - begun_s, workers * runs_at_once(), size_px)


def remember(root: Root, shards: Sequence[ShardRef], seconds: float, workers: int, size_px: int) -> None:
    """Writes down what a job took that made these shards, with faces of this side."""
    pairs = sum(shard.rows for shard in shards)
    if pairs < MIN_PAIRS:
        return
    size = sum(root.size(shard_path("transfers", shard.fingerprint)) for shard in shards)
    keep(root, _LAST_JOB, _TRANSFERS, LastJob(pairs, seconds, workers, size, size_px))
