"""The people of a prepared set, as the gate compares generated faces with them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import pyarrow.compute as pc

from mien.model.detection.detector import FaceDetector
from mien.model.identity.people import Batch, People
from mien.storage import Root, open_table
from mien.tasks.sets.consent import known_consents
from mien.tasks.sets.faces import FaceTables


@lru_cache(maxsize=2)
def people_of(root: Root, tables: FaceTables, detector: FaceDetector) -> People:
    """Mean embeddings of the labelled people of a set, read once per process, without photos whose consent was
    withdrawn. Photos are read in batches: memory grows with the people, not with their photos."""
    return People.of_batches(lambda: _batches(root, tables), detector.similarity)


def _batches(root: Root, tables: FaceTables) -> Iterator[Batch]:
    """Labels and embeddings (float64) of the usable faces that have both."""
    consents = known_consents(root, (tables,)).items()
    withdrawn = [photo for (_, photo), consent in consents if consent.kind == "withdrawn"]
    usable = (pc.field("status") == "ok") & pc.field("identity").is_valid() & pc.field("embedding").is_valid()
    if withdrawn:  # an empty list has no type
        usable = usable & ~pc.field("image_id").isin(withdrawn)
    columns = ["identity", "embedding"]
    for batch in open_table(root, "faces", tables.faces).scanner(columns=columns, filter=usable).to_batches():
        if batch.num_rows:
            flat = batch["embedding"].flatten().to_numpy()
            yield batch["identity"].to_pylist(), flat.reshape(batch.num_rows, -1).astype(np.float64)
