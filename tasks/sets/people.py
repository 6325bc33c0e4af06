"""The people of a prepared set, as the gate compares generated faces with them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import pyarrow.compute as pc

from mien.model.detection.detector import FaceDetector
from mien.model.identity.people import People
from mien.storage import Root, open_table
from mien.tasks.sets.consent import known_consents
from mien.tasks.sets.faces import FaceTables


@lru_cache(maxsize=2)
def people_of(root: Root, tables: FaceTables, detector: FaceDetector) -> People:
    """Mean embeddings of the labelled people of a set, read once per process, without photos whose consent was
    withdrawn. Photos are read in batches: memory grows with the people, not with their photos."""
    names = sorted({name for labels, _ in _batches(root, tables) for name in labels})
    rows = {name: row for row, name in enumerate(names)}
    sums, counts = None, np.zeros(len(rows), np.int64)
    for labels, embeddings in _batches(root, tables):
        of = [rows[label] for label in labels]
        sums = np.zeros((len(rows), embeddings.shape[1])) if sums is None else sums
        np.add.at(sums, of, embeddings)
        np.add.at(counts, of, 1)
    if sums is None:
        return People({}, np.zeros((0, 0)), np.zeros(0))
    alike = np.zeros(len(rows))
    for labels, embeddings in _batches(root, tables):
        of = np.array([rows[label] for label in labels])
        several = counts[of] > 1
        of, embeddings = of[several], embeddings[several]
        others = (sums[of] - embeddings) / (counts[of] - 1)[:, None]  # without the photo itself
        np.add.at(alike, of, detector.similarity(embeddings, others))
    return People(rows, sums / counts[:, None], np.where(counts > 1, alike / np.maximum(counts, 1), np.nan))


def _batches(root: Root, tables: FaceTables) -> Iterator[tuple[list[str], np.ndarray]]:
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
