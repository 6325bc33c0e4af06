"""A set is not replaced by accident, keeps its history, and what no version holds is collected."""

from __future__ import annotations

from pathlib import Path

import pytest

from mien.flows.cli.versions import restore_version, show_history
from mien.model.detection.choice import chosen_detector
from mien.storage import Root, StorageError, read_set, roll_back, set_version, write_set
from mien.tasks.errors import RunError, UsageError
from mien.tasks.sets.garbage import GarbageRules, delete_garbage, find_garbage
from mien.tasks.sets.replacing import check_kept_rows, check_replacing, detector_for, generated_from, prepared_from
from mien.tasks.sets.verify import verify
from tests.small_root import GENERATED, PREPARED, draw_photos, prepare, small_root

ABOUT = prepared_from(["photos", "more/"], "dlib", 256, "source")
AT_ONCE = GarbageRules(grace_hours=0)


@pytest.fixture
def root(tmp_path: Path) -> Root:
    root = Root(str(tmp_path))
    write_set(root, "team", {"images": "0" * 32}, about=ABOUT)
    return root


@pytest.mark.parametrize(
    ("about", "told"),
    [
        (prepared_from(["other"], "dlib", 256, "source"), "its sources have more, photos"),
        (prepared_from(["photos"], "dlib", 256, "source"), "its sources have more, which"),
        (prepared_from(["photos", "more"], "insightface:buffalo_l", 256, "source"), "its detector is dlib"),
        (prepared_from(["photos", "more"], "dlib", 128, "source"), "its crop size is 256, not 128"),
        (prepared_from(["photos", "more"], "dlib", 256, "image"), "its identity rule is source, not image"),
        (generated_from("a", "b", "models:/g/1", None), "its kind is prepared, not generated"),
    ],
)
def test_a_set_of_something_else_asks_for_replace(root: Root, about: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError, match=told) as error:
        check_replacing(root, "team", about, False)  # pyright: ignore[reportArgumentType]
    assert "--replace" in str(error.value)
    assert "\n" not in str(error.value)
    check_replacing(root, "team", about, True)  # pyright: ignore[reportArgumentType]
    check_replacing(root, "another", about, False)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("sources", [["photos", "more"], ["./photos/", "more", "new"], ["more", "photos"]])
def test_more_photos_are_no_question(root: Root, sources: list[str]) -> None:
    check_replacing(root, "team", prepared_from(sources, "dlib", 256, "source"), False)


def test_no_secret_of_a_source_is_kept() -> None:
    about = prepared_from(
        ["https://user:word@host/a.tar?X-Amz-Signature=secret", "s3://key:word@bucket/p"], "dlib", 1, "source"
    )
    assert about["sources"] == ["https://host/a.tar", "s3://bucket/p"]


def test_auto_keeps_the_detector_of_a_set_that_is_there(tmp_path: Path) -> None:
    root = small_root(tmp_path)
    about = prepared_from(["photos"], "tests.own_detector:DarkSquares", 256, "source")
    write_set(root, "team", dict(read_set(root, PREPARED).tables), about=about)
    assert detector_for(root, "team", "auto", replace=False) == "tests.own_detector:DarkSquares"
    assert detector_for(root, "team", "auto", replace=True) == chosen_detector("auto")
    assert detector_for(root, "another", "auto", replace=False) == chosen_detector("auto")
    assert detector_for(root, "team", "dlib", replace=False) == "dlib"


def test_a_version_with_few_of_the_faces_is_refused_and_the_old_one_stays(tmp_path: Path) -> None:
    root = small_root(tmp_path)
    before, version = read_set(root, PREPARED), set_version(root, PREPARED)
    fewer = tmp_path / "fewer"
    draw_photos(fewer, people=1)
    after = {table: ref.fingerprint for table, ref in prepare(root, fewer, "other").items()}
    with pytest.raises(RunError, match=r"of its 12 usable faces this run would leave 4; .* --replace"):
        check_kept_rows(root, PREPARED, after, version, False)
    assert read_set(root, PREPARED) == before
    check_kept_rows(root, PREPARED, after, version, True)
    check_kept_rows(root, PREPARED, dict(before.tables), version, False)


def test_history_rollback_and_collection(tmp_path: Path) -> None:
    root = small_root(tmp_path)
    first = dict(read_set(root, PREPARED).tables)
    draw_photos(tmp_path / "photos", people=4)
    prepare(root, tmp_path / "photos")
    assert find_garbage(root, AT_ONCE).files == {}, "the history holds both"
    assert delete_garbage(root, AT_ONCE).files == {}

    assert [line for line in show_history(set=PREPARED, root=root.url).lines() if "version" in line][-1].endswith(
        "(newest)"
    )
    assert restore_version(set=PREPARED, root=root.url).lines() == [
        f"{PREPARED}: version 3 has the tables of version 1"
    ]
    assert read_set(root, PREPARED).tables == first
    assert verify(root, PREPARED).whole
    with pytest.raises(StorageError, match="has no version 9"):
        roll_back(root, PREPARED, 9)

    rules = GarbageRules(grace_hours=0, keep_versions=1)
    planned = find_garbage(root, rules)
    assert planned.versions == {PREPARED: [1, 2]}
    assert read_set(root, PREPARED).version == 3
    assert find_garbage(root, GarbageRules(grace_hours=1, keep_versions=1)).files == {}, "all is young"
    done = delete_garbage(root, rules)
    assert done.files == planned.files
    assert set(done.files) >= {"images/manifests", "faces/shards", "heatmaps/shards"}
    assert verify(root, PREPARED).whole
    assert verify(root, GENERATED).whole
    assert find_garbage(root, rules).files == {}
    with pytest.raises(StorageError, match="there is nothing to go back to"):
        roll_back(root, PREPARED)


def test_what_cannot_be_read_stops_a_collection(tmp_path: Path) -> None:
    root = small_root(tmp_path)
    root.write_bytes("pairs/shards/" + "0" * 32 + ".parquet", b"nobody's")
    path = f"faces/manifests/{read_set(root, PREPARED).tables['faces']}.json"
    good = root.read_bytes(path)
    root.write_bytes(path, b"{")
    with pytest.raises(StorageError, match="is damaged"):
        delete_garbage(root, AT_ONCE)
    root.write_bytes(path, good)
    root.write_bytes(f"sets/history/{PREPARED}/00000001.json", b"{")
    with pytest.raises(StorageError, match="is damaged"):
        delete_garbage(root, AT_ONCE)
    assert root.exists("pairs/shards/" + "0" * 32 + ".parquet")


def test_generators_and_neutrals_that_no_version_names_go(tmp_path: Path) -> None:
    root = small_root(tmp_path)
    for name in ("a" * 64, "b" * 64, "c" * 64):
        root.write_bytes(f"models/{name}/generator.safetensors", b"weights")
    root.write_bytes(f"neutrals/{'0' * 32}.npz", b"neutrals")
    root.write_bytes("pairs/shards/.killed.parquet.1.tmp", b"half")
    root.write_bytes("gates/six.json", b"{}")
    done = delete_garbage(root, AT_ONCE, ["c" * 64])
    assert set(done.files) == {f"models/{'b' * 64}", "neutrals", "pairs/shards"}
    assert [name[0] for name in root.folders("models") if root.files(f"models/{name}")] == ["a", "c"]
    assert root.exists("gates/six.json")
