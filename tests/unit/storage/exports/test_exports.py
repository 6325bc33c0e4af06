"""Exports: read back by the packages that trainers use, safe names, the same bytes, killed and gone on."""

from __future__ import annotations

import csv
import io
import re
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets.data_files import SPLIT_KEYWORDS
from hypothesis import given
from hypothesis import strategies as st

from mien.model.images.codec import encode_png
from mien.storage import Root
from mien.storage.exports import (
    EXPORTS,
    FILES,
    WORK,
    Picture,
    finish,
    folder_names,
    index_lines,
    is_finished,
    part_files,
)
from mien.storage.exports.formats import COLUMNS
from mien.storage.schemas import TRANSFERS


def picture(n: int, folder: str = "ann", split: str = "train", **more: Any) -> Picture:
    rgb = np.full((8, 8, 3), 10 * n, np.uint8)
    labels: dict[str, Any] = dict.fromkeys(COLUMNS) | {
        "identity": folder,
        "expression": "happy" if n % 2 else None,
        "expression_group": f"cluster {n}",
        "split": split,
        "synthetic": True,
        "output_id": f"{n:032x}",
        "identity_similarity": n / 10,
        "seed": n,
        "status": "ok",
    }
    return Picture(encode_png(rgb), ".png", folder, labels | more)


PICTURES = [picture(n, "ann" if n < 3 else "bea", "train" if n < 3 else "test") for n in range(5)]


def written(folder: Path, form: Any, pictures: list[Picture] = PICTURES) -> Path:
    out, parts, lines = Root(str(folder)), [], []
    for number, part in enumerate((pictures[:2], pictures[2:])):
        out.write_bytes(f"{WORK}/{number}.json", b"{}")
        for path, data in part_files(form, number, part):
            out.write_bytes(path, data)
        splits = {s: sum(p.labels["split"] == s for p in part) for s in {p.labels["split"] for p in part}}
        parts.append({"pictures": len(part), "splits": splits, "left_out": []})
        lines.append(index_lines(form, number, part))
    finish(out, form, {"transfers": "x"}, parts, lines)
    assert is_finished(out, {"transfers": "x"})
    assert not is_finished(out, {"transfers": "y"})
    return folder


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("form", EXPORTS)
def test_nothing_of_the_work_is_left_and_each_file_is_known_as_one_of_an_export(form: Any, tmp_path: Path) -> None:
    folder = written(tmp_path, form)
    assert not (folder / WORK).exists()
    paths = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
    assert [path for path in paths if not FILES.fullmatch(path)] == []
    assert FILES.fullmatch(f"{WORK}/about.json")
    assert not FILES.fullmatch("train/own.png")
    assert not FILES.fullmatch("notes/metadata.csv")


@pytest.mark.parametrize("form", EXPORTS)
def test_the_index_names_the_file_and_the_labels_of_each_picture(form: Any, tmp_path: Path) -> None:
    lines = rows_of(written(tmp_path, form) / "index.csv")
    assert [line["output_id"] for line in lines] == [picture.labels["output_id"] for picture in PICTURES]
    assert all((tmp_path / line["path"]).is_file() for line in lines)
    assert [line["expression_group"] for line in lines] == [f"cluster {n}" for n in range(5)]
    assert [line["expression"] for line in lines] == ["", "happy", "", "happy", ""]


def test_every_column_of_a_generated_face_travels_along() -> None:
    """A column that the table gets goes with the pictures, too, unless it is a list."""
    assert set(TRANSFERS.names) - set(COLUMNS) == {"image", "image_format", "uri", "failure", "found_landmarks_xy"}


def test_images_lie_in_a_folder_per_split_and_person(tmp_path: Path) -> None:
    folder = written(tmp_path, "images")
    assert sorted("/".join(p.parts[-3:-1]) for p in folder.rglob("*.png")) == ["test/bea"] * 2 + ["train/ann"] * 3
    head = (folder / "train" / "metadata.csv").read_text().splitlines()[0]
    assert head.startswith("file_name,identity,expression,expression_group,split,synthetic")
    lines = rows_of(folder / "test" / "metadata.csv")
    assert [line["file_name"] for line in lines] == [f"bea/{PICTURES[n].name}" for n in (3, 4)]


