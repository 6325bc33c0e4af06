"""Plans as tables: the same rows however they are cut, the same shards each time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pytest

from benchmarks.planning import EXPRESSIONS, synthetic_set
from mien.storage import Root, read_shard
from mien.storage.schemas import PAIRS
from mien.tasks.errors import UsageError
from mien.tasks.plan.counts import PlanOutcome
from mien.tasks.plan.pair_list import PairList
from mien.tasks.plan.pair_shards import store_round
from mien.tasks.plan.plan import Plan, PlanSettings, make_plan
from mien.tasks.sets.faces import FaceTables


@pytest.fixture
def root() -> Root:
    return Root(f"memory://{uuid4().hex}")


def planned(root: Root, labelled: bool = True, **settings: int):
    tables = synthetic_set(root, faces=80, photos=8, labelled=labelled)
    return make_plan(root, tables, tables, PlanSettings(**settings))


def test_the_cut_into_parts_does_not_change_the_rows(root: Root) -> None:
    plan = planned(root, per_identity=9)
    whole = pa.concat_tables(plan.parts(plan.first(), 1000))
    assert whole.schema == PAIRS
    assert whole.num_rows == 90 == plan.summary.pairs
    for size in (1, 7, 64):
        parts = list(plan.parts(plan.first(), size))
        assert all(0 < part.num_rows <= size for part in parts)
        assert pa.concat_tables(parts).to_pylist() == whole.to_pylist()


def test_a_new_person_changes_the_shards_around_it_alone(root: Root) -> None:
    tables = synthetic_set(root, faces=1600, photos=8, labelled=True)
    plan = make_plan(root, tables, tables, PlanSettings(per_identity=5))
    ranks = plan.first()
    for name in plan.identities[3:200:50]:
        before = [
            part.to_pylist() for part in plan.parts({other: ranks[other] for other in ranks if other != name}, 64)
        ]
        after = [part.to_pylist() for part in plan.parts(ranks, 64)]
        assert len(before) > 15
        assert sum(part not in after for part in before) <= 5


def test_each_person_gets_all_expressions_in_turns(root: Root) -> None:
    rows = pa.concat_tables(
        planned(root, per_identity=14).parts(planned(root, per_identity=14).first(), 50)
    ).to_pylist()
    for person in {row["identity"] for row in rows}:
        its = [row for row in rows if row["identity"] == person]
        assert Counter(row["expression"] for row in its) == dict.fromkeys(EXPRESSIONS, 2)
        assert [row["rank"] for row in its] == list(range(14))
        assert all(row["expression"] == row["expression_group"] for row in its)


def test_without_labels_the_drivers_are_clustered(root: Root) -> None:
    plan = planned(root, labelled=False, per_identity=8)
    rows = pa.concat_tables(plan.parts(plan.first(), 50)).to_pylist()
    assert all(row["expression"] is None for row in rows)
    assert {row["expression_group"] for row in rows} == set(plan.groups)
    assert len(plan.groups) > 1


def test_a_plan_is_stored_once(root: Root) -> None:
    plan = planned(root, per_identity=5)
    parts = partial(plan.parts, plan.first(), 16)
    first = store_round(root, parts)
    assert sum(shard.rows for shard in first) == 50
    assert len(first) > 3
    assert store_round(root, parts) == first
    stored = pa.concat_tables(read_shard(root, "pairs", shard.fingerprint) for shard in first)
    assert stored.to_pylist() == pa.concat_tables(parts()).to_pylist()
    # A list may repeat itself, and a table has each shard once.
    twice = store_round(root, lambda: iter([*parts(), *parts()]))
    assert twice[: len(first)] == first
    assert len({shard.fingerprint for shard in twice}) == 2 * len(first)


def test_a_set_without_the_asked_split_is_told(root: Root) -> None:
    tables: FaceTables = synthetic_set(root, faces=16, photos=8, labelled=True)
    with pytest.raises(UsageError, match="synthetic gives 0 usable faces"):
        make_plan(root, tables, tables, PlanSettings(identity_splits=("test",)))


def counted(outcome: PlanOutcome, rows: list[dict[str, Any]], accepted: Callable[[dict[str, Any]], bool]) -> None:
    """As `PlanOutcome.count` does from the shards."""
    for row in rows:
        outcome.tried[row["identity"]] = outcome.tried.get(row["identity"], 0) + 1
        if accepted(row):
            outcome.accepted[row["identity"]] = outcome.accepted.get(row["identity"], 0) + 1


def made(plan: Plan | PairList, accepted: Callable[[dict[str, Any]], bool]) -> list[list[dict[str, Any]]]:
    """The rows of each round."""
    outcome, rounds = PlanOutcome(), []
    for pairs in plan.rounds(outcome):
        assert pa.concat_tables(pairs()).to_pylist() == pa.concat_tables(pairs()).to_pylist()  # a step may start over
        rounds.append(pa.concat_tables(pairs()).to_pylist())
        counted(outcome, rounds[-1], accepted)
    return rounds


def test_a_plan_replaces_what_is_rejected_until_each_person_has_enough(root: Root) -> None:
    rounds = made(planned(root, per_identity=5), lambda row: row["rank"] % 2 == 0)
    rows = [row for part in rounds for row in part]
    assert len(rounds[0]) == 50
    for person in {row["identity"] for row in rows}:
        ranks = [row["rank"] for row in rows if row["identity"] == person]
        assert ranks == list(range(9))  # the fifth even rank is 8


def test_a_plan_ends_where_no_candidates_are_left(root: Root) -> None:
    rounds = made(planned(root, per_identity=5, candidates=7), lambda _: False)
    assert [len(part) for part in rounds] == [50, 20]
    assert len(made(planned(root, per_identity=5), lambda _: True)) == 1


def test_a_list_has_one_round_whatever_comes_of_it(root: Root) -> None:
    (rows,) = made(planned(root, per_identity=2), lambda _: True)
    listed = PairList([*rows, rows[0]])
    assert made(listed, lambda _: False) == [[*rows, rows[0]]]
    assert (listed.summary.pairs, listed.summary.identities, listed.summary.lines()) == (21, 10, [])
    assert PlanOutcome().evenness_line(listed.summary) == ""
