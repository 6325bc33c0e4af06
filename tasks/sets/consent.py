"""Who may be used: the consent of photos over all rows on them, and sets without the faces that it leaves out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pyarrow.compute as pc

from mien.storage import Root, commit, open_table, read_manifest, read_shard
from mien.storage.consent import UNKNOWN, Consent, stored_consent, strongest
from mien.tasks.sets.changed_rows import with_changes
from mien.tasks.sets.faces import FaceTables

ABOUT = "consent"
"""Key of what a table of faces says that was left out."""


PhotoOfSet = tuple[str, str]
"""The name of a set, and the image id of a photo in it."""


def consents_of(root: Root, sets: Iterable[FaceTables]) -> dict[PhotoOfSet, Consent]:
    """The consent of each photo of each of these sets: of several rows on one photo the strictest.

    A set speaks for its own rows, but a refusal counts wherever it is said: a photo that one set says was withdrawn or
    denied is so in the others. That another set says nothing takes nothing away.
    """
    said: dict[str, Mapping[str, Consent]] = {}
    for tables in sets:
        about: Any = read_manifest(root, "faces", tables.faces).about
        said[tables.name] = table_consents(root, about["images"])
    return together(said)


@lru_cache(maxsize=4)
def known_consents(root: Root, sets: tuple[FaceTables, ...]) -> Mapping[PhotoOfSet, Consent]:
    """`consents_of`, found once per process: tables never change."""
    return consents_of(root, sets)


def together(said: Mapping[str, Mapping[str, Consent]]) -> dict[PhotoOfSet, Consent]:
    """What holds of each photo of each set, from what each set says by image id."""
    refused: dict[str, list[Consent]] = {}
    for consents in said.values():
        for image_id, consent in consents.items():
            if consent.kind in ("withdrawn", "denied"):
                refused.setdefault(image_id, []).append(consent)
    return {
        (name, image_id): strongest((consent, *refused.get(image_id, ())))
        for name, consents in said.items()
        for image_id, consent in consents.items()
    }


@lru_cache(maxsize=8)
def table_consents(root: Root, images: str) -> Mapping[str, Consent]:
    """The consent of each photo of a table, by image id. Read once per process."""
    rows: list[tuple[str | None, str | None]] = []
    for shard in read_manifest(root, "images", images).shards:
        columns = read_shard(root, "images", shard.fingerprint, ["image_id", "consent"]).to_pydict()
        rows += zip(columns["image_id"], columns["consent"], strict=True)
    return row_consents(rows)


def row_consents(rows: Iterable[tuple[str | None, str | None]]) -> dict[str, Consent]:
    """The strictest consent by image id, from rows of (image id, consent)."""
    said: dict[str, set[str | None]] = {}
    for image_id, text in rows:
        if image_id is not None:
            said.setdefault(image_id, set()).add(text)
    return {image_id: strongest(map(stored_consent, texts)) for image_id, texts in said.items()}


def pair_refusal(sources: Sequence[Consent], driver: Consent, required: bool) -> str | None:
    """Why a pair must not be made, if so. `sources` are those of all its sources, that of the first one first."""
    whose = ["the source's", *("a further source's" for _ in sources[1:]), "the driver's"]
    refusals = (refusal(consent, name, required) for consent, name in zip((*sources, driver), whose, strict=True))
    return next((found for found in refusals if found is not None), None)


def refusal(consent: Consent, whose: str, required: bool) -> str | None:
    """Why a photo must not be used, if so. A withdrawn consent is enough; any other matters where it is required."""
    return consent.refusal(whose) if consent.kind == "withdrawn" or (required and consent.kind != "given") else None


@dataclass(frozen=True)
class Consenting:
    """Sets without the faces that consent leaves out."""

    sets: tuple[FaceTables, ...]
    photos: int
    people: int
    reasons: Mapping[str, int]
    """Photos by reason."""

    def lines(self) -> list[str]:
        """A line on what was left out; none where nothing was."""
        if not self.photos:
            return []
        why = ", ".join(f"{count}: {reason}" for reason, count in sorted(self.reasons.items()))
        return [f"{self.photos} photos of {self.people} people left out for want of consent ({why})"]


def with_consent(root: Root, sets: Sequence[FaceTables], required: bool) -> Consenting:
    """The sets as they may be used: usable faces of withdrawn photos become rejected, and where consent is required,
    all of photos without one. The tables without them have fingerprints of their own; a set that loses nothing stays.
    """
    consents = consents_of(root, sets)
    reasons = {
        photo: _reason(consent) for photo, consent in consents.items() if refusal(consent, "the", required) is not None
    }
    kept: list[FaceTables] = []
    photos: set[tuple[str, str]] = set()
    people: set[tuple[str, str]] = set()
    for tables in sets:
        found, left_out = _without(root, tables, reasons, required)
        kept.append(found)
        photos |= {(tables.name, row["image_id"]) for row in left_out}
        people |= {(tables.name, row["identity"] or row["image_id"]) for row in left_out}
    counts = Counter(reasons[photo] for photo in photos)
    return Consenting(tuple(kept), len(photos), len(people), counts)


def _reason(consent: Consent) -> str:
    return consent.refusal("the") or ""


def _without(
    root: Root, tables: FaceTables, reasons: Mapping[PhotoOfSet, str], required: bool
) -> tuple[FaceTables, list[dict[str, Any]]]:
    manifest = read_manifest(root, "faces", tables.faces)
    usable = open_table(root, "faces", tables.faces).to_table(["image_id", "identity"], pc.field("status") == "ok")
    left_out = [row for row in usable.to_pylist() if (tables.name, row["image_id"]) in reasons]
    if not left_out:
        return tables, []

    def judge(row: dict[str, Any]) -> dict[str, Any] | None:
        reason = reasons.get((tables.name, row["image_id"]))
        if row["status"] != "ok" or reason is None:
            return None
        return {"status": "rejected", "reason": reason}

    shards = with_changes(root, "faces", manifest.shards, ["image_id", "status"], judge)
    about = {**manifest.about, ABOUT: {"of": tables.faces, "required": required}}
    return FaceTables(tables.name, commit(root, "faces", shards, about).fingerprint, tables.heatmaps), left_out


def refused_lines(root: Root, transfers: str) -> list[str]:
    """A line on the pairs of a generated set that were not made for want of consent; none where all were."""
    columns = ["identity", "source_image_id", "reason"]
    rows = open_table(root, "transfers", transfers).to_table(columns, pc.field("status") == "rejected").to_pylist()
    refused = [row for row in rows if "consent" in row["reason"]]
    if not refused:
        return []
    why = ", ".join(f"{count}: {reason}" for reason, count in Counter(row["reason"] for row in refused).most_common())
    people = {row["identity"] or row["source_image_id"] for row in refused}
    return [f"{len(refused)} faces of {len(people)} people not generated for want of consent ({why})"]


__all__ = [
    "UNKNOWN", "Consenting", "consents_of", "pair_refusal", "refusal", "refused_lines", "row_consents",
    "table_consents", "together", "with_consent",
]  # fmt: skip
