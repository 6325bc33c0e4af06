"""Makes a generated face again from its lineage and compares the bytes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import pyarrow.compute as pc

from mien.model.devices import computing_on
from mien.storage import Manifest, Root, list_manifests, open_table, read_set
from mien.storage.rows import PairRow, TransferRow
from mien.tasks.errors import UsageError
from mien.tasks.runtime.workers import in_worker
from mien.tasks.transfer.generate import PairGenerator
from mien.tasks.transfer.settings import TransferSettings, settings_of_row

OTHER_CODE = "the code or the detector is another version than the one that made it"


@dataclass(frozen=True)
class Reproduction:
    """What came of making a face again."""

    output_id: str
    same: bool
    """Whether the bytes are those of the row."""
    image: bytes | None
    because: str
    """What differs, if anything does."""


def reproduce(root: Root, output_id: str, name: str | None = None) -> Reproduction:
    """The row of `transfers` with this id, made anew from its lineage alone.

    It is looked for in the set `name`, or in all tables of generated faces.

    Raises:
        UsageError: there is no such row, or it was never made.
        DeviceError: it was made on a kind of device that this machine lacks.
    """
    manifest, row = _find(root, output_id, name)
    if row["sha256"] is None:
        raise UsageError(f"{output_id} was never made ({row['reason']}): there is nothing to reproduce")
    settings = settings_of_row(manifest.about, row["settings"])
    pairs: Any = open_table(root, "pairs", str(manifest.about["pairs"]))
    (pair, *_) = pairs.to_table(filter=pc.field("pair_id") == row["pair_id"]).to_pylist()
    # In a worker, as it was made: with as many threads.
    (again,) = in_worker(_again, root, pair, settings)
    data: bytes | None = again["image"]
    same = again["sha256"] == row["sha256"]
    because = ""
    if row["settings"] != again["settings"]:
        because = OTHER_CODE
    elif row["output_id"] != again["output_id"]:
        because = "its faces or neutrals are not those that it was made from"
        same = False
    if data is not None and row["image"] is not None and hashlib.sha256(row["image"]).hexdigest() != row["sha256"]:
        because = "the stored image is not the one that was made: its hash does not match"
        same = False
    return Reproduction(output_id, same, data, because if not same else "")


def _again(root: Root, pair: PairRow, settings: TransferSettings) -> list[TransferRow]:
    settings.compute.check()
    with computing_on(settings.compute.device):  # the judge too: the kind of device is a part of what names the face
        return list(PairGenerator(root, settings).rows([pair]))


def _find(root: Root, output_id: str, name: str | None) -> tuple[Manifest, TransferRow]:
    manifests = list_manifests(root, "transfers")
    if name is not None:
        tables = read_set(root, name).tables
        manifests = [manifest for manifest in manifests if manifest.fingerprint == tables.get("transfers")]
    for manifest in manifests:
        dataset = open_table(root, "transfers", manifest.fingerprint)
        rows = dataset.to_table(filter=pc.field("output_id") == output_id).to_pylist()
        if rows:
            return manifest, rows[0]
    where = f"the set {name}" if name else root.url
    raise UsageError(f"no generated face {output_id} in {where}: mien show ROOT/transfers/NAME lists the ids")
