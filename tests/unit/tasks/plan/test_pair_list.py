"""Lists of pairs: their sources by columns, and lines that are refused or wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mien.storage import Root, read_set
from mien.storage.schemas import PAIRS
from mien.tasks.errors import UsageError
from mien.tasks.plan.counts import PlanOutcome
from mien.tasks.plan.pair_list import PairList, check_sources, read_list
from mien.tasks.sets.faces import FaceTables, face_tables
from tests.small_root import PREPARED, rows_of, small_root

HEAD = "identity_image,expression_image,identity_image_2,identity_image_3\n"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Root, FaceTables, Path]:
    folder = tmp_path_factory.mktemp("listed")
    root = small_root(folder)
    return root, face_tables(root, PREPARED), folder / "photos"


def listed(prepared: tuple[Root, FaceTables, Path], *lines: str, head: str = HEAD) -> PairList:
    root, tables, photos = prepared
    text = head + "\n".join(",".join(str(photos / name) if name else "" for name in line.split(",")) for line in lines)
    return read_list(root, tables, tables, text, 0)


def names(prepared: tuple[Root, FaceTables, Path]) -> dict[str, str]:
    """The photo of each face."""
    root, tables, photos = prepared
    about: Any = {row["face_id"]: row["image_id"] for row in rows_of(root, "faces", tables.faces)}
    images = read_set(root, PREPARED).tables["images"]
    uris = {row["image_id"]: str(Path(row["uri"]).relative_to(photos)) for row in rows_of(root, "images", images)}
    return {face_id: uris[image_id] for face_id, image_id in about.items()}


A, B = ("person0/mood0.png", "person1/mood2.png")


def test_further_columns_are_further_sources_in_their_order(prepared: tuple[Root, FaceTables, Path]) -> None:
    pairs = listed(
        prepared,
        f"{A},{B},person0/mood3.png,person0/mood1.png",
        f"{A},{B},,person0/mood2.png",
        f"{A},{B},,",
    )
    of = names(prepared)
    assert [[of[face] for face in row["further_source_ids"] or ()] for row in pairs.rows] == [
        ["person0/mood3.png", "person0/mood1.png"],
        ["person0/mood2.png"],
        [],
    ]
    assert {row["status"] for row in pairs.rows} == {"ok"}
    assert {of[row["identity_face_id"]] for row in pairs.rows} == {A}
    assert pairs.most_sources == 3
    assert len({row["pair_id"] for row in pairs.rows}) == 3  # so that each line finds its own face again
    (part,) = next(pairs.rounds(PlanOutcome()))()
    assert part.schema == PAIRS
    assert part.to_pylist() == pairs.rows


def test_a_list_without_such_columns_is_as_before(prepared: tuple[Root, FaceTables, Path]) -> None:
    plain, more = listed(prepared, f"{A},{B}", head="identity_image,expression_image\n"), listed(prepared, f"{A},{B},,")
    assert plain.rows == more.rows
    assert (plain.most_sources, plain.rows[0]["further_source_ids"]) == (1, [])


def test_columns_go_by_their_numbers_and_not_by_their_places(prepared: tuple[Root, FaceTables, Path]) -> None:
    head = "identity_image_10,identity_image_9,expression_image,identity_image,identity_image_1,identity_image_02\n"
    (row,) = listed(prepared, f"person0/mood3.png,person0/mood1.png,{B},{A},{B},{B}", head=head).rows
    of = names(prepared)
    assert [of[face] for face in row["further_source_ids"] or ()] == ["person0/mood1.png", "person0/mood3.png"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (f"{A},{B},person1/mood0.png,", "identity 2: shows another person than the source"),
        (f"{A},{B},person0/mood1.png,person2/mood0.png", "identity 3: shows another person than the source"),
        (f"{A},person0/mood1.png,person0/mood2.png,person0/mood1.png", "identity 3: is the driver's photo"),
    ],
)
def test_a_source_of_another_person_or_the_driver_s_photo_is_refused(
    prepared: tuple[Root, FaceTables, Path], line: str, reason: str
) -> None:
    good, refused = listed(prepared, f"{A},{B},person0/mood1.png,", line).rows
    assert (good["status"], good["reason"]) == ("ok", None)
    assert (refused["status"], refused["reason"]) == ("rejected", reason)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (f"{A},{B},{A},", r"line 2 .*names the source .*person0/mood0\.png twice: leave one out"),
        (f"{A},{B},person0/mood1.png,person0/mood1.png", r"line 2 .*mood1\.png twice"),
        (f"{A},{B},nowhere.png,", r"line 2 .*nowhere\.png is no image of the set six"),
        (f",{B},person0/mood1.png,", "line 2 .*is incomplete"),
    ],
)
def test_a_wrong_line_ends_the_run(prepared: tuple[Root, FaceTables, Path], line: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        listed(prepared, line)


def test_no_line_has_more_sources_than_are_allowed_or_looked_at(prepared: tuple[Root, FaceTables, Path]) -> None:
    line = f"{A},{B},person0/mood1.png,person0/mood2.png"
    columns = [f"identity_image_{number}" for number in range(2, 18)]
    head = ",".join(["identity_image,expression_image", *columns]) + "\n"
    with pytest.raises(UsageError, match=r"line 2 .*names 17 sources: a face is made from at most 16"):
        listed(prepared, ",".join([A, B, *["person0/mood1.png"] * 16]), head=head)
    pairs = listed(prepared, line)
    check_sources(pairs, "models:/g/1", 3)
    with pytest.raises(UsageError, match=r"models:/g/1 looks at 1 photo .* up to 3: leave out its columns"):
        check_sources(pairs, "models:/g/1", 1)
