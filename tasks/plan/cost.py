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
    sources: int | None = None
    """Photos that a face was made from at most; None for earlier versions, and where a list says it of each face."""

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
    sources: int | None = None
    """Photos that a face is made from at most, where a plan says it."""

    def line(self) -> str:
        """For users."""
        if self.like is None:
            return "time and size are not known before the first job of this root"
        seconds = self.pairs * self.like.seconds / self.like.pairs
        size = self.pairs * self.like.bytes / self.like.pairs * self._larger**2
        hours, minutes = divmod(round(seconds / 60), 60)
        took = f"{hours} h {minutes} min" if hours else f"{minutes} min" if minutes else f"{seconds:.0f} s"
        return (
            f"about {took} with {self.like.workers} workers and {size / 2**20:,.1f} MiB, "
            f"rejected faces and their substitutes not counted, as the last job of this root took"
            f"{self._otherwise(self.like)}"
        )

    def _otherwise(self, like: LastJob) -> str:
        """How the faces of the last job differ in what decides how long they take."""
        told = ""
        if self._larger != 1:
            told = f" with faces of {like.size_px} px; those of {self.size_px} px take {_more(self._larger > 1)}"
        if self.sources is not None and like.sources not in (None, self.sources):
            took = f"from at most {_photos(like.sources)} each; from {_photos(self.sources)} they take"
            told += f"{'; it made them' if told else ''} {took} {_more(self.sources > like.sources)}"
        return told

    @property
    def _larger(self) -> float:
        """The side over that of the last job."""
        assert self.like is not None
        return self.size_px / (self.like.size_px or self.size_px)


def _more(is_more: bool) -> str:
    return "longer" if is_more else "less"


def _photos(count: int) -> str:
    return f"{count} photo{'' if count == 1 else 's'}"


def expected_cost(root: Root, pairs: int, size_px: int, sources: int | None = None) -> Cost:
    """From what the last job has written down; nothing is written."""
    return Cost(pairs, load(root, _LAST_JOB, _TRANSFERS), size_px, sources)


@contextmanager
def remembered_cost(
    root: Root, shards: Sequence[ShardRef], workers: int, size_px: int, sources: int | None
) -> Iterator[None]:
    """Writes down what the job in the block took, unless it fails. `shards` are those of the job when the block ends;
    what was there before was not made by it. `workers` are those of one rank."""
    known, begun_s = set(root.list("transfers/shards")), time.monotonic()
    yield
    made = [shard for shard in shards if f"{shard.fingerprint}.parquet" not in known]
    remember(root, made, time.monotonic() - begun_s, workers * runs_at_once(), size_px, sources)


def remember(
    root: Root, shards: Sequence[ShardRef], seconds: float, workers: int, size_px: int, sources: int | None = None
) -> None:
    """Writes down what a job took that made these shards, with faces of this side, from so many photos at most."""
    pairs = sum(shard.rows for shard in shards)
    if pairs < MIN_PAIRS:
        return
    size = sum(root.size(shard_path("transfers", shard.fingerprint)) for shard in shards)
    keep(root, _LAST_JOB, _TRANSFERS, LastJob(pairs, seconds, workers, size, size_px, sources))
