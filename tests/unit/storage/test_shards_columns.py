"""Of a shard nothing is fetched but the columns that are asked for."""

from __future__ import annotations

from uuid import uuid4

import numpy as np
import pyarrow as pa
import pytest

from mien.storage import Root, StorageError, find_shard, fingerprint, read_shard, write_shard
from mien.storage.schemas import FACES
from mien.storage.shards import shard_path


def test_pictures_are_not_looked_at_where_others_are_asked_for() -> None:
    root, random = Root(f"memory://{uuid4().hex}"), np.random.default_rng(0)
    rows = [
        {"face_id": str(n), "image_id": "0", "split": "train", "crop": random.bytes(2000), "status": "ok"}
        for n in range(100)
    ]
    shard = write_shard(root, "faces", fingerprint("pictures"), pa.Table.from_pylist(rows, schema=FACES))
    path = shard_path("faces", shard.fingerprint)
    data = bytearray(root.read_bytes(path))
    last = data.index(rows[-1]["crop"])  # random bytes are stored as they are, near the end of the file
    assert len(data) - last < 2**16
    data[last] ^= 1
    root.write_bytes(path, bytes(data))
    found = read_shard(root, "faces", shard.fingerprint, ["status", "face_id"])
    assert found["face_id"].to_pylist() == [str(n) for n in range(100)]
    assert find_shard(root, "faces", shard.fingerprint) == shard
    with pytest.raises(StorageError, match="is damaged"):
        read_shard(root, "faces", shard.fingerprint, ["crop"])
