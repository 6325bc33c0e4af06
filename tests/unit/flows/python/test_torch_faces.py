"""Faces as torch's loaders take them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader

import mien
from mien.model.images.codec import decode_rgb
from tests.small_root import CROP_PX, GENERATED, PREPARED, small_root


def test_a_loader_gives_every_usable_face_once(tmp_path: Path) -> None:
    root = small_root(tmp_path)
    faces = mien.open(root.url, PREPARED).faces
    data = faces.to_torch()
    rows = faces.to_pandas(status="ok")
    assert len(data) == len(rows)
    batches = list(DataLoader(data, batch_size=5, shuffle=True))
    assert batches[0]["image"].shape == (5, 3, CROP_PX, CROP_PX)
    assert batches[0]["image"].dtype == torch.uint8
    assert sorted(name for batch in batches for name in batch["id"]) == sorted(rows["face_id"])
    first = rows.iloc[0]
    assert torch.equal(data[0]["image"].permute(1, 2, 0), torch.from_numpy(decode_rgb(first["crop"])))
    assert (data[0]["id"], data[0]["identity"], data[0]["split"]) == (
        first["face_id"],
        first["identity"],
        first["split"],
    )
    assert data[-1]["id"] == rows.iloc[-1]["face_id"]
    for outside in (len(data), -len(data) - 1):
        with pytest.raises(IndexError, match="none of index"):
            data[outside]


def test_a_transform_is_applied_to_the_image(tmp_path: Path) -> None:
    root = small_root(tmp_path)
    transfers = mien.open(root.url, GENERATED).transfers
    item = transfers.to_torch(transform=lambda image: image.float() / 255)[0]
    assert item["image"].dtype == torch.float32
    assert 0 <= item["image"].min() <= item["image"].max() <= 1
    assert item["expression"].startswith("mood")
