"""The same flows with the root on S3, over the wire."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mien import storage
from mien.tasks.runtime.workers import worker_pool
from tests.integration.flow_calls import HELD_OUT, augment, generated, prepare, train

pytestmark = pytest.mark.usefixtures("prefect_server")


def test_prepare_and_augment_on_s3(s3_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A remote root keeps the embedded MLflow and the checkpoints in ./data.
    monkeypatch.chdir(tmp_path)
    root = f"{s3_url}/faces"
    job: dict[str, Any] = {"per_identity": 3, "identity_splits": ["val"], "keep_rejected": True}
    with worker_pool(2):  # whose processes know the server, as those of the session do not
        prepare([f"sample:orl/s{n}" for n in range(1, 5)], "four", root, **HELD_OUT)
        train(["four"], root, steps=2)
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
