"""What the sets of a root say of a photo that a user names by its file."""

from __future__ import annotations

import hashlib

from mien.storage import Root, StorageError, list_sets, read_manifest, read_source
from mien.storage.consent import Consent, strongest
from mien.storage.tombstones import forgotten_on, read_tombstones
from mien.tasks.errors import UsageError
from mien.tasks.sets.consent import table_consents


def check_photos(root: Root, uris: tuple[str, ...], required: bool) -> None:
    """Raises UsageError where a photo must not be used: a set of the root says that its consent was withdrawn, its
    person was forgotten, or consent is required and no set says that it was given."""
    tombstones = read_tombstones(root)
    for uri in uris:
        image_id = hashlib.sha256(read_source(uri)).hexdigest()
        if day := forgotten_on(tombstones, image_id):
            raise UsageError(f"{uri} must not be used: it was forgotten on {day}")
        consent = registered_consent(root, image_id)
        if consent is None and required:
            raise UsageError(f"{uri} is in no prepared set of {root.url}: nothing says that consent was given for it")
        if consent and (consent.kind == "withdrawn" or (required and consent.kind != "given")):
            raise UsageError(f"{uri} must not be used: {consent.refusal('the')}")


def registered_consent(root: Root, image_id: str) -> Consent | None:
    """The strictest that the sets of a root say of a photo; None where it is in none."""
    found: list[Consent] = []
    for named in list_sets(root):
        if images := named.tables.get("images"):
            try:
                read_manifest(root, "images", images)
            except StorageError:
                continue  # mien verify tells of it
            if (consent := table_consents(root, images).get(image_id)) is not None:
                found.append(consent)
    return strongest(found) if found else None
