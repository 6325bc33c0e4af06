"""The flow of a night: new photos in, what the champion has not done out, and nothing twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mien.flows.nightly import Night, nightly
from mien.flows.prepare import prepare_faces
from mien.storage import set_version
from mien.storage.root import Root
from mien.tasks.errors import UsageError
from tests.integration.flow_calls import CROP_PX, HELD_OUT, SIX_PEOPLE, augment, generated, table_rows

pytestmark = pytest.mark.usefixtures("prefect_server", "shared_workers")


def night(root: Path, *more: str) -> Night:
    settings: dict[str, Any] = {"augmented": "nights", "crop_size": CROP_PX, "per_identity": 1, "workers": 2}
    return nightly([*SIX_PEOPLE, *more], set="six", root=str(root), **HELD_OUT, **settings)


def prepare_more(root: Path) -> None:
    prepare_faces(
        images=[*SIX_PEOPLE, "sample:orl/s7"], set="six", root=str(root), crop_size=CROP_PX, workers=2, **HELD_OUT
    )


def shards(root: Path) -> dict[str, int]:
    return {str(path.relative_to(root)): path.stat().st_mtime_ns for path in root.rglob("shards/*.parquet")}


def test_a_night_takes_the_new_photos_and_the_same_night_again_makes_nothing(done) -> None:
    root, _ = done
    first = night(root)
    assert (first.new_photos, first.prepared.photos) == (60, 60)  # to the nights, though the set was prepared before
    made = [row for row in generated(root, "nights") if row["status"] == "ok"]
    assert first.new_transfers == len({row["output_id"] for row in made}) > 0

    before, version = shards(root), set_version(Root(str(root)), "nights")
    again = night(root)
    assert (again.new_photos, again.new_faces, again.new_transfers) == (0, 0, 0)
    assert again.lines()[-1].startswith("nothing new: ")
    assert again.augmented.transfers == first.augmented.transfers
    assert (shards(root), set_version(Root(str(root)), "nights")) == (before, version)
    dry = augment("six", root, set="nights", per_identity=1, dry_run=True)
    assert dry.lines()[0].startswith(f"nights: 0 faces would be generated ({dry.planned} of {dry.planned} pairs are in")

    usable = sum(row["status"] == "ok" for row in table_rows(root, "faces", "six"))
    former = {row["output_id"]: row for row in generated(root, "nights")}
    # A night that is killed has prepared by then: what it took is still new to the one that comes to its end.
    prepare_more(root)
    later = night(root, "sample:orl/s7")
    rows = generated(root, "nights")
    of_s7 = {row["image_id"] for row in table_rows(root, "faces", "six") if row["identity"] == "s7"}
    kept = [row for row in rows if row["output_id"] in former]
    touched = {row["identity"] for row in rows if {row["source_image_id"], row["driver_image_id"]} & of_s7}
    # What is new shows the new person or its expressions, or takes the place of such a face that was rejected. All
    # else is as it was, byte for byte.
    assert {row["identity"] for row in rows if row["output_id"] not in former} <= touched
    assert {row["identity"] for row in kept} >= {row["identity"] for row in former.values()} - touched
    assert all(row["sha256"] == former[row["output_id"]]["sha256"] for row in kept)
    assert len(kept) >= len(former) // 2
    assert later.new_photos == 10
    assert later.new_faces == sum(row["status"] == "ok" for row in table_rows(root, "faces", "six")) - usable > 0
    assert "s7" in {row["identity"] for row in generated(root, "nights")}
    assert before.items() <= shards(root).items()
    assert later.lines()[-1].startswith("new: 10 photos, ")


def test_a_night_without_a_generator_prepares_and_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="train first"):
        nightly(["sample:orl/s1", "sample:orl/s2"], set="two", root=str(tmp_path), crop_size=CROP_PX, workers=2)
    assert len(table_rows(tmp_path, "faces", "two")) == 20
