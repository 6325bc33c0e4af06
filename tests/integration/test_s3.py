"""The same flows with the root on S3, over the wire."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from mien import storage
from mien.tasks.pages.gallery import MAX_ROWS_WITHIN, build_gallery
from mien.tasks.pages.gallery_sheets import FOLDER
from mien.tasks.runtime.workers import worker_pool
from tests.gallery_root import face, transfer, write_generated
from tests.integration.flow_calls import ANY_CHAMPION, HELD_OUT, augment, generated, prepare, train
from tests.small_root import DETECTOR, draw_photos

pytestmark = pytest.mark.usefixtures("prefect_server")


def test_prepare_and_augment_on_s3(s3_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A remote root keeps the embedded MLflow and the checkpoints in ./data.
    monkeypatch.chdir(tmp_path)
    draw_photos(tmp_path / "photos", people=4)
    root = f"{s3_url}/faces"
    job: dict[str, Any] = {"per_identity": 3, "identity_splits": ["val"], "keep_rejected": True}
    with worker_pool(2):  # whose processes know the server, as those of the session do not
        prepare([tmp_path / "photos"], "four", root, faces=DETECTOR, **HELD_OUT)
        train(["four"], root, steps=2, settings=ANY_CHAMPION)
        done = augment("four", root, **job)
        assert done.transfers is not None
        assert done.transfers.uri.startswith("s3://")
        rows = generated(root, "four-by-four")
        # Two updates make no good generator: what is rejected is replaced by the next of the nine candidates.
        accepted = sum(row["status"] == "ok" for row in rows)
        assert accepted == 3 or (accepted < 3 and len(rows) == 9)
        assert all(row["image"].startswith(b"\x89PNG") for row in rows)
        assert done.gallery is not None
        assert storage.Root(root).exists("galleries/four-by-four/index.html")

        again = augment("four", root, **job)
        assert again.transfers == done.transfers


def test_a_gallery_with_sheets_on_s3_replaces_the_former_one(s3_url: str) -> None:
    root, out = storage.Root(f"{s3_url}/made"), storage.Root(f"{s3_url}/pages")
    people, shown = [face(number) for number in range(4)], list[set[str]]()
    for first in (0, 1000):
        rows = [transfer(first + number, number % 4, 0) for number in range(MAX_ROWS_WITHIN + 9)]
        build_gallery(root, write_generated(root, people, len(rows), rows.__getitem__), out)
        page = out.read_bytes("index.html").decode()
        shown.append({f"{FOLDER}/{name}" for name in out.list(FOLDER)})
        assert shown[-1] == set(re.findall(rf"{FOLDER}/[0-9a-f]{{32}}\.jpg", page))
    assert shown[0] != shown[1]
