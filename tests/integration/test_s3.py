"""The same flows with the root on S3, over the wire."""

from __future__ import annotations

from pathlib import Path

import pytest

from mien import storage

pytestmark = pytest.mark.usefixtures("prefect_server")


def test_prepare_and_augment_on_s3(s3_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mien.flows.augment import augment_faces
    from mien.flows.prepare import prepare_faces
    from mien.flows.train import train_generator

    # A remote root keeps the embedded MLflow and the checkpoints in ./data.
    monkeypatch.chdir(tmp_path)
    root = f"{s3_url}/faces"
    people = [f"sample:orl/s{n}" for n in range(1, 5)]
    splits = {"val_fraction": 0.2, "test_fraction": 0.2, "split_salt": "six-2"}
    prepare_faces(people, set="four", root=root, crop_size=64, workers=2, **splits)
    train_generator(sets=["four"], root=root, size=64, steps=2, workers=2)
    asked = {"per_identity": 3, "identity_splits": ["val"], "workers": 2, "keep_rejected": True}
    done = augment_faces(identities="four", expressions="four", root=root, **asked)
    assert done.transfers is not None
    assert done.transfers.uri.startswith("s3://")
    rows = storage.open_table(root, "transfers", "four-by-four").to_table().to_pylist()
    # Two updates make no good generator: what is rejected is replaced by the next of the nine candidates.
    accepted = sum(row["status"] == "ok" for row in rows)
    assert accepted == 3 or (accepted < 3 and len(rows) == 9)
    assert all(row["image"].startswith(b"\x89PNG") for row in rows)
    assert done.gallery is not None
    assert storage.Root(root).exists("galleries/four-by-four/index.html")

    again = augment_faces(identities="four", expressions="four", root=root, **asked)
    assert again.transfers == done.transfers
