"""The further sources of planned pairs: of the table that a plan becomes, and of whom they may be."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pytest

from mien.model.plan_rules import PlanningSettings, PlanRules
from mien.model.source_choice import SourceChoice
from mien.storage import Root, commit, fingerprint, read_manifest, read_shard, write_shard
from mien.storage.schemas import IMAGES
from mien.tasks.plan.faces import face_looks, face_shapes, read_usable
from mien.tasks.plan.plan import PlanSettings, make_plan
from mien.tasks.sets.faces import FaceTables
from tests.drawn_set import drawn_set

PEOPLE, EACH = 4, 4


@pytest.fixture(scope="module")
def drawn() -> tuple[Root, FaceTables]:
    root = Root(f"memory://{uuid4().hex}")
    return root, drawn_set(root)


def rows(root: Root, tables: FaceTables, settings: PlanSettings) -> list[dict[str, Any]]:
    plan = make_plan(root, tables, tables, settings)
    return pa.concat_tables(plan.parts(plan.first(), 7)).to_pylist()


def number_of(face_id: str) -> int:
    return [fingerprint(["drawn", n]) for n in range(PEOPLE * EACH)].index(face_id)


@pytest.mark.parametrize("source", ["nearest", "turns", "one"])
def test_each_pair_has_the_nearest_other_photos_of_its_person(
    drawn: tuple[Root, FaceTables], source: SourceChoice
) -> None:
    root, tables = drawn
    rules = PlanRules(source=source, sources=3, same_identity=True)
    found = rows(root, tables, PlanSettings(6, rules=rules))
    ids = np.unique(read_usable(root, tables, ()).face_ids)
    shapes = face_shapes(root, tables, tables, (ids, ids))
    place = {face_id.decode(): number for number, face_id in enumerate(ids.tolist())}
    assert len(found) == 6 * PEOPLE
    for row in found:
        source_id, driver_id = row["identity_face_id"], row["expression_face_id"]
        own = [face for face in place if number_of(face) // EACH == number_of(source_id) // EACH]
        apart = shapes.distances(np.array([place[face] for face in own]), np.array([place[driver_id]]))[0]
        others = sorted((far, face) for far, face in zip(apart, own, strict=True) if face not in (source_id, driver_id))
        assert row["further_source_ids"] == [face for _, face in others][:2]


def test_a_plan_with_more_sources_has_the_same_pairs(drawn: tuple[Root, FaceTables]) -> None:
    root, tables = drawn
    plans = {count: rows(root, tables, PlanSettings(5, rules=PlanRules(sources=count))) for count in (1, 2, 16)}
    for found in plans.values():
        assert [row | {"further_source_ids": None} for row in found] == [
            row | {"further_source_ids": None} for row in plans[1]
        ]
    assert {len(row["further_source_ids"]) for row in plans[1]} == {0}
    assert {len(row["further_source_ids"]) for row in plans[16]} == {EACH - 1}
    for two, all_of in zip(plans[2], plans[16], strict=True):
        assert two["further_source_ids"] == all_of["further_source_ids"][:1]
    longer = rows(root, tables, PlanSettings(9, rules=PlanRules(sources=16)))
    assert [row for row in longer if row["rank"] < 5] == plans[16]


def test_further_sources_look_like_the_source_by_the_embedding_of_the_set(
    drawn: tuple[Root, FaceTables], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, tables = drawn
    ids = np.unique(read_usable(root, tables, ()).face_ids)
    numbers = np.array([number_of(face_id.decode()) for face_id in ids.tolist()])
    looks = face_looks(root, tables, ids, None)
    assert looks.least == pytest.approx(0.91)  # of the drawn set's detector
    assert (looks.embeddings == np.array([[1.0, n // EACH / 4, n / 40] for n in numbers], np.float16)).all()
    few = face_looks(root, tables, ids[3:5], 0.5)
    assert (few.least, few.embeddings.tolist()) == (0.5, looks.embeddings[3:5].tolist())

    class NearNumbers:
        group_similarity = 0.5

        @staticmethod
        def similarity(first: np.ndarray, second: np.ndarray) -> np.ndarray:
            return 1 - 8 * np.abs(first[..., 2] - second[..., 2])  # a fifth less for each number between them

    monkeypatch.setattr("mien.tasks.plan.faces.load_detector", lambda _: NearNumbers)
    for least, apart in ((0.7, 1), (0.5, 2), (-1000.0, EACH - 1)):
        settings = PlanSettings(8, rules=PlanRules(sources=16, planning=PlanningSettings(look_similarity=least)))
        for row in rows(root, tables, settings):
            source = number_of(row["identity_face_id"])
            others = {n for n in range(PEOPLE * EACH) if n // EACH == source // EACH and 0 < abs(n - source) <= apart}
            assert set(map(number_of, row["further_source_ids"])) == others


def with_consents(root: Root, tables: FaceTables, said: dict[int, str], name: str = "drawn") -> FaceTables:
    """The same faces, whose photos say this by number."""
    manifest = read_manifest(root, "faces", tables.faces)
    (listed,) = read_manifest(root, "images", str(manifest.about["images"])).shards
    photos = read_shard(root, "images", listed.fingerprint).to_pylist()
    photos = [photo | {"consent": said.get(number)} for number, photo in enumerate(photos)]
    shard = write_shard(root, "images", fingerprint(repr(photos)), pa.Table.from_pylist(photos, schema=IMAGES))
    about = {**manifest.about, "images": commit(root, "images", [shard], {}).fingerprint}
    return FaceTables(name, commit(root, "faces", manifest.shards, about).fingerprint, tables.heatmaps)


def further_of(found: list[dict[str, Any]]) -> set[int]:
    return {number_of(face) for row in found for face in row["further_source_ids"]}


def test_a_photo_whose_consent_was_withdrawn_is_no_further_source(drawn: tuple[Root, FaceTables]) -> None:
    root, tables = drawn
    rules = PlanRules(sources=4)
    assert further_of(rows(root, tables, PlanSettings(8, rules=rules))) == set(range(PEOPLE * EACH))
    said = with_consents(root, tables, {2: "withdrawn 2026-01-01", 5: "denied"})
    found = rows(root, said, PlanSettings(8, rules=rules))
    assert further_of(found) == set(range(PEOPLE * EACH)) - {2}
    # The first sources are as they were: their pairs are refused when they are made.
    assert 2 in {number_of(row["identity_face_id"]) for row in found}


def test_where_consent_is_required_only_photos_with_it_are_further_sources(drawn: tuple[Root, FaceTables]) -> None:
    root, tables = drawn
    given = dict.fromkeys((0, 1, 4), "given")
    said = with_consents(root, tables, given | {3: "denied"})
    found = rows(root, said, PlanSettings(8, rules=PlanRules(sources=4), require_consent=True))
    assert further_of(found) == {0, 1, 4}


def test_a_refusal_in_the_set_of_the_drivers_counts_too(drawn: tuple[Root, FaceTables]) -> None:
    root, tables = drawn
    other = with_consents(root, tables, {9: "withdrawn"}, "other")
    plan = make_plan(root, tables, other, PlanSettings(8, rules=PlanRules(sources=4)))
    assert 9 not in further_of(pa.concat_tables(plan.parts(plan.first(), 64)).to_pylist())
