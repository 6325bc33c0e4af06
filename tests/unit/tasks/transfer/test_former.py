"""What a set holds is taken over where the same is asked for, and only there."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mien.model.images.codec import encode_png
from mien.model.pair_planning import planned_pair
from mien.storage import (
    Root,
    ShardRef,
    TableRef,
    commit,
    fingerprint,
    read_manifest,
    read_shard,
    write_set,
    write_shard,
)
from mien.storage.schemas import FACES, IMAGES, PAIRS, TRANSFERS
from mien.storage.shards import shard_path
from mien.tasks.generator.neutrals import keep_neutrals
from mien.tasks.generator.weights import RegisteredModel, keep_model
from mien.tasks.runtime.stage import make_shard
from mien.tasks.sets.faces import FaceTables
from mien.tasks.transfer.former import FormerJob, FormerTransfers, former_job
from mien.tasks.transfer.generate import PairGenerator
from mien.tasks.transfer.settings import TransferSettings, settings_fingerprint
from mien.tasks.transfer.transfer_shards import TRANSFER, TransferJob, commit_transfers, older_faces
from tests.drawn_set import DETECTOR, SIDE_PX, drawn_set, small_generator

MARK = 0.125
"""A measure that no judge gives: rows that have it were taken over."""


class Job:
    """A set of drawn faces, a generator, and four pairs whose faces are made and marked."""

    def __init__(self, folder: Path) -> None:
        self.root = Root(str(folder / "root"))
        self.tables = drawn_set(self.root)
        sha256 = keep_model(self.root, small_generator(folder / "trained"))
        settings = TransferSettings(
            RegisteredModel("models:/g/1", "run", sha256, False), (self.tables,), SIDE_PX, DETECTOR
        )
        self.settings = replace(settings, neutrals=keep_neutrals(self.root, settings.sets, sha256, settings.retarget))
        self.pairs = [pair(0, 4), pair(1, 5), pair(2, 6), pair(0, 7)]
        self.plan = self.stored(self.pairs)
        made = [
            dict(row) | {"identity_similarity": MARK}
            for row in PairGenerator(self.root, self.settings).rows(self.pairs)
        ]
        self.shard = write_shard(self.root, "transfers", fingerprint("former"), pa.Table.from_pylist(made, TRANSFERS))
        self.transfers = commit_transfers(self.root, self.plan, [self.shard], self.settings)
        write_set(self.root, "made", {"pairs": self.plan.fingerprint, "transfers": self.transfers.fingerprint})

    def stored(self, pairs: Sequence[Any]) -> TableRef:
        rows = [{name: row.get(name) for name in PAIRS.names} for row in pairs]
        shard = write_shard(
            self.root, "pairs", fingerprint([row["pair_id"] for row in rows]), pa.Table.from_pylist(rows, PAIRS)
        )
        sides = {"identities": asdict(self.tables), "expressions": asdict(self.tables), "settings": None}
        return commit(self.root, "pairs", [shard], sides)

    @property
    def plan_shard(self) -> str:
        (shard,) = read_manifest(self.root, "pairs", self.plan.fingerprint).shards
        return shard.fingerprint

    def more_faces(self) -> str:
        """A table of faces with one shard more."""
        manifest = read_manifest(self.root, "faces", self.tables.faces)
        row = read_shard(self.root, "faces", manifest.shards[0].fingerprint).to_pylist()[0]
        row |= {"face_id": fingerprint("one more"), "image_id": "f" * 64, "identity": "somebody new"}
        more = write_shard(self.root, "faces", fingerprint("more"), pa.Table.from_pylist([row], schema=FACES))
        return commit(self.root, "faces", [*manifest.shards, more], manifest.about).fingerprint

    def last(self) -> FormerJob:
        found = former_job(self.root, "made")
        assert found is not None
        return found

    def rows(self, settings: TransferSettings, former: FormerTransfers | None = None) -> list[Any]:
        former = former or self.last().rows_for(settings)
        return list(PairGenerator(self.root, settings, former).rows(self.pairs))

    def with_faces(self, change: Any, photos: Any = None) -> TransferSettings:
        """The settings over tables whose rows of faces (and photos) were changed: as after another `mien prepare`."""
        manifest = read_manifest(self.root, "faces", self.tables.faces)
        about = dict(manifest.about)
        if photos is not None:
            (listed,) = read_manifest(self.root, "images", str(about["images"])).shards
            about["images"] = commit(self.root, "images", [self._changed(listed, IMAGES, photos)], {}).fingerprint
        faces = commit(self.root, "faces", [self._changed(manifest.shards[0], FACES, change)], about)
        tables = FaceTables("drawn", faces.fingerprint, self.tables.heatmaps)
        neutrals = keep_neutrals(
            self.root, [tables], self.settings.model.sha256, self.settings.retarget, self.last().neutrals
        )
        return replace(self.settings, sets=(tables,), neutrals=neutrals)

    def _changed(self, shard: ShardRef, schema: pa.Schema, change: Any) -> ShardRef:
        rows = read_shard(self.root, shard.table, shard.fingerprint).to_pylist()
        for number, row in enumerate(rows):
            row |= change(number, row)
        name = fingerprint(repr([row.values() for row in rows]))
        return write_shard(self.root, shard.table, name, pa.Table.from_pylist(rows, schema=schema))


def pair(source: int, driver: int, *further: int) -> Any:
    planned = planned_pair(fingerprint(["drawn", source]), fingerprint(["drawn", driver]), 0)
    ids = [fingerprint(["drawn", number]) for number in further]
    return asdict(planned) | {"further_source_ids": ids, "rank": None, "status": "ok", "reason": None}


def nothing(_number: int, _row: Any) -> dict[str, Any]:
    return {}


def taken(rows: Sequence[Any]) -> list[bool]:
    return [row["identity_similarity"] == MARK for row in rows]


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    return Job(tmp_path_factory.mktemp("former"))


def other_generator(job: Job, uri: str = "models:/g/2") -> TransferSettings:
    """The next version, which has the same weights: what tells versions apart is their name."""
    return replace(job.settings, model=replace(job.settings.model, uri=uri))


def test_what_was_made_is_taken_over_byte_for_byte(job: Job) -> None:
    former = read_shard(job.root, "transfers", job.shard.fingerprint).to_pylist()
    assert job.rows(job.settings) == former
    assert taken(job.rows(job.settings, FormerTransfers(job.transfers.fingerprint))) == [True] * 4


def test_tables_written_anew_with_the_same_faces_change_no_id(job: Job) -> None:
    """As a new photo does: the tables have other names, the faces of the pairs are as they were."""

    def other(number: int, row: Any) -> dict[str, Any]:
        return {"perceptual_hash": bytes([number]) * 32, "identity_doubt": "another photo looks like it"}

    settings = job.with_faces(other)
    assert settings.source_set.faces != job.tables.faces
    assert taken(job.rows(settings)) == [True] * 4


@pytest.mark.parametrize("face", [0, 4])
def test_a_face_that_has_changed_is_used_anew(job: Job, face: int) -> None:
    def moved(number: int, row: Any) -> dict[str, Any]:
        return {"landmarks_xy": [value + 2.0 for value in row["landmarks_xy"]]} if number == face else {}

    expected = [False, True, True, face != 0]
    # The first person's photos 0, 1, 2 and 3, and the second person's 4, 5, 6 and 7 have one neutral each.
    rows = job.rows(job.with_faces(moved))
    assert [
        row["inputs"] == former["inputs"] for row, former in zip(rows, job.rows(job.settings), strict=True)
    ] == expected
    assert not any(taken(rows))


def test_other_pixels_of_the_source_are_another_face_and_those_of_the_driver_are_not_used(job: Job) -> None:
    def repainted(number: int, row: Any) -> dict[str, Any]:
        return {"crop": encode_png(np.full((SIDE_PX, SIDE_PX, 3), 90, np.uint8))} if number in (0, 5) else {}

    assert taken(job.rows(job.with_faces(repainted))) == [False, True, True, False]


def test_a_further_source_that_has_changed_is_another_face_though_source_and_driver_stay(job: Job) -> None:
    several = [pair(0, 4, 1, 3), pair(0, 5, 2), pair(0, 6)]
    plan = job.stored(several)
    (shard,) = read_manifest(job.root, "pairs", plan.fingerprint).shards

    def rows(settings: TransferSettings) -> list[Any]:
        return list(PairGenerator(job.root, settings).rows(several))

    def name(settings: TransferSettings) -> str:
        return TRANSFER.name(job.root, shard.fingerprint, TransferJob(settings))

    def repainted(number: int, row: Any) -> dict[str, Any]:
        return {"crop": encode_png(np.full((SIDE_PX, SIDE_PX, 3), 90, np.uint8))} if number == 3 else {}

    before, after = rows(job.settings), rows(changed := job.with_faces(repainted))
    same = [old["output_id"] == new["output_id"] for old, new in zip(before, after, strict=True)]
    assert same == [False, True, True]
    assert [old["sha256"] == new["sha256"] for old, new in zip(before, after, strict=True)] == same
    withdrawn = job.with_faces(nothing, lambda number, row: {"consent": "withdrawn"} if number == 3 else {})
    assert [row["sha256"] is not None for row in rows(withdrawn)] == [False, True, True]
    assert len({name(each) for each in (job.settings, changed, withdrawn)}) == 3


def test_labels_and_terms_are_those_of_the_present_tables(job: Job) -> None:
    def renamed(number: int, row: Any) -> dict[str, Any]:
        return {"expression": "smile"} if number == 4 else {}

    settings = job.with_faces(renamed, lambda number, row: {"licence": "CC-BY", "consent": "given"})
    first, second, *_ = rows = job.rows(settings)
    assert taken(rows) == [True] * 4
    assert (first["expression"], second["expression"]) == ("smile", None)
    assert (first["licence"], first["consent"]) == ("CC-BY", "given")


def test_a_withdrawn_photo_is_refused_though_its_face_was_made(job: Job) -> None:
    settings = job.with_faces(nothing, lambda number, row: {"consent": "withdrawn"} if number == 1 else {})
    rows = job.rows(settings)
    assert taken(rows) == [True, False, True, True]
    assert (rows[1]["status"], rows[1]["image"]) == ("rejected", None)


def test_other_settings_are_other_faces(job: Job) -> None:
    other = replace(job.settings, gate=replace(job.settings.gate, max_expression_error=0.5))
    assert not any(taken(job.rows(other)))


def test_faces_of_another_generator_stay_and_say_so_unless_all_are_made_anew(job: Job) -> None:
    newer = other_generator(job)
    kept = job.rows(newer)
    assert taken(kept) == [True] * 4
    assert {row["model_uri"] for row in kept} == {"models:/g/1"}
    anew = list(PairGenerator(job.root, newer).rows(job.pairs))
    assert not any(taken(anew))
    assert {row["model_uri"] for row in anew} == {"models:/g/2"}


def test_a_table_says_which_generators_made_its_rows_and_passes_it_on(job: Job) -> None:
    newer = other_generator(job)
    last = job.last()
    shard = make_shard(TRANSFER, job.root, job.plan_shard, TransferJob(newer, last.rows_for(newer)))
    table = commit_transfers(job.root, job.plan, [shard], newer, last)
    about = read_manifest(job.root, "transfers", table.fingerprint).about
    assert list(about["older"]) == [settings_fingerprint(job.settings)]
    assert older_faces(job.root, table) == {"models:/g/1": 4}
    newest = other_generator(job, "models:/g/3")
    after = FormerJob(table.fingerprint, about)
    assert set(after.older_than(newest)) == {settings_fingerprint(job.settings), settings_fingerprint(newer)}
    # Nothing has changed: the next job finds the shard.
    again = TransferJob(newer, after.rows_for(newer))
    assert TRANSFER.name(job.root, job.plan_shard, again) == shard.fingerprint
    # All anew is another shard.
    assert TRANSFER.name(job.root, job.plan_shard, TransferJob(newer)) != shard.fingerprint


def test_what_was_never_made_is_tried_again(job: Job) -> None:
    rows = read_shard(job.root, "transfers", job.shard.fingerprint).to_pylist()
    rows[2] |= {
        "status": "failed",
        "reason": "crashed the generator",
        "failure": "content",
        "image": None,
        "sha256": None,
    }
    rows[2] |= {"image_format": None}
    shard = write_shard(job.root, "transfers", fingerprint("unmade"), pa.Table.from_pylist(rows, TRANSFERS))
    table = commit_transfers(job.root, job.plan, [shard], job.settings)
    assert taken(job.rows(job.settings, FormerTransfers(table.fingerprint))) == [True, True, False, True]


def test_a_damaged_table_is_told_and_all_is_made(job: Job, caplog: pytest.LogCaptureFixture) -> None:
    rows = read_shard(job.root, "transfers", job.shard.fingerprint)
    shard = write_shard(job.root, "transfers", fingerprint("to be damaged"), rows)
    table = commit_transfers(job.root, job.plan, [shard], job.settings)
    path = shard_path("transfers", shard.fingerprint)
    data = bytearray(job.root.read_bytes(path))
    data[len(data) // 2] ^= 1
    job.root.write_bytes(path, bytes(data))
    with caplog.at_level(logging.WARNING, "mien.tasks"):
        made = job.rows(job.settings, FormerTransfers(table.fingerprint))
    assert not any(taken(made))
    assert "made anew" in caplog.text


def test_a_set_that_is_not_there_has_no_former_job(job: Job) -> None:
    assert former_job(job.root, "nobody") is None


def test_a_shard_is_found_while_its_faces_are_as_they_were(job: Job) -> None:
    def name(settings: TransferSettings) -> str:
        return TRANSFER.name(job.root, job.plan_shard, TransferJob(settings, job.last().rows_for(settings)))

    again = name(job.settings)
    assert name(replace(job.settings, sets=(FaceTables("drawn", job.more_faces(), job.tables.heatmaps),))) == again
    assert name(job.with_faces(lambda number, row: {"sharpness": 11.0} if number == 0 else {})) != again
    assert name(job.with_faces(nothing, lambda number, row: {"consent": "denied"} if number == 5 else {})) != again
    assert name(job.with_faces(nothing, lambda number, row: {"licence": "CC0"})) != again
    assert name(other_generator(job)) != again