def imagefolder(folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    import datasets

    return datasets.load_dataset("imagefolder", data_dir=str(folder), cache_dir=str(cache))


def test_imagefolder_splits_rightly_and_keeps_the_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = imagefolder(written(tmp_path / "set", "images"), tmp_path / "cache", monkeypatch)
    assert {name: len(split) for name, split in loaded.items()} == {"train": 3, "test": 2}
    assert [np.asarray(row["image"])[0, 0, 0] for row in loaded["train"]] == [0, 10, 20]
    assert loaded["test"]["identity"][:] == ["bea", "bea"]
    assert loaded["test"]["expression_group"][:] == ["cluster 3", "cluster 4"]
    assert loaded["train"]["synthetic"][:] == [True] * 3


def test_imagefolder_reads_labels_that_look_like_something_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Left as they are, the splits would have columns of other types, which `datasets` refuses."""
    people = ["ann", "test", "val", "my-dev 2", "007", "008", "NA", "evaluation"]
    names = folder_names(people)
    pictures = [
        picture(n, names[person], "train" if n < 4 else "val", identity=person, expression="true" if n < 4 else None)
        for n, person in enumerate(people)
    ]
    loaded = imagefolder(written(tmp_path / "set", "images", pictures), tmp_path / "cache", monkeypatch)
    assert {name: len(split) for name, split in loaded.items()} == {"train": 4, "validation": 4}
    assert loaded["train"]["identity"][:] == people[:4]
    assert loaded["validation"]["identity"][:] == ["_007", "_008", "_NA", "evaluation"]
    assert loaded["train"]["expression"][:] == ["_true"] * 4
    assert loaded["validation"]["expression"][:] == ["none"] * 4
    assert [line["identity"] for line in rows_of(tmp_path / "set" / "index.csv")] == people


def test_webdataset_reads_the_shards_of_each_split_back(tmp_path: Path) -> None:
    import webdataset

    folder = written(tmp_path, "webdataset")
    found = {}
    for split in ("train", "test"):
        urls = sorted(str(path) for path in folder.glob(f"{split}-*.tar"))
        found[split] = list(webdataset.WebDataset(urls, shardshuffle=False, empty_check=False).decode("rgb8"))
    assert [row["__key__"] for row in found["train"]] == [str(p.labels["output_id"]) for p in PICTURES[:3]]
    assert [int(row["png"][0, 0, 0]) for row in found["train"] + found["test"]] == [0, 10, 20, 30, 40]
    assert found["test"][0]["json"]["identity"] == "bea"
    assert found["test"][0]["json"]["expression_group"] == "cluster 3"
    assert found["test"][0]["json"]["synthetic"] is True


def test_datasets_opens_the_parquet_with_its_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    import datasets

    folder = written(tmp_path / "set", "huggingface")
    loaded: Any = datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))
    assert set(loaded) == {"train", "test"}
    assert isinstance(loaded["train"].features["image"], datasets.Image)
    assert np.asarray(loaded["test"][1]["image"])[0, 0, 0] == 40
    assert loaded["test"]["identity"][:] == ["bea", "bea"]
    assert loaded["train"][0]["expression"] is None
    assert loaded["train"][0]["synthetic"] is True


@pytest.mark.parametrize("form", ["images", "webdataset", "huggingface"])
def test_the_same_pictures_give_the_same_bytes(form: Any) -> None:
    assert dict(part_files(form, 3, PICTURES)) == dict(part_files(form, 3, PICTURES))


def test_an_archive_tells_nothing_of_where_it_was_made() -> None:
    ((_, data),) = part_files("webdataset", 0, PICTURES[:3])
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert {(m.mtime, m.uid, m.gid, m.uname, m.gname) for m in archive} == {(0, 0, 0, "", "")}


def test_plain_names_stay_and_odd_ones_are_tamed() -> None:
    names = folder_names(["ann", "Bea Smith", "../up", "..", "a/b", "CON", "nul.txt", "ß漢", ".hidden", "dot.", ""])
    assert names["ann"] == "ann"
    assert names["Bea Smith"] == "Bea Smith"
    for name in names.values():
        assert "/" not in name
        assert not name.startswith(".")
        assert not name.endswith(".")
        assert name.isascii()
        assert name
    assert names["CON"] != "CON"


def test_no_folder_of_a_person_looks_like_a_split() -> None:
    people = ["test", "val", "eval", "training", "a.dev.b", "3test", "test-1", "protest", "Test", "evaluate"]
    names = folder_names(people)
    assert [person for person in people if names[person] == person] == ["protest", "Test", "evaluate"]
    for split in SPLIT_KEYWORDS.values():
        for word in split:
            assert not [n for n in names.values() if re.search(rf"(^|[-._ 0-9]){word}([-._ 0-9]|$)", n)]


def test_names_that_differ_in_case_alone_get_marks() -> None:
    names = folder_names(["Ann", "ann", "bea"])
    assert names["bea"] == "bea"
    assert len({name.lower() for name in names.values()}) == 3
    assert folder_names(["bea", "ann", "Ann"]) == names


@given(st.lists(st.text(max_size=200), max_size=8, unique=True))
def test_different_people_never_share_a_folder(labels: list[str]) -> None:
    names = folder_names(labels)
    assert len({name.lower() for name in names.values()}) == len(labels)
    assert all(0 < len(name) <= 100 and "/" not in name and name not in (".", "..") for name in names.values())


def test_the_ids_of_further_sources_become_one_text(tmp_path: Path) -> None:
    columns = {
        **PICTURES[1].labels,
        "image": b"",
        "further_source_ids": ["a" * 32, "b" * 32],
        "further_image_ids": None,
    }
    several = Picture.of(PICTURES[1].data, ".png", "ann", columns)
    assert (several.labels["further_source_ids"], several.labels["further_image_ids"]) == (
        f"{'a' * 32} {'b' * 32}",
        None,
    )
    alone = Picture.of(PICTURES[0].data, ".png", "ann", {**PICTURES[0].labels, "further_source_ids": []})
    assert alone.labels["further_source_ids"] is None
    lines = rows_of(written(tmp_path, "images", [alone, several, *PICTURES[2:]]) / "index.csv")
    assert [line["further_source_ids"] for line in lines] == ["", f"{'a' * 32} {'b' * 32}", "", "", ""]
