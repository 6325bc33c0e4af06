"""What a transfer job would take, before it is begun: from the last job that was done in the same root."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mien.storage import Root, ShardRef
from mien.storage.artefacts import COSTS, json_artefact, keep, load
from mien.storage.shards import shard_path

LEAST_PAIRS = 16
"""A job that made fewer tells nothing of the rate."""


@dataclass(frozen=True)
class LastJob:
    """What the last job took that made anything."""

    pairs: int
    seconds: float
    workers: int
    bytes: int

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

    def told(self) -> str:
        """A line for users."""
        if self.like is None:
            return "time and size are not known before the first job of this root"
        seconds = self.pairs * self.like.seconds / self.like.pairs
        size = self.pairs * self.like.bytes / self.like.pairs
        hours, minutes = divmod(round(seconds / 60), 60)
        took = f"{hours} h {minutes} min" if hours else f"{minutes} min" if minutes else f"{seconds:.0f} s"
        return (
            f"about {took} with {self.like.workers} workers and {size / 2**20:,.1f} MiB, "
            f"rejected faces and their substitutes not counted, as the last job of this root took"
        )


def expected_cost(root: Root, pairs: int) -> Cost:
    """From what `remember` wrote; nothing is written."""
    return Cost(pairs, load(root, _LAST_JOB, _TRANSFERS))


def known_shards(root: Root) -> set[str]:
    """Names of the files of `transfers`: what is there before a job was not made by it."""
    return set(root.list("transfers/shards"))


def remember(root: Root, made: Iterable[ShardRef], seconds: float, workers: int) -> None:
    """Writes down what a job took that made these shards."""
    shards = list(made)
    pairs = sum(shard.rows for shard in shards)
    if pairs < LEAST_PAIRS:
        return
    size = sum(root.size(shard_path("transfers", shard.fingerprint)) for shard in shards)
    keep(root, _LAST_JOB, _TRANSFERS, LastJob(pairs, seconds, workers, size))
