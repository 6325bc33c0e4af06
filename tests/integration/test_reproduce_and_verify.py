"""What a set says of itself holds: faces are made again byte for byte, and damage is found."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from mien import storage
from tests.integration.flow_calls import generated, verify

pytestmark = pytest.mark.usefixtures("prefect_server", "shared_workers")


def test_a_face_is_reproduced_from_its_lineage_byte_for_byte(done) -> None:
    from mien.flows.reproduce import reproduce_face
    from mien.tasks.errors import UsageError

    root, _ = done
    rows = [row for row in generated(root, "six-augmented") if row["image"]]
    for row in (rows[0], rows[len(rows) // 2], rows[-1]):
        again = reproduce_face(row["output_id"], set="six-augmented", root=str(root))
        assert again.same
        assert again.image == row["image"]
        assert again.lines() == [f"{row['output_id']}: the same bytes"]
    with pytest.raises(UsageError, match="no generated face nothing"):
        reproduce_face("nothing", root=str(root))


def test_verification_finds_what_is_wrong(done, tmp_path: Path) -> None:
    root, _ = done
    whole = verify("six-augmented", root)
    assert whole.faults == ()
    assert set(whole.rows) == {"pairs", "transfers", "faces", "heatmaps", "images"}
    assert whole.lines()[-1].startswith("six-augmented: whole; ")
    deep = verify("six", root, deep=3)
    assert deep.faults == ()
    assert deep.compared["faces detected again from their photos"] == 3

    copy = tmp_path / "root"
    shutil.copytree(root, copy)
    damaged = storage.Root(str(copy))
    about = storage.read_manifest(damaged, "transfers", storage.read_set(damaged, "six-augmented").tables["transfers"])
    shard = copy / "transfers" / "shards" / f"{about.shards[0].fingerprint}.parquet"
    pq.write_table(pq.read_table(shard), shard)
    found = verify("six-augmented", copy)
    assert any("is damaged" in fault for fault in found.faults)
    assert not any("whole" in line for line in found.lines())
    shard.unlink()
    (fault,) = [line for line in verify("six-augmented", copy).faults if line.startswith("transfers shard")]
    assert "is gone" in fault
    faces = storage.read_manifest(damaged, "faces", storage.read_set(damaged, "six").tables["faces"]).shards[0]
    (copy / "faces" / "shards" / f"{faces.fingerprint}.parquet").write_bytes(b"PAR1 not really PAR1")
    assert any(fault.startswith("faces shard") for fault in verify("six", copy).faults)
