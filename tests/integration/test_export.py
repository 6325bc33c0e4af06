"""Generated faces in the forms that a trainer reads, and back in their photos."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import pytest

from mien import storage
from mien.model.images.codec import decode_rgb
from mien.model.images.provenance import read_provenance
from mien.storage.exports.formats import SPLITS
from mien.tasks.errors import RunError, UsageError
from tests.integration.flow_calls import augment, export, generated, prepare, table_rows, write_pairs

pytestmark = pytest.mark.usefixtures("prefect_server", "shared_workers")


def test_exports_hold_every_accepted_face_and_go_on_after_a_kill(done, tmp_path: Path) -> None:

    root, _ = done
    accepted = {row["output_id"]: row for row in generated(root, "six-augmented") if row["status"] == "ok"}
    first = export("six-augmented", tmp_path / "a", "images", root)
    files = {path.stem: path for path in (tmp_path / "a").rglob("*.png")}
    assert first.pictures == len(files) == len(accepted)
    assert all(files[name].read_bytes() == row["image"] for name, row in accepted.items())
    folders = {name: (SPLITS[row["split"]], row["identity"]) for name, row in accepted.items()}
    assert {name: (path.parts[-3], path.parts[-2]) for name, path in files.items()} == folders
    groups = {row["pair_id"]: row["expression_group"] for row in table_rows(root, "pairs", "six-augmented")}
    with (tmp_path / "a" / "index.csv").open(newline="") as file:
        exported = {line["output_id"]: line["expression_group"] for line in csv.DictReader(file)}
    assert exported == {name: groups[row["pair_id"]] for name, row in accepted.items()}
    assert all(exported.values())
    assert not (tmp_path / "a" / ".parts").exists()
    assert export("six-augmented", tmp_path / "a", "images", root).pictures is None
    with pytest.raises(UsageError, match="holds another export"):
        export("six-augmented", tmp_path / "a", "webdataset", root)

    export("six-augmented", tmp_path / "b", "webdataset", root)
    whole = {path.name: path.read_bytes() for path in (tmp_path / "b").rglob("*") if path.is_file()}
    (tmp_path / "b" / "mien-export.json").unlink()  # as if killed before the end
    next((tmp_path / "b").glob("*.tar")).unlink()
    export("six-augmented", tmp_path / "b", "webdataset", root)
    assert {path.name: path.read_bytes() for path in (tmp_path / "b").rglob("*") if path.is_file()} == whole


def test_faces_go_back_into_their_photos(done, tmp_path: Path) -> None:
    root, _ = done
    made = export("six-augmented", tmp_path, "images", root, paste_back=True)
    pasted = sorted(tmp_path.rglob("*.png"))
    assert made.pictures == len(pasted) > 0
    rows = {row["output_id"]: row for row in generated(root, "six-augmented")}
    images = {row["image_id"]: row for row in table_rows(root, "images", "six")}
    for path in pasted[:5]:
        row = rows[path.stem]
        photo = decode_rgb(storage.read_source(images[row["source_image_id"]]["uri"]))
        result = decode_rgb(path.read_bytes())
        assert result.shape == photo.shape
        assert (result != photo).any()
        assert read_provenance(path.read_bytes())["output"] == path.stem


def test_an_export_without_the_faces_of_photos_that_are_away_is_not_finished(done, tmp_path: Path) -> None:
    root, _ = done
    photos = [tmp_path / "photos" / person / "1.png" for person in ("a", "b")]
    for number, photo in enumerate(photos, start=1):
        photo.parent.mkdir(parents=True)
        cv2.imwrite(str(photo), decode_rgb(storage.read_source(f"sample:orl/s{number}/1.pgm"))[..., ::-1])
    prepare([tmp_path / "photos"], "gone", root)
    first, second = map(str, photos)
    augment("gone", root, pairs=write_pairs(tmp_path, (first, second), (second, first)), keep_rejected=True)
    whole = export("gone-by-gone", tmp_path / "whole", "images", root, paste_back=True, rejected=True)
    assert whole.pictures == 2
    photos[0].rename(tmp_path / "unmounted.png")
    out = tmp_path / "out"
    for _ in range(2):
        with pytest.raises(RunError, match=r"is not finished: 1 of 2 faces are left out.*1\.png does not exist"):
            export("gone-by-gone", out, "images", root, paste_back=True, rejected=True)
        assert len(list(out.rglob("*.png"))) == 1
        assert not (out / "mien-export.json").exists()
        assert (out / ".parts" / "about.json").exists()
    (tmp_path / "unmounted.png").rename(photos[0])
    assert export("gone-by-gone", out, "images", root, paste_back=True, rejected=True).pictures == 2
    assert _content(out) == _content(tmp_path / "whole")
    assert not (out / ".parts").exists()
    assert export("gone-by-gone", out, "images", root, paste_back=True, rejected=True).pictures is None


def _content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
