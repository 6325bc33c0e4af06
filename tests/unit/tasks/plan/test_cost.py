"""What a job would take, from what the last one took."""

from __future__ import annotations

from pathlib import Path

import pytest

from mien.storage import Root
from mien.storage.artefacts import COSTS, json_artefact, keep
from mien.tasks.plan.cost import LastJob, expected_cost

PAIRS = 32


@pytest.fixture
def root(tmp_path: Path) -> Root:
    root = Root(str(tmp_path))
    keep(root, json_artefact(COSTS, LastJob), "transfers", LastJob(PAIRS, 15.0, 2, 2**20, 128))
    return root


def test_twice_the_pairs_take_twice_the_time(root: Root) -> None:
    once, twice = expected_cost(root, 2 * PAIRS, 128).line(), expected_cost(root, 8 * PAIRS, 128).line()
    assert once.startswith("about 30 s with 2 workers and ")
    assert twice.startswith("about 2 min with 2 workers and ")
    assert once.endswith("as the last job of this root took")


def test_faces_of_another_side_are_told_and_take_room_as_their_area(root: Root) -> None:
    alike, larger, smaller = (expected_cost(root, 10**6, side_px).line() for side_px in (128, 256, 64))
    assert larger.endswith("as the last job of this root took with faces of 128 px; those of 256 px take longer")
    assert smaller.endswith("with faces of 128 px; those of 64 px take less")
    assert _mib(larger) == pytest.approx(4 * _mib(alike), rel=0.01)


def test_faces_from_more_photos_or_fewer_are_told(root: Root) -> None:
    keep(root, json_artefact(COSTS, LastJob), "transfers", LastJob(PAIRS, 15.0, 2, 2**20, 128, 2))
    more, fewer, alike, listed = (expected_cost(root, PAIRS, 128, count).line() for count in (4, 1, 2, None))
    assert more.endswith("took from at most 2 photos each; from 4 photos they take longer")
    assert fewer.endswith("took from at most 2 photos each; from 1 photo they take less")
    assert alike.endswith("took")
    assert listed.endswith("took")
    assert (
        expected_cost(root, PAIRS, 64, 4)
        .line()
        .endswith("those of 64 px take less; it made them from at most 2 photos each; from 4 photos they take longer")
    )


def test_a_job_of_an_earlier_version_says_nothing_of_the_side(root: Root) -> None:
    root.write_bytes(COSTS.path("transfers"), b'{"pairs": 20, "seconds": 10.0, "workers": 1, "bytes": 1048576}')
    assert expected_cost(root, 40, 256).line() == (
        "about 20 s with 1 workers and 2.0 MiB, rejected faces and their substitutes not counted, as the last job of "
        "this root took"
    )


def _mib(line: str) -> float:
    return float(line.split(" and ")[1].split(" MiB")[0].replace(",", ""))
