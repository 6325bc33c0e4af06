"""What decides a shard of generated faces besides its pairs and the settings, found without reading a picture.

A shard of faces, heatmaps or photos is named by what decides its content, so the names of the shards in which the
faces of the pairs lie stand for these. One new photo makes a new shard of faces, and leaves the others and all that was
generated from them alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from mien.storage import Root, fingerprint, read_manifest, read_shard
from mien.storage.consent import UNKNOWN
from mien.storage.rows import PairRow
from mien.tasks.sets.consent import known_consents
from mien.tasks.sets.faces import FaceTables
from mien.tasks.sets.row_lookup import shards_of, values_of
from mien.tasks.transfer.former import FormerTransfers
from mien.tasks.transfer.pair_faces import further_ids
from mien.tasks.transfer.pair_inputs import people_of_faces
from mien.tasks.transfer.settings import TransferSettings


def shard_inputs(root: Root, pairs: str, settings: TransferSettings, former: FormerTransfers | None) -> str:
    """Fingerprint of the faces, photos, neutrals and terms that the pairs of a shard name, and of the faces by older
    generators that may be taken over for them."""
    columns = ["pair_id", "identity_face_id", "expression_face_id", "further_source_ids"]
    rows: list[PairRow] = read_shard(root, "pairs", pairs, columns).to_pylist()
    shown = [face_id for row in rows for face_id in (row["identity_face_id"], *further_ids(row))]
    sides = (
        _of_side(root, settings, settings.source_set, shown),
        _of_side(root, settings, settings.driver_set, [row["expression_face_id"] for row in rows]),
    )
    offers = [] if former is None else former.offers(root, [row["pair_id"] for row in rows])
    return fingerprint([*sides, offers])


def _of_side(root: Root, settings: TransferSettings, tables: FaceTables, named: Sequence[str]) -> list[str]:
    face_ids = sorted(set(named))
    photos = values_of(root, "faces", tables.faces, "face_id", face_ids, "image_id")
    consents = known_consents(root, settings.sets)
    terms = [consents.get((tables.name, photos[face_id]), UNKNOWN).text for face_id in face_ids if face_id in photos]
    images = str(read_manifest(root, "faces", tables.faces).about["images"])
    return [
        *shards_of(root, "faces", tables.faces, "face_id", face_ids),
        *shards_of(root, "heatmaps", tables.heatmaps, "face_id", face_ids),
        *shards_of(root, "images", images, "image_id", sorted(set(photos.values()))),
        fingerprint(terms),
        people_of_faces(root, settings.neutrals, [(tables.name, face_id) for face_id in face_ids]),
    ]
