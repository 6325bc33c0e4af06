"""Which of several runs this is: the options before the environment, bad numbers in one line, and the order of work."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import pytest

from mien.tasks.errors import UsageError
from mien.tasks.runtime.ranks import (
    Rank,
    chosen_rank,
    is_first_rank,
    own_first,
    rank_in_force,
    runs_at_once,
    working_as,
)

SLURM = {"SLURM_ARRAY_TASK_ID": "12", "SLURM_ARRAY_TASK_COUNT": "4", "SLURM_ARRAY_TASK_MIN": "10"}
KUBERNETES = {"JOB_COMPLETION_INDEX": "3", "MIEN_WORLD_SIZE": "8"}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        (SLURM, (2, 4)),
        (SLURM | {"SLURM_ARRAY_TASK_MIN": "0", "SLURM_ARRAY_TASK_ID": "6", "SLURM_ARRAY_TASK_STEP": "2"}, (3, 4)),
        ({"SLURM_ARRAY_TASK_ID": "12"}, None),
        (KUBERNETES, (3, 8)),
        ({"JOB_COMPLETION_INDEX": "3"}, None),
        ({"MIEN_WORLD_SIZE": "8"}, None),
        (SLURM | KUBERNETES, (2, 4)),
    ],
)
def test_a_scheduler_says_which_run_this_is(environment: Mapping[str, str], expected: tuple[int, int] | None) -> None:
    found = chosen_rank(None, None, environment)
    assert (None if found is None else (found.number, found.of)) == expected


def test_the_options_go_before_the_environment() -> None:
    found = chosen_rank(0, 2, SLURM | KUBERNETES)
    assert str(found) == "rank 0 of 2 (--rank and --world-size)"
    assert str(chosen_rank(None, None, SLURM)) == "rank 2 of 4 (SLURM_ARRAY_TASK_ID)"


@pytest.mark.parametrize(
    ("rank", "world_size", "environment", "line"),
    [
        (1, None, {}, "--rank and --world-size belong together: give both, or neither"),
        (None, 2, SLURM, "--rank and --world-size belong together: give both, or neither"),
        (2, 2, {}, r"rank 2 of 2 \(--rank and --world-size\) cannot be: ranks go from 0"),
        (None, None, KUBERNETES | {"JOB_COMPLETION_INDEX": "8"}, r"rank 8 of 8 \(JOB_COMPLETION_INDEX and"),
        (None, None, KUBERNETES | {"MIEN_WORLD_SIZE": "many"}, "MIEN_WORLD_SIZE is 'many', which is no number"),
        (None, None, KUBERNETES | {"MIEN_WORLD_SIZE": "0"}, "rank 3 of 0"),
        (None, None, SLURM | {"SLURM_ARRAY_TASK_ID": ""}, "SLURM_ARRAY_TASK_ID is '', which is no number"),
        (None, None, SLURM | {"SLURM_ARRAY_TASK_ID": "1"}, "rank -9 of 4"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(
    rank: int | None, world_size: int | None, environment: Mapping[str, str], line: str
) -> None:
    with pytest.raises(UsageError, match=line) as told:
        chosen_rank(rank, world_size, environment)
    assert "\n" not in str(told.value)


def test_a_rank_is_in_force_in_its_block_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    rank = Rank(1, 3, "the test")
    assert (rank_in_force(), is_first_rank(), runs_at_once()) == (None, True, 1)
    with caplog.at_level(logging.WARNING), working_as(rank), working_as(rank), working_as(None):
        assert (rank_in_force(), is_first_rank(), runs_at_once()) == (rank, False, 3)
    assert rank_in_force() is None
    assert caplog.messages == [
        "rank 1 of 3 (the test): its own shards come first, then those that no other run has in hand"
    ]


def test_a_rank_does_its_own_ones_first_and_then_meets_the_others_from_their_ends() -> None:
    assert own_first(range(10), Rank(0, 3, "")) == [0, 3, 6, 9, 7, 4, 1, 8, 5, 2]
    assert own_first(range(10), Rank(2, 3, "")) == [2, 5, 8, 9, 6, 3, 0, 7, 4, 1]
    assert own_first([1, 4, 8], Rank(0, 2, "")) == [4, 8, 1]


def test_the_ranks_begin_with_all_there_is_and_none_of_it_twice() -> None:
    own = [own_first(range(100), Rank(number, 7, ""))[:14] for number in range(7)]
    assert len({index for of_one in own for index in of_one}) == 7 * 14


@pytest.mark.parametrize("rank", [None, Rank(3, 4, ""), Rank(9, 10, "")])
def test_every_run_comes_to_everything(rank: Rank | None) -> None:
    assert sorted(own_first(range(9), rank)) == list(range(9))
    assert own_first([], rank) == []


def test_a_run_without_a_rank_goes_round() -> None:
    begun = own_first(range(9), None)
    assert begun == [(begun[0] + step) % 9 for step in range(9)]
