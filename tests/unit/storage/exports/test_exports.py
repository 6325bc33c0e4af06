"""Exports: read back by the packages that trainers use, safe names, the same bytes, killed and gone on."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.model.images.codec import encode_png
from mien.storage import Root
from mien.storage.exports import Picture, finish, folder_names, is_finished, part_files
from mien.storage.exports.formats import COLUMNS, rows_csv


def picture(n: int, identity: str = "ann", split: str = "train") -> Picture:
    rgb = np.full((8, 8, 3), 10 * n, np.uint8)
    labels: dict[str, Any] = dict.fromkeys(COLUMNS) | {
        "identity": identity,
        "expression": "happy" if n % 2 else None,
        "split": split,
        "synthetic": True,
        "output_id": f"{n:032x}",
        "identity_similarity": n / 10,
        "status": "ok",
    }
    return Picture(encode_png(rgb), ".png", identity, labels)


PICTURES = [picture(n, "ann" if n < 3 else "bea", "train" if n < 3 else "test") for n in range(5)]


def written(folder: Path, form: Any) -> Path:
    out, parts, rows = Root(str(folder)), [], []
    for number, part in enumerate((PICTURES[:2], PICTURES[2:])):
        for path, data in part_files(form, number, part):
            out.write_bytes(path, data)
        splits = {s: sum(p.labels["split"] == s for p in part) for s in {p.labels["split"] for p in part}}
        parts.append({"pictures": len(part), "splits": splits, "left_out": []})
        rows.append(rows_csv(part))
    finish(out, form, {"transfers": "x"}, parts, rows)
    assert is_finished(out, {"transfers": "x"})
    assert not is_finished(out, {"transfers": "y"})
    return folder


def test_images_lie_in_a_folder_per_person(tmp_path: Path) -> None:
    folder = written(tmp_path, "images")
    assert sorted(p.parent.name for p in folder.glob("images/*/*.png")) == ["ann"] * 3 + ["bea"] * 2
    lines = (folder / "index.csv").read_text().splitlines()
    assert lines[0].startswith("path,identity,expression,split,synthetic")
    assert [line.split(",")[1] for line in lines[1:]] == ["ann"] * 3 + ["bea"] * 2
    assert all((folder / line.split(",")[0]).exists() for line in lines[1:])


def test_webdataset_reads_the_shards_back(tmp_path: Path) -> None:
    import webdataset

    folder = written(tmp_path, "webdataset")
    urls = sorted(str(path) for path in folder.glob("*.tar"))
    rows = list(webdataset.WebDataset(urls, shardshuffle=False, empty_check=False).decode("rgb8"))
    assert [row["__key__"] for row in rows] == [str(p.labels["output_id"]) for p in PICTURES]
    assert [int(row["png"][0, 0, 0]) for row in rows] == [0, 10, 20, 30, 40]
    assert rows[3]["json"]["identity"] == "bea"
    assert rows[3]["json"]["synthetic"] is True


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
    ((_, data),) = part_files("webdataset", 0, PICTURES)
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
