"""Which of several runs of one job this is: they share its shards, and each begins with other ones.

Slurm and Kubernetes start as many processes with one command, and number them in the environment. A number orders the
work and decides nothing: whatever a run does not come to, another one does.
"""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from mien.tasks.errors import UsageError

WORLD_SIZE = "MIEN_WORLD_SIZE"
"""How many there are, where a scheduler only says which one this is."""
_INDEX = "JOB_COMPLETION_INDEX"
_TASK = "SLURM_ARRAY_TASK_ID"

_log = logging.getLogger("mien.tasks")


@dataclass(frozen=True)
class Rank:
    """One of several runs of a job."""

    number: int
    """From 0."""
    of: int
    source: str
    """What says so."""

    def __str__(self) -> str:
        return f"rank {self.number} of {self.of} ({self.source})"


def chosen_rank(rank: int | None, world_size: int | None, environment: Mapping[str, str] = os.environ) -> Rank | None:
    """What the options say; without them what a scheduler has put into the environment: `SLURM_ARRAY_TASK_ID` with
    `SLURM_ARRAY_TASK_COUNT` and `_MIN`, or `JOB_COMPLETION_INDEX` with `MIEN_WORLD_SIZE`. None where nothing says it.

    Raises:
        UsageError: one option is given without the other, or the numbers cannot be right.
    """
    if (rank is None) != (world_size is None):
        raise UsageError("--rank and --world-size belong together: give both, or neither")
    if rank is not None and world_size is not None:
        return _checked(Rank(rank, world_size, "--rank and --world-size"))
    if _TASK in environment:
        return _of_slurm(environment)
    if _INDEX in environment and WORLD_SIZE in environment:
        number, of = _number(environment, _INDEX), _number(environment, WORLD_SIZE)
        return _checked(Rank(number, of, f"{_INDEX} and {WORLD_SIZE}"))
    return None


def _of_slurm(environment: Mapping[str, str]) -> Rank | None:
    if "SLURM_ARRAY_TASK_COUNT" not in environment:
        return None
    first, step = (
        _number(environment, name) if name in environment else default
        for name, default in (("SLURM_ARRAY_TASK_MIN", 0), ("SLURM_ARRAY_TASK_STEP", 1))
    )
    number, of = _number(environment, _TASK), _number(environment, "SLURM_ARRAY_TASK_COUNT")
    return _checked(Rank((number - first) // max(1, step), of, _TASK))


def _number(environment: Mapping[str, str], name: str) -> int:
    try:
        return int(environment[name])
    except ValueError:
        raise UsageError(f"{name} is {environment[name]!r}, which is no number: correct or unset it") from None


def _checked(rank: Rank) -> Rank:
    if not 0 <= rank.number < rank.of:
        raise UsageError(
            f"{rank} cannot be: ranks go from 0 to one below the world size. Correct the numbers, or unset the "
            "variables to work without ranks"
        )
    return rank


_in_force: ContextVar[Rank | None] = ContextVar("rank of this run", default=None)


@contextmanager
def working_as(rank: Rank | None) -> Iterator[None]:
    """While the block runs, its stages begin with the shards of this rank. None leaves it as it is."""
    if rank is None or rank == _in_force.get():
        yield
        return
    _log.warning("%s: its own shards come first, then those that no other run has in hand", rank)
    token = _in_force.set(rank)
    try:
        yield
    finally:
        _in_force.reset(token)


def rank_in_force() -> Rank | None:
    """Which run this is; None where it is the only one, or nobody has told."""
    return _in_force.get()


def is_first_rank() -> bool:
    """Whether this run does what one of several has to do; the only one does."""
    rank = rank_in_force()
    return rank is None or rank.number == 0


def runs_at_once() -> int:
    """How many runs share the work, as far as anybody has told."""
    rank = rank_in_force()
    return 1 if rank is None else rank.of


def own_first(indices: Sequence[int], rank: Rank | None) -> list[int]:
    """These indices of shards or videos in the order in which this run does them.

    A rank does every `of`-th one first. Then it helps the next rank, and the one after that, each from the end of what
    that one does, so that the two meet once. A run without a rank begins at a random one and goes round.
    """
    if rank is None:
        start = random.randrange(len(indices)) if indices else 0
        return [*indices[start:], *indices[:start]]
    own = [index for index in indices if index % rank.of == rank.number]
    others = (index for index in reversed(indices) if index % rank.of != rank.number)
    return own + sorted(others, key=lambda index: (index % rank.of - rank.number) % rank.of)
