"""The report on a prepared set, over a small set of drawn rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mien.model.images.codec import encode_png
from mien.storage import Root, commit, fingerprint, write_set, write_shard
from mien.storage.schemas import FACES, IMAGES
from mien.tasks.pages.set_report import MAX_REASONS, MAX_SHEETS, Report, build_report, histogram


def face(number: int, reason: str | None = None, found: bool = True) -> dict[str, Any]:
    crop = encode_png(np.full((32, 32, 3), 3 * number, np.uint8)) if found else None
    measures = {"score": 1.0 + number, "pose": [float(number), 0.0, 0.0], "crop": crop, "found_by": "dlib plain"}
    return {
        "face_id": fingerprint(number),
        "image_id": str(number),
        "identity": "<b>",
        "split": "train",
        "status": "rejected" if reason else "ok",
        "reason": reason,
        **(measures if found else {}),
    }


@pytest.fixture
def written(tmp_path: Path) -> tuple[Report, str]:
    root = Root(str(tmp_path))
    faces = [face(n) for n in range(6)] + [face(n, f"brightness 0.0{n} is below 0.08") for n in (6, 7)]
    faces.append(face(8, "no face found", found=False))
    images = [
        {"uri": str(n), "version": "1", "status": "ok" if n < 9 else "failed", "reason": None if n < 9 else "cut off"}
        for n in range(10)
    ]
    tables = {
        "images": commit(root, "images", [_shard(root, "images", images, IMAGES)], {}),
        "faces": commit(root, "faces", [_shard(root, "faces", faces, FACES)], {}),
    }
    write_set(root, "six", {name: ref.fingerprint for name, ref in tables.items()})
    report = build_report(root, "six", Root(str(tmp_path / "out")), max_faces=4)
    return report, (tmp_path / "out" / "index.html").read_text()


def _shard(root: Root, table: Any, rows: list[dict[str, Any]], schema: pa.Schema) -> Any:
    return write_shard(root, table, fingerprint([table]), pa.Table.from_pylist(rows, schema))


def test_every_reason_is_counted_without_its_numbers(written: tuple[Report, str]) -> None:
    report, page = written
    for reason, status, count in (
        ("brightness", "rejected", 2),
        ("no face found", "rejected", 1),
        ("cut off", "failed", 1),
    ):
        assert f"| {reason} | {status} | {count} |" in report.summary
        assert f"<td>{reason}</td><td>{status}</td><td>{count}</td>" in page
    assert "**six: 6 faces accepted**, 9 rows, from 10 photos" in report.summary


def test_the_page_shows_the_faces_of_each_fate_and_escapes_names(written: tuple[Report, str]) -> None:
    _, page = written
    assert page.count('<img src="data:image/png') == 4 + 2
    assert "4 of 6 shown" in page
    assert "2 of 2 shown" in page
    assert "<b>" not in page.replace("<b>yaw</b>", "").replace("<b>pitch</b>", "").replace("<b>roll</b>", "").replace(
        "<b>score</b>", ""
    )


def test_a_page_with_a_reason_for_each_row_stays_small(tmp_path: Path) -> None:
    root, letters = Root(str(tmp_path)), [f"{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(MAX_REASONS + 30)]
    faces = [
        face(n % 80, f"the address {word} is another one") | {"face_id": fingerprint(["face", n])}
        for n, word in enumerate(letters)
    ]
    images = [{"uri": "x", "version": "1", "status": "ok"}]
    tables = {
        "images": commit(root, "images", [_shard(root, "images", images, IMAGES)], {}),
        "faces": commit(root, "faces", [_shard(root, "faces", faces, FACES)], {}),
    }
    write_set(root, "many", {name: ref.fingerprint for name, ref in tables.items()})
    report = build_report(root, "many", Root(str(tmp_path / "out")))
    page = (tmp_path / "out" / "index.html").read_text()
    assert page.count('<img src="data:image/png') == MAX_SHEETS
    assert page.count("<td>rejected</td>") == MAX_REASONS
    assert "<td>30 other reasons, each for fewer rows or as many</td><td></td><td>30</td>" in page
    assert "| 30 other reasons | | 30 |" in report.summary


def test_histograms_count_each_face_once_even_where_all_are_alike() -> None:
    rows = [face(n) for n in range(50)] + [face(70, "too dark")]
    spread = histogram("score", rows)
    alike = histogram("pitch", rows)
    assert spread is not None
    assert alike is not None
    for found in (spread, alike):
        assert (sum(found.accepted), sum(found.rejected)) == (50, 1)
    assert spread.median == 26
    assert spread.rejected[-1] == 1
    assert histogram("score", [face(0, found=False) | {"score": None}]) is None
