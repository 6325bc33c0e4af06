"""Plans depend on the faces, the settings and the seed, and on nothing else; they cover the expressions evenly."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.model.errors import ModelError
from mien.model.pair_planning import Planner, planned_pair
from mien.model.plan_faces import PlanFaces, plan_faces
from mien.model.plan_rules import PlanningSettings, PlanRules
from mien.model.source_choice import FaceLooks, FaceShapes, SourceChoice, look_similarity
from mien.tasks.plan.evenness import PlanEvenness, normalised_entropy

Row = tuple[str, str, str, tuple[float, float, float] | None]
ROWS: list[Row] = [(f"{person}{n}", person, "", None) for person in "abcd" for n in range(5)]
LABELS = ("calm", "happy", "sad")


def labelled(people: str, each: int) -> list[Row]:
    return [(f"{person}{n}", person, LABELS[n % 3], None) for person in people for n in range(each)]


def faces_of(rows: list[Row]) -> PlanFaces:
    ids, people, groups, poses = zip(*rows, strict=True)
    known = [(np.nan, np.nan, np.nan) if pose is None else pose for pose in poses]
    return plan_faces(np.array(ids, np.bytes_), people, groups, np.array(known, np.float64))


def pairs_of(sources: list[Row], drivers: list[Row], count: int, rules: PlanRules | None = None) -> list[tuple]:
    """(identity, source, driver) of the first pairs of each identity."""
    planner = Planner(faces_of(sources), faces_of(drivers), rules or PlanRules())
    return [
        (name, pair.identity_face_id, pair.expression_face_id)
        for name in planner.identities
        for pair in planner.pairs(planner.take(name, 0, count))
    ]


def test_each_identity_gets_its_number_of_pairs_and_never_a_driver_of_its_own() -> None:
    pairs = pairs_of(ROWS, ROWS, 7)
    assert Counter(name for name, _, _ in pairs) == dict.fromkeys("abcd", 7)
    assert all(source[0] == name != driver[0] for name, source, driver in pairs)


@pytest.mark.parametrize("rules", [PlanRules(), PlanRules(max_pose_difference=10.0)])
def test_who_has_a_face_under_another_name_in_the_other_set_is_no_stranger(rules: PlanRules) -> None:
    sources = [row for row in ROWS if row[1] == "a"]
    known = [("a0", "person 7", "", None), ("new0", "person 7", "", None)]  # a0 is in both sets
    strangers = [(f"x{n}", "x", "", None) for n in range(3)]
    pairs = pairs_of(sources, [*known, *strangers], 30, rules)
    assert {driver for _, _, driver in pairs} == {"x0", "x1", "x2"}
    assert pairs_of(sources, known, 30, rules) == []
    own = pairs_of(sources, known, 30, PlanRules(same_identity=True))
    assert {driver for _, _, driver in own} == {"a0", "new0"}


def test_own_expressions_come_where_they_are_asked_for() -> None:
    pairs = pairs_of(ROWS, ROWS, 20, PlanRules(same_identity=True))
    assert {driver for name, _, driver in pairs if name == "a"} == {row[0] for row in ROWS}


def test_the_order_of_the_faces_does_not_matter() -> None:
    shuffled = random.Random(3).sample(ROWS, len(ROWS))
    assert pairs_of(shuffled, ROWS[::-1], 9, PlanRules(4)) == pairs_of(ROWS, ROWS, 9, PlanRules(4))


def test_another_seed_is_another_plan() -> None:
    assert set(pairs_of(ROWS, ROWS, 9, PlanRules(0))) != set(pairs_of(ROWS, ROWS, 9, PlanRules(1)))


@pytest.mark.parametrize(("sources", "drivers"), [(5, 15), (4, 6), (1, 3), (6, 4)])
@pytest.mark.parametrize("limit", [None, 10.0])
def test_every_pair_comes_exactly_once_where_more_are_asked_for_than_there_are(
    sources: int, drivers: int, limit: float | None
) -> None:
    people: list[Row] = [(f"a{n}", "a", "", (0.0, 0.0, 0.0)) for n in range(sources)]
    others: list[Row] = [(f"b{n}", "b", "", (5.0, 0.0, 0.0)) for n in range(drivers)]
    pairs = pairs_of(people, others, 1000, PlanRules(max_pose_difference=limit))
    assert len(set(pairs)) == len(pairs) == sources * drivers


def test_drivers_are_used_once_each_before_any_is_used_again() -> None:
    assert len({driver for _, _, driver in pairs_of(ROWS[:5], ROWS, 15)}) == 15


def test_no_more_sources_take_turns_than_are_allowed() -> None:
    rules = PlanRules(planning=PlanningSettings(max_sources=2))
    assert len({source for _, source, _ in pairs_of(ROWS[:5], ROWS, 30, rules)}) == 2


def test_an_identity_alone_gets_nothing() -> None:
    assert pairs_of(ROWS[:5], ROWS[:5], 3) == []


def test_nobody_and_no_drivers_give_nothing() -> None:
    nobody = plan_faces(np.zeros(0, np.bytes_), [], [], np.zeros((0, 3)))
    assert Planner(nobody, faces_of(ROWS), PlanRules()).identities == []
    planner = Planner(faces_of(ROWS), nobody, PlanRules())
    assert len(planner.take("a", 0, 3).drivers) == 0


def test_labels_come_in_turns() -> None:
    drivers = [*labelled("wxyz", 30), ("rare", "v", "angry", None)]
    label_of = {row[0]: row[2] for row in drivers}
    for name in "ab":
        of_one = [label_of[d] for n, _, d in pairs_of(ROWS[:10], drivers, 12) if n == name]
        assert Counter(of_one[:4]) == dict.fromkeys((*LABELS, "angry"), 1)
        # The one angry photo comes once with each of the five faces before the others have to give more.
        assert Counter(of_one) == {"angry": 3, "calm": 3, "happy": 3, "sad": 3}


def test_all_drivers_of_a_label_are_used_alike_over_many_identities() -> None:
    sources: list[Row] = [(f"s{n}", f"person {n}", "", None) for n in range(600)]
    drivers = labelled("wxyz", 15)
    counts = Counter(driver for _, _, driver in pairs_of(sources, drivers, 3))
    assert set(counts) == {row[0] for row in drivers}
    assert max(counts.values()) < 4 * 1800 / 60


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 6), st.integers(1, 25), st.integers(0, 30), st.integers(0, 30), st.sampled_from([None, 15.0]),
    st.integers(0, 5),
)  # fmt: skip
def test_a_later_slice_goes_on_where_the_former_ended(
    people: int, each: int, first: int, more: int, limit: float | None, seed: int
) -> None:
    draw = np.random.default_rng(seed)
    rows: list[Row] = [
        (f"{p}-{n}", f"p{p}", LABELS[draw.integers(3)], (float(draw.uniform(-20, 20)), 0.0, 0.0))
        for p in range(people)
        for n in range(each)
    ]
    planner = Planner(faces_of(rows), faces_of(rows), PlanRules(seed, limit))
    whole, head, tail = (planner.take("p0", a, n) for a, n in ((0, first + more), (0, first), (first, more)))
    assert [*whole.sources] == [*head.sources, *tail.sources]
    assert [*whole.drivers] == [*head.drivers, *tail.drivers]
    together = list(zip(whole.sources.tolist(), whole.drivers.tolist(), strict=True))
    assert len(set(together)) == len(together)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 6), st.integers(1, 12), st.integers(1, 40), st.sampled_from([None, 15.0]),
    st.sampled_from(["p0", "p3", "someone new"]), st.sampled_from([*LABELS, "a new label"]), st.integers(0, 9),
)  # fmt: skip
def test_a_new_face_changes_no_pair_of_an_identity_whose_photos_and_drivers_stay(
    people: int, each: int, count: int, limit: float | None, person: str, label: str, seed: int
) -> None:
    draw = np.random.default_rng(seed)
    rows: list[Row] = [
        (f"{draw.integers(1000)}-{p}-{n}", f"p{p}", LABELS[draw.integers(3)], (float(draw.uniform(-20, 20)), 0.0, 0.0))
        for p in range(people)
        for n in range(each)
    ]
    new: Row = (f"{draw.integers(1000)}-new-and-longer", person, label, (0.0, 0.0, 0.0))
    before, after = (pairs_by_identity(faces, count, PlanRules(seed, limit)) for faces in (rows, [*rows, new]))
    for name in before.keys() - {person}:
        drivers = [[driver for _, driver in plan[name]] for plan in (before, after)]
        assert drivers[0] != drivers[1] or before[name] == after[name]


def pairs_by_identity(rows: list[Row], count: int, rules: PlanRules) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {row[1]: [] for row in rows}
    for name, source, driver in pairs_of(rows, rows, count, rules):
        found[name].append((source, driver))
    return found


@pytest.mark.parametrize(("each", "person"), [(10, "person 7"), (10, "new"), (1, "new")])
def test_one_new_photo_among_a_thousand_changes_few_pairs(each: int, person: str) -> None:
    rows: list[Row] = [(f"f{n}", f"person {n // each}", LABELS[n % 3], None) for n in range(1000)]
    changed: list[float] = []
    for seed in range(5 if each > 1 else 2):  # of a thousand people each takes seconds
        rules, new = PlanRules(seed), ("fresh", person, "sad", None)
        before, after = (set(pairs_of(faces, faces, 10, rules)) for faces in (rows, [*rows, new]))
        changed.append(len(before - after) / len(before))
    assert np.mean(changed) <= 0.01
    assert max(changed) <= 0.02


def crowd(people: int, each: int, groups: int) -> PlanFaces:
    return faces_of(
        [(f"{p}-{n}", f"p{p}", f"g{(n * 5 + p) % groups}", None) for p in range(people) for n in range(each)]
    )


@pytest.mark.parametrize(("people", "each"), [(20, 40), (40, 10), (100, 10), (10, 40)])
def test_expressions_sources_and_drivers_are_all_used_evenly(people: int, each: int) -> None:
    faces = crowd(people, each, groups=8)
    for seed in range(3):
        planner, counted = Planner(faces, faces, PlanRules(seed)), PlanEvenness(faces.groups.numbers, 8)
        for name in planner.identities:
            taken = planner.take(name, 0, 10)
            assert len(set(taken.sources.tolist())) == 10  # of ten photos or forty
            counted.count(planner.group_counts(taken), planner.source_counts(taken), taken.drivers)
        found = counted.entropies()
        assert min(found.expressions, found.sources, found.drivers) >= 0.95
    assert counted.pairs == 10 * people


def test_all_photos_are_used_before_any_is_used_again() -> None:
    for count in (3, 5, 8, 15):
        counts = Counter(source for name, source, _ in pairs_of(ROWS, ROWS, count) if name == "a")
        uses = [counts[f"a{n}"] for n in range(5)]
        assert max(uses) - min(uses) <= 1


@pytest.mark.parametrize("source", ["turns", "one", "nearest"])
def test_a_photo_is_never_its_own_source(source: SourceChoice) -> None:
    faces, shapes = faces_of(ROWS), np.arange(20, dtype=np.float16)[:, None].repeat(136, 1)
    planner = Planner(faces, faces, PlanRules(same_identity=True, source=source), lambda: FaceShapes(shapes, shapes))
    for name in planner.identities:
        taken = planner.take(name, 0, 1000)
        assert len(taken.drivers) == (19 if source == "one" else 95)  # five photos, each with all others
        assert (taken.sources != taken.drivers).all()


def random_shapes(sources: int, drivers: int) -> FaceShapes:
    draw = np.random.default_rng(0)
    return FaceShapes(*(draw.normal(0, 1, (count, 136)).astype(np.float16) for count in (sources, drivers)))


def test_sources_are_ranked_by_how_near_they_are_to_what_is_asked_for() -> None:
    sources, drivers, shapes = faces_of(ROWS[:5]), faces_of(ROWS[5:]), random_shapes(5, 15)
    shown, asked = shapes.sources.astype(float), shapes.drivers.astype(float)
    mean_ranks: list[float] = []
    for source in ("nearest", "turns"):
        planner = Planner(sources, drivers, PlanRules(source=source), lambda: shapes)
        taken = planner.take("a", 0, 15)
        apart = np.linalg.norm(shown[None] - asked[taken.drivers][:, None], axis=-1)
        ranks, _ = planner.beside(taken)
        assert ranks is not None
        assert ranks.tolist() == ((apart < apart[np.arange(15), taken.sources][:, None]).sum(1) + 1).tolist()
        mean_ranks.append(float(ranks.mean()))
    assert mean_ranks[0] < 2.3 < mean_ranks[1]


@pytest.mark.parametrize("source", ["turns", "one", "nearest"])
def test_further_sources_are_the_nearest_of_the_others_and_never_the_driver_s_photo(source: SourceChoice) -> None:
    faces, shapes = faces_of(ROWS), random_shapes(20, 20)
    rules = PlanRules(same_identity=True, source=source, sources=3)
    planner = Planner(faces, faces, rules, lambda: shapes)
    taken = planner.take("b", 0, 40)
    _, further = planner.beside(taken)
    assert further.shape == (len(taken.drivers), 2)
    own = np.flatnonzero(faces.identities.numbers == 1)
    shown, asked = shapes.sources.astype(float), shapes.drivers.astype(float)
    for pair, (chosen, driver) in enumerate(zip(taken.sources, taken.drivers, strict=True)):
        others = [row for row in own if row not in (chosen, driver)]
        nearest = sorted(others, key=lambda row: float(np.linalg.norm(shown[row] - asked[driver])))
        assert further[pair].tolist() == nearest[:2]


def test_asking_for_more_pairs_or_more_sources_keeps_the_first_ones() -> None:
    faces, shapes = faces_of(ROWS), random_shapes(20, 20)
    planners = {
        count: Planner(faces, faces, PlanRules(source="nearest", sources=count), lambda: shapes) for count in (1, 3, 16)
    }
    few, more = (planners[3].beside(planners[3].take("c", 0, count))[1] for count in (4, 12))
    assert more[:4].tolist() == few.tolist()
    later = planners[3].beside(planners[3].take("c", 4, 8))[1]
    assert more[4:].tolist() == later.tolist()
    all_of = planners[16].beside(planners[16].take("c", 0, 12))[1]
    assert all_of[:, :2].tolist() == more.tolist()
    assert all_of[:, 4:].max() == -1  # five photos: four others
    assert planners[1].beside(planners[1].take("c", 0, 12))[1].shape == (12, 0)


def test_a_further_source_is_of_another_photo_than_source_and_driver() -> None:
    """Two faces in one photo: the driver stands beside the person in it."""
    ids = np.array([f"a{n}" for n in range(4)] + ["z"], np.bytes_)
    photos = np.array([10, 11, 11, 12, 13], np.uint64)  # a1 and a2 are in one photo
    poses = np.full((5, 3), np.nan)
    sources = plan_faces(ids[:4], ["a"] * 4, [""] * 4, poses[:4], photos[:4])
    rules = PlanRules(source="one", sources=4)
    found: dict[int, set[int]] = {}
    for photo in (10, 11, 12, 13):
        drivers = plan_faces(ids[4:], ["z"], [""], poses[4:], np.array([photo], np.uint64))
        planner = Planner(sources, drivers, rules)
        taken = planner.take("a", 0, 1)
        assert len(taken.sources) == 1
        found[photo] = {int(sources.photos[row]) for row in planner.beside(taken)[1][0] if row >= 0}
        assert photo not in found[photo]
        assert int(sources.photos[taken.sources[0]]) not in found[photo]
    assert len(found[13]) == 2


def test_photos_that_may_not_be_used_and_poses_beyond_the_limit_do_not_come_as_further_sources() -> None:
    ids, poses = np.array([f"a{n}" for n in range(5)], np.bytes_), np.zeros((5, 3))
    poses[4] = 30.0
    drivers = faces_of([("z", "z", "", (0.0, 0.0, 0.0))])
    for spare, limit, expected in (
        (np.ones(5, np.bool_), None, {0, 1, 2, 3, 4}),
        (np.array([True, False, True, True, True]), None, {0, 2, 3, 4}),
        (np.ones(5, np.bool_), 20.0, {0, 1, 2, 3}),
    ):
        sources = plan_faces(ids, ["a"] * 5, [""] * 5, poses, spare=spare)
        planner = Planner(sources, drivers, PlanRules(max_pose_difference=limit, sources=16))
        taken = planner.take("a", 0, 1)
        further = planner.beside(taken)[1][0]
        assert set(further[further >= 0].tolist()) == expected - {int(taken.sources[0])}


def glasses(alike: float, least: float, worn: Sequence[bool]) -> FaceLooks:
    """Looks of photos with glasses and without: photos of one look have this similarity, of two looks 0."""
    embeddings = np.array([[1.0, 0.0] if wears else [0.0, 1.0] for wears in worn], np.float16)
    return FaceLooks(embeddings, lambda first, second: alike * (first * second).sum(-1), least)


@pytest.mark.parametrize("source", ["turns", "one", "nearest"])
def test_further_sources_look_like_the_source(source: SourceChoice) -> None:
    worn = [True, False, True, False, False] * 4
    faces, shapes = faces_of(ROWS), random_shapes(20, 20)
    rules = PlanRules(source=source, sources=5)

    def planned(looks: FaceLooks | None) -> tuple[list[int], list[list[int]]]:
        planner = Planner(faces, faces, rules, lambda: shapes, looks=looks)
        taken = planner.take("b", 0, 10)
        further = planner.beside(taken)[1]
        return taken.sources.tolist(), [[row for row in rows if row >= 0] for rows in further.tolist()]

    sources, anyone = planned(None)
    assert {len(rows) for rows in anyone} == {4}
    same, found = planned(glasses(1.0, 0.5, worn))
    assert same == sources  # the pairs stay, only what is beside them does not
    for chosen, some, all_of in zip(sources, found, anyone, strict=True):
        assert some == [row for row in all_of if worn[row] == worn[chosen]]
    assert planned(glasses(1.0, 1.5, worn))[1] == [[]] * 10  # no two photos look alike
    assert planned(glasses(1.0, -1.0, worn))[1] == anyone
    assert planned(glasses(np.nan, 0.5, worn))[1] == [[]] * 10


def test_a_look_is_more_alike_than_a_person_is_recognised_by() -> None:
    assert look_similarity(0.6) == pytest.approx(0.64)  # dlib's: photos with glasses and without are at .55
    assert look_similarity(1.0) == 1.0


def test_alike_photos_come_in_the_order_of_their_ids_and_one_photo_has_none_beside_it() -> None:
    shapes = FaceShapes(np.zeros((5, 136), np.float16), np.zeros((15, 136), np.float16))
    rules = PlanRules(source="nearest", sources=3)
    planner = Planner(faces_of(ROWS[:5]), faces_of(ROWS[5:]), rules, lambda: shapes)
    taken = planner.take("a", 0, 5)
    for source, further in zip(taken.sources.tolist(), planner.beside(taken)[1].tolist(), strict=True):
        assert further == [row for row in range(5) if row != source][:2]
    alone = Planner(faces_of(ROWS[:1]), faces_of(ROWS[5:]), rules, lambda: shapes)
    assert alone.beside(alone.take("a", 0, 5))[1].tolist() == [[-1, -1]] * 5


def test_the_nearest_photo_comes_as_often_as_is_allowed() -> None:
    shown = np.zeros((5, 136), np.float16)
    shown[1:] = 1  # the first is nearest to all
    shapes = FaceShapes(shown, np.zeros((15, 136), np.float16))
    for share, times in ((1.0, 3), (2.0, 6), (100.0, 15)):
        rules = PlanRules(source="nearest", planning=PlanningSettings(max_source_share=share))
        planner = Planner(faces_of(ROWS[:5]), faces_of(ROWS[5:]), rules, lambda: shapes)
        assert np.bincount(planner.take("a", 0, 15).sources, minlength=5)[0] == times
        assert planner.take("a", 0, 1).sources.tolist() == [0]


def test_a_nearer_new_photo_takes_over_pairs_and_leaves_most_others() -> None:
    drivers, rules = faces_of([(f"d{n}", f"p{n}", "", None) for n in range(40)]), PlanRules(source="nearest")
    shapes = random_shapes(11, 40)
    photos: list[Row] = [(f"a{n:02d}", "a", "", None) for n in range(11)]
    plans = [
        set(zip(taken.sources.tolist(), taken.drivers.tolist(), strict=True))
        for some in (photos[:10], photos)
        for taken in [Planner(faces_of(some), drivers, rules, lambda: shapes).take("a", 0, 20)]
    ]
    new = plans[1] - plans[0]
    assert 0 < sum(source == 10 for source, _ in new) <= 4
    assert len(new) <= 8


def test_a_plan_begins_as_the_former_one_did() -> None:
    faces = crowd(30, 6, groups=4)
    more = faces_of([(f"{p}-{n}", f"p{p}", f"g{(n * 5 + p) % 4}", None) for p in range(33) for n in range(6)])
    first = Planner(faces, faces, PlanRules())
    kept: list[float] = []
    for former in (first_drivers(first), None):
        later = Planner(more, more, PlanRules(), former=former)
        same = [set(pair_ids(first, name)) & set(pair_ids(later, name)) for name in first.identities]
        kept.append(sum(map(len, same)) / (8 * len(same)))
    assert kept[0] >= 0.9 > kept[1] + 0.05, kept
    again = Planner(faces, faces, PlanRules(), former=first_drivers(first))
    assert all(pair_ids(again, name) == pair_ids(first, name) for name in first.identities)
    gone = dict.fromkeys(first_drivers(first), "nobody's face")
    assert pair_ids(Planner(faces, faces, PlanRules(), former=gone), "p3") == pair_ids(first, "p3")


def pair_ids(planner: Planner, name: str) -> list[str]:
    return [pair.pair_id for pair in planner.pairs(planner.take(name, 0, 8))]


def first_drivers(planner: Planner) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for name in planner.identities:
        for driver in planner.take(name, 0, len(planner.groups)).drivers.tolist():
            group = planner.groups[planner.drivers.groups.numbers[driver]]
            found[name, group] = planner.drivers.face_ids[driver].decode()
    return found


def test_the_nearest_photo_needs_landmarks() -> None:
    with pytest.raises(ModelError, match="landmarks"):
        Planner(faces_of(ROWS), faces_of(ROWS), PlanRules(source="nearest"))


def test_one_new_face_takes_the_turn_of_one_source_where_there_may_be_no_more() -> None:
    sources: list[Row] = [(f"a{n}", "a", "", None) for n in range(9)]
    rules = PlanRules(planning=PlanningSettings(max_sources=4))
    used = [{source for _, source, _ in pairs_of(some, ROWS[5:], 60, rules)} for some in (sources[:8], sources)]
    assert [len(each) for each in used] == [4, 4]
    assert used[1] - used[0] <= {"a8"}


def test_every_source_is_used_about_alike() -> None:
    drivers: list[Row] = [(f"d{n}", f"person {n}", "", None) for n in range(600)]
    counts = Counter(source for name, source, _ in pairs_of(ROWS[:5], drivers, 500) if name == "a")
    assert set(counts) == {row[0] for row in ROWS[:5]}
    assert max(counts.values()) < 1.5 * min(counts.values())


def test_poses_that_are_too_far_apart_are_never_paired() -> None:
    turned: list[Row] = [(f"a{n}", "a", "", (10.0 * n, 0.0, 0.0)) for n in range(5)]
    drivers: list[Row] = [(f"b{n}", "b", "", (8.0 * n - 8, 0.0, 0.0)) for n in range(9)]
    drivers.append(("unknown", "b", "", None))
    poses = {row[0]: row[3] for row in turned + drivers}
    pairs = pairs_of(turned, drivers, 100, PlanRules(max_pose_difference=9.0))
    known = [(poses[s], poses[d]) for _, s, d in pairs if poses[d] is not None]
    assert known
    assert all(abs(s[0] - d[0]) <= 9 for s, d in known)
    fitting = sum(abs(s[3][0] - d[3][0]) <= 9 for s in turned for d in drivers[:-1])
    assert len(known) == fitting
    assert sum(d == "unknown" for _, _, d in pairs) == 5


@pytest.mark.parametrize(
    ("counts", "expected"), [([5, 5], 1.0), ([5, 0], 0.0), ([7], 1.0), ([0, 0], 1.0), ([3, 1], 0.8112781)]
)
def test_entropy_is_one_where_groups_are_even(counts: list[int], expected: float) -> None:
    assert normalised_entropy(np.array(counts)) == pytest.approx(expected)


def test_the_id_and_the_seed_of_a_pair_follow_from_its_faces() -> None:
    pair = planned_pair("s", "d", 5)
    assert pair == planned_pair("s", "d", 5)
    assert pair.pair_id != planned_pair("d", "s", 5).pair_id
    assert 0 <= pair.seed < 2**32
