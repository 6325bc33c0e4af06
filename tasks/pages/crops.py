"""Crops of faces for a page."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from mien.storage import Root, open_table
from mien.tasks.pages.html import data_uri


def crop_uris(root: Root, faces: str, face_ids: Iterable[str], side_px: int) -> dict[str, str]:
    """Data URIs of the crops with these ids, by id.

    Args:
        root: Where the tables lie.
        faces: Name or fingerprint of the table of faces.
        face_ids: The faces to read; all of them have a crop.
        side_px: Side that they are shown at.
    """
    chosen = pc.field("face_id").isin(pa.array(sorted(set(face_ids)), pa.string()))
    table = open_table(root, "faces", faces).to_table(columns=["face_id", "crop"], filter=chosen)
    pairs = zip(table["face_id"].to_pylist(), table["crop"].to_pylist(), strict=True)
    return {face_id: data_uri(crop, side_px) or "" for face_id, crop in pairs}
