"""Faces for pairs: each a function of its pair and the settings, in their order; refused ones with a reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mien.model.images.codec import decode_rgb
from mien.model.images.provenance import read_provenance
from mien.model.pair_planning import planned_pair
from mien.storage import Root, commit, fingerprint, read_manifest, read_shard, write_shard
from mien.storage.schemas import IMAGES, TRANSFERS
from mien.tasks.generator.neutrals import keep_neutrals
from mien.tasks.generator.weights import RegisteredModel, keep_model
from mien.tasks.sets.faces import FaceTables
from mien.tasks.transfer.batches import BATCH
from mien.tasks.transfer.generate import PairGenerator
from mien.tasks.transfer.settings import (
    OutputSettings,
    TransferSettings,
    decisive,
    settings_fingerprint,
    settings_of,
)
from tests.drawn_set import DETECTOR, SIDE_PX, drawn_set, small_generator


@pytest.fixture(scope="module")
def making(tmp_path_factory: pytest.TempPathFactory) -> PairGenerator:
    folder = tmp_path_factory.mktemp("making")
    root = Root(str(folder / "root"))
    tables, sha256 = drawn_set(root), keep_model(root, small_generator(Path(folder) / "trained"))
    settings = TransferSettings(
        RegisteredModel("models:/g/1", "run", sha256, False),
        (tables,),
        SIDE_PX,
        DETECTOR,
        output=OutputSettings(keep_rejected=True),
    )
    neutrals = keep_neutrals(root, settings.sets, sha256, settings.retarget)
    return PairGenerator(root, replace(settings, neutrals=neutrals))


def pair(source: int, driver: int, reason: str | None = None, further: Sequence[int] = ()) -> dict[str, Any]:
    planned = planned_pair(fingerprint(["drawn", source]), fingerprint(["drawn", driver]), 0)
    ids = [fingerprint(["drawn", number]) for number in further]
    outcome = {"status": "rejected" if reason else "ok", "reason": reason}
    return asdict(planned) | {"further_source_ids": ids, "rank": None} | outcome


PAIRS = [pair(source, driver) for source in range(4) for driver in range(4, 9)]
"""More than go through the generator at once."""


def test_a_face_does_not_depend_on_those_that_it_is_made_with(making: PairGenerator) -> None:
    assert len(PAIRS) > BATCH
    together = list(making.rows(PAIRS))
    assert [row["pair_id"] for row in together] == [row["pair_id"] for row in PAIRS]
    for number in (0, BATCH - 1, len(PAIRS) - 1):
        assert list(making.rows([PAIRS[number]])) == [together[number]]
    assert len({row["sha256"] for row in together}) == len(PAIRS)
    assert len({row["output_id"] for row in together}) == len(PAIRS)
    assert all(decode_rgb(row["image"]).shape == (SIDE_PX, SIDE_PX, 3) for row in together)


def test_faces_of_another_side_are_judged_at_it_and_have_a_fingerprint_of_their_own(making: PairGenerator) -> None:
    large = PairGenerator(making.root, replace(making.settings, output=OutputSettings(keep_rejected=True, size_px=160)))
    assert large.made_with != making.made_with
    rows = list(large.rows(PAIRS[:2]))
    assert all(decode_rgb(row["image"]).shape == (160, 160, 3) for row in rows)
    assert list(large.rows(PAIRS[1:2])) == rows[1:]
    batch = large.batch([PAIRS[0]], large.faces([PAIRS[0]]))
    assert batch.targets[0].source is not None
    own = making.batch([PAIRS[0]], making.faces([PAIRS[0]])).targets[0].source
    assert own is not None
    # The source is looked at at the side of the results: the finest detail of both is compared like with like.
    assert batch.targets[0].source.look.bands[0] != own.look.bands[0]


def test_settings_of_an_earlier_version_have_the_side_of_the_generator(making: PairGenerator) -> None:
    kept = decisive(making.settings)
    del kept["output"]["size_px"]
    read = settings_of({"settings": kept})
    assert read.output.size_px is None
    assert PairGenerator(making.root, read).size_px == making.generator.size_px
    assert settings_of({"settings": decisive(making.settings)}).output == making.settings.output


def test_the_rows_are_rows_of_the_table(making: PairGenerator) -> None:
    rows = list(making.rows([PAIRS[0], pair(1, 5, "the driver: no face found")]))
    table = pa.Table.from_pylist(rows, schema=TRANSFERS)
    assert table["status"].to_pylist()[1] == "rejected"
    made, refused = table.to_pylist()
    assert made["settings"] == refused["settings"] == settings_fingerprint(making.settings)
    assert (made["identity"], made["split"]) == ("person 0", "train")
    assert made["source_image_id"] == f"{0:064d}"
    assert (refused["image"], refused["sha256"], refused["reason"]) == (None, None, "the driver: no face found")


def test_a_pair_of_a_list_may_come_twice(making: PairGenerator) -> None:
    first, other, again = making.rows([PAIRS[0], PAIRS[7], PAIRS[0]])
    assert first == again != other


def test_a_refused_pair_says_whose_faces_it_names(making: PairGenerator) -> None:
    refused, unreadable = pair(0, 5, "identity: too dark"), pair(1, 6, "identity: no picture")
    unreadable["identity_face_id"] = "/photos/größe ä.jpg"  # a photo that has no face row stands for itself
    first, second = making.rows([refused, unreadable])
    assert (first["identity"], first["split"], first.get("sha256")) == ("person 0", "train", None)
    assert (second["identity"], second["driver_image_id"]) == (None, f"{6:064d}")
    assert {first["status"], second["status"]} == {"rejected"}


def test_without_consent_nothing_is_made_where_it_is_required(making: PairGenerator) -> None:
    strict = PairGenerator(making.root, replace(making.settings, require_consent=True))
    (row,) = strict.rows(PAIRS[:1])
    assert (row["status"], row.get("image"), row.get("sha256")) == ("rejected", None, None)
    assert "the source's photo" in row["reason"]


SEVERAL = [pair(source, driver, further=range(count)) for source, count in ((3, 3), (2, 1)) for driver in range(4, 9)]
"""Of the first person, with three further photos and with one."""


def test_further_sources_change_the_picture_and_its_order_names_it(making: PairGenerator) -> None:
    one, three, turned, again = making.rows(
        [pair(3, 4), pair(3, 4, further=[0, 1, 2]), pair(3, 4, further=[2, 1, 0]), pair(3, 4, further=[0, 1, 2])]
    )
    assert len({row["sha256"] for row in (one, three, turned)}) == 3
    assert len({row["inputs"] for row in (one, three, turned)}) == 3
    assert len({row["output_id"] for row in (one, three, turned)}) == 3
    assert three == again
    assert {row["pair_id"] for row in (one, three, turned)} == {one["pair_id"]}
    assert np.abs(decode_rgb(one["image"]).astype(int) - decode_rgb(three["image"])).mean() > 0.5


def test_a_face_of_several_sources_does_not_depend_on_those_that_it_is_made_with(making: PairGenerator) -> None:
    """Pairs of one, two and four sources together, more than go through at once; each alone, and in another order."""
    mixed = [each for trio in zip(PAIRS[:10], SEVERAL, PAIRS[10:], strict=True) for each in trio]
    assert len(mixed) > BATCH
    together = list(making.rows(mixed))
    assert [row["pair_id"] for row in together] == [row["pair_id"] for row in mixed]
    assert [row["further_source_ids"] for row in together] == [row["further_source_ids"] for row in mixed]
    backwards = list(making.rows(mixed[::-1]))[::-1]
    assert backwards == together
    for number in (1, 4, 16, 28):
        assert list(making.rows([mixed[number]])) == [together[number]]


def test_a_row_names_the_faces_and_photos_of_all_sources(making: PairGenerator) -> None:
    (row,) = making.rows([pair(0, 5, further=[2, 1])])
    faces = [fingerprint(["drawn", number]) for number in (0, 2, 1)]
    assert [row["identity_face_id"], *row["further_source_ids"]] == faces
    assert [row["source_image_id"], *row["further_image_ids"]] == [f"{number:064d}" for number in (0, 2, 1)]
    mark = read_provenance(row["image"])
    assert (mark["source"], mark["further_sources"]) == (faces[0], " ".join(faces[1:]))
    (alone,) = making.rows([pair(0, 5)])
    assert (alone["further_source_ids"], alone["further_image_ids"]) == ([], [])
    assert "further_sources" not in read_provenance(alone["image"])
    assert pa.Table.from_pylist([row, alone], schema=TRANSFERS).to_pylist()[0]["further_image_ids"]


def test_pairs_of_earlier_versions_have_no_further_sources(making: PairGenerator) -> None:
    older = PAIRS[0] | {"further_source_ids": None}
    (row,) = making.rows([older])
    assert row == next(iter(making.rows([PAIRS[0]])))


def with_photos(making: PairGenerator, terms: dict[int, dict[str, str]], **settings: Any) -> PairGenerator:
    """The same faces, whose photos say something else of their terms, by number."""
    root, (tables,) = making.root, making.settings.sets
    manifest = read_manifest(root, "faces", tables.faces)
    (listed,) = read_manifest(root, "images", str(manifest.about["images"])).shards
    rows = read_shard(root, "images", listed.fingerprint).to_pylist()
    rows = [row | terms.get(number, {}) for number, row in enumerate(rows)]
    shard = write_shard(root, "images", fingerprint(repr(rows)), pa.Table.from_pylist(rows, schema=IMAGES))
    about = {**manifest.about, "images": commit(root, "images", [shard], {}).fingerprint}
    other = FaceTables(tables.name, commit(root, "faces", manifest.shards, about).fingerprint, tables.heatmaps)
    return PairGenerator(root, replace(making.settings, sets=(other,), **settings))


GIVEN = {number: {"consent": "given 2026-01-01"} for number in range(16)}


def test_a_further_photo_without_consent_is_not_used(making: PairGenerator) -> None:
    for said, required, reason in (
        ("withdrawn 2026-02-03", False, "a further source's consent was withdrawn on 2026-02-03"),
        ("withdrawn 2026-02-03", True, "a further source's consent was withdrawn on 2026-02-03"),
        ("denied", True, "a further source's consent was denied"),
        ("unknown", True, "a further source's photo came without consent"),
    ):
        strict = with_photos(making, GIVEN | {2: {"consent": said}}, require_consent=required)
        with_it, without = strict.rows([pair(0, 5, further=[1, 2]), pair(0, 5, further=[1])])
        assert (with_it["status"], with_it["reason"], with_it["sha256"]) == ("rejected", reason, None)
        assert without["sha256"] is not None
        assert without["consent"] == "given 2026-01-01"


def test_the_terms_of_a_face_are_those_of_all_its_photos(making: PairGenerator) -> None:
    terms = {0: {"licence": "CC-BY-4.0", "consent": "given 2026-01-01"}, 1: {"licence": "CC-BY-NC-4.0"}}
    changed = with_photos(making, terms | {2: {"licence": "CC-BY-4.0", "consent": "given 2026-03-01"}})
    rows = changed.rows([pair(0, 5), pair(0, 5, further=[2]), pair(0, 5, further=[1]), pair(0, 5, further=[3, 2])])
    assert [(row["licence"], row["consent"]) for row in rows] == [
        ("CC-BY-4.0", "given 2026-01-01"),
        ("CC-BY-4.0", "given 2026-03-01"),
        ("CC-BY-4.0; CC-BY-NC-4.0", None),
        ("CC-BY-4.0; not stated", None),
    ]
