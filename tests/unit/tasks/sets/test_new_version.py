"""Of the ranks of a job the first makes the set's version; the others find it, and never make a second one."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from mien.storage import ChangedError, Root, commit, fingerprint, read_set, set_versions
from mien.storage.runs import STALE_S, job
from mien.tasks.runtime.ranks import Rank, working_as
from mien.tasks.sets.new_version import write_version

ABOUT = {"sources": ["photos"]}
RANK = Rank(1, 2, "the test")


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(str(tmp_path))


def table(root: Root, number: int) -> dict[str, str]:
    return {"pairs": commit(root, "pairs", [], {"number": number}).fingerprint}


def test_ranks_with_one_result_make_one_version(root: Root) -> None:
    for number in range(3):
        with working_as(Rank(number, 3, "the test")):
            written = write_version(root, "six", table(root, 0), 0, ABOUT, False)
        assert (written.version, written.is_new) == (1, number == 0)
    assert set_versions(root, "six") == [1]


def test_a_rank_whose_sources_answered_otherwise_leaves_the_set_as_it_is(
    root: Root, caplog: pytest.LogCaptureFixture
) -> None:
    first = write_version(root, "six", table(root, 0), 0, ABOUT, False)
    with working_as(RANK), caplog.at_level(logging.WARNING):
        written = write_version(root, "six", table(root, 1), 0, ABOUT, False)
    assert written == first
    assert not written.is_new
    assert "version 1 of six is by another rank, and stays" in caplog.messages[-1]
    assert read_set(root, "six").tables == table(root, 0)
    assert set_versions(root, "six") == [1]


def test_what_is_no_rank_of_the_job_is_told(root: Root) -> None:
    write_version(root, "six", table(root, 0), 0, ABOUT, False)
    with pytest.raises(ChangedError, match="was changed by another run"):
        write_version(root, "six", table(root, 1), 0, ABOUT, False)
    with working_as(RANK), pytest.raises(ChangedError, match="was changed by another run"):
        write_version(root, "six", table(root, 1), 0, {"sources": ["others"]}, False)
    assert fingerprint(read_set(root, "six").tables) == fingerprint(table(root, 0))


@pytest.mark.parametrize("rank", [None, RANK])
def test_a_run_that_was_suspended_says_so_where_there_is_no_set_yet(root: Root, rank: Rank | None) -> None:
    with job(root, "a job") as marker, working_as(rank):
        marker._beat_s -= STALE_S
        with pytest.raises(ChangedError, match="no sign of life for so long"):
            write_version(root, "six", table(root, 0), 0, ABOUT, False)
    assert set_versions(root, "six") == []
