"""Groups of drivers: labels, or clusters that a new photo does not move."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest

from benchmarks.grown_plan import Photo, photos, planned
from mien.storage import Root
from mien.tasks.plan.groups import Clusters, _still_right
from mien.tasks.plan.plan import PlanSettings


@pytest.fixture
def root() -> Root:
    return Root(f"memory://{uuid4().hex}")


MORE = Photo(200, 7, "happy")


def test_a_new_photo_changes_few_pairs_where_the_clusters_stay(root: Root) -> None:
    first = planned(root, photos(200, 10), PlanSettings(10), labelled=False)
    later = planned(
        root, [*photos(200, 10), replace(MORE, person=77)], PlanSettings(10), labelled=False, former=first.former
    )
    anew = planned(root, [*photos(200, 10), replace(MORE, person=77)], PlanSettings(10), labelled=False)
    assert len(first.pairs - later.pairs) <= 6
    assert len(anew.pairs - first.pairs) > 50  # what it comes to without the former clusters


def test_the_same_photos_again_are_the_same_plan(root: Root) -> None:
    first = planned(root, photos(120, 10), PlanSettings(5), labelled=False)
    again = planned(root, photos(120, 10), PlanSettings(5), labelled=False, former=first.former)
    assert again == first


def test_labels_need_no_clusters(root: Root) -> None:
    assert planned(root, photos(40, 10), PlanSettings(5), labelled=True).former.clusters is None


KNOWN = Clusters("team", 8, 0, 100, [[0.0, 1.0]])


@pytest.mark.parametrize(
    ("asked", "stays"),
    [
        (KNOWN, True),
        (replace(KNOWN, faces=199), True),
        (replace(KNOWN, faces=60), True),
        (replace(KNOWN, faces=200), False),
        (replace(KNOWN, drivers="others"), False),
        (replace(KNOWN, asked=4), False),
        (replace(KNOWN, seed=1), False),
        (replace(KNOWN, code="another version"), False),
    ],
)
def test_clusters_stay_while_they_are_those_of_the_same_drivers(asked: Clusters, stays: bool) -> None:
    assert _still_right(KNOWN, asked) is stays
