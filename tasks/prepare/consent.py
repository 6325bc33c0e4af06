"""Consent of what comes in: read before any work begins, and a withdrawn one ends the use of all photos of a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mien.storage import IdentityFrom, Manifest, Root, ShardRef, SourceItem, image_name, read_shard
from mien.storage.consent import ALLOWED, Consent, ConsentError, parse_consent, stored_consent, strongest
from mien.storage.licence import parse_licence
from mien.tasks.errors import UsageError
from mien.tasks.sets.changed_rows import with_changes

_COLUMNS = ["image_id", "identity", "consent", "status"]
_BIOMETRIC = ("crop", "embedding", "landmarks_xy", "source_to_crop", "perceptual_hash")
"""Columns of `faces` that are emptied where a face turns out to be of a person who withdrew."""

Row = dict[str, Any]


def with_terms(items: Sequence[SourceItem]) -> list[SourceItem]:
    """The items with their consent and licence as the tables keep them.

    Raises:
        UsageError: a consent is none. It is refused before anything is read: a mistyped one must not pass.
    """
    consents: dict[str, Consent] = {}
    refused: dict[str, str] = {}
    for text in {item.consent for item in items if item.consent is not None}:
        try:
            consents[text] = parse_consent(text)
        except ConsentError as error:
            refused[text] = str(error)
    if refused:
        raise UsageError(_refusal([item for item in items if item.consent in refused], refused))
    return [_with_terms(item, consents) for item in items]


def _refusal(wrong: Sequence[SourceItem], reasons: Mapping[str, str]) -> str:
    first = wrong[0]
    where = image_name(first.uri, first.member, None if first.row is None else first.row + 1, first.frame)
    row = "" if first.row is None else f", row {first.row + 1}"
    more = f" ({len(wrong)} rows have such a value)" if len(wrong) > 1 else ""
    return f"{reasons[first.consent or '']} ({where.partition('#')[0]}{row}){more}: write {ALLOWED}, or nothing"


def _with_terms(item: SourceItem, consents: Mapping[str, Consent]) -> SourceItem:
    if item.consent is None and item.licence is None:
        return item
    consent = None if item.consent is None else consents[item.consent].text
    return replace(item, consent=consent, licence=item.licence and parse_licence(item.licence).name)


def reject_withdrawn(root: Root, shards: Sequence[ShardRef], identity: IdentityFrom) -> list[ShardRef]:
    """The shards of `images` in which every photo of a person who withdrew consent is rejected.

    A withdrawal said of one row holds for all rows of the same bytes, and of the same person of the set. Where faces
    tell who is who (`cluster`), photos are left as they are: `reject_withdrawn_faces` follows.
    """
    if identity == "cluster":
        return list(shards)
    rows = _rows(root, shards)
    withdrawn = _spread(_withdrawn(rows), [(row["image_id"], row["identity"]) for row in rows])
    if not withdrawn:
        return list(shards)

    def judge(row: Row) -> Row | None:
        found = withdrawn.get(("person", row["identity"])) or withdrawn.get(("photo", row["image_id"]))
        if found is None or row["status"] != "ok":
            return None
        return {"status": "rejected", "reason": _reason(found, stored_consent(row["consent"]))}

    return with_changes(root, "images", shards, _COLUMNS, judge)


def reject_withdrawn_faces(root: Root, images: Sequence[ShardRef], faces: Sequence[ShardRef]) -> list[ShardRef]:
    """The shards of `faces` without any usable face of a person, as the faces tell it, who withdrew consent."""
    said = _withdrawn(_rows(root, images))
    if not said:
        return list(faces)
    columns = ["image_id", "identity", "status"]
    rows = [row for shard in faces for row in read_shard(root, "faces", shard.fingerprint, columns).to_pylist()]
    withdrawn = _spread(said, [(row["image_id"], row["identity"]) for row in rows])

    def judge(row: Row) -> Row | None:
        photo = said.get(("photo", row["image_id"]))
        found = withdrawn.get(("person", row["identity"])) or withdrawn.get(("photo", row["image_id"]))
        if found is None or (row["status"] != "ok" and photo is None):
            return None
        verdict = {"status": "rejected", "reason": _reason(found, photo or Consent()), "failure": None}
        return verdict | dict.fromkeys(_BIOMETRIC)

    return with_changes(root, "faces", faces, columns, judge)


def _rows(root: Root, shards: Iterable[ShardRef]) -> list[Row]:
    return [row for shard in shards for row in read_shard(root, "images", shard.fingerprint, _COLUMNS).to_pylist()]


_Key = tuple[str, str | None]
"""`photo` and its id, or `person` and the label."""


def _withdrawn(rows: Iterable[Row]) -> dict[_Key, Consent]:
    """What rows themselves say is withdrawn."""
    found: dict[_Key, Consent] = {}
    for row in rows:
        consent = stored_consent(row["consent"])
        if consent.kind == "withdrawn":
            for key in _keys(row["image_id"], row["identity"]):
                found[key] = strongest((found.get(key, consent), consent))
    return found


def _keys(image_id: str | None, person: str | None) -> list[_Key]:
    return [key for key in (("photo", image_id), ("person", person)) if key[1]]


def _spread(said: Mapping[_Key, Consent], rows: Sequence[tuple[str | None, str | None]]) -> dict[_Key, Consent]:
    """The same for all photos and people that are bound to these by rows, over any number of steps."""
    found = dict(said)
    while True:
        before = len(found)
        for image_id, person in rows:
            keys = _keys(image_id, person)
            if known := [found[key] for key in keys if key in found]:
                for key in keys:
                    found.setdefault(key, known[0])
        if len(found) == before:
            return found


def _reason(found: Consent, own: Consent) -> str:
    day = f" on {found.on.isoformat()}" if found.on else ""
    other = "" if own.kind == "withdrawn" else ", as another row on the person or photo says"
    return f"consent withdrawn{day}{other}"


def terms_lines(root: Root, images: Manifest) -> list[str]:
    """A line on the consent of a set's photos, and one on licences that exclude commercial use; where there are any."""
    consents: Counter[str] = Counter()
    licences: Counter[str] = Counter()
    for shard in images.shards:
        table = read_shard(root, "images", shard.fingerprint, ["consent", "licence"])
        consents.update(stored_consent(text).kind for text in table["consent"].to_pylist())
        licences.update(text for text in table["licence"].to_pylist() if text)
    lines: list[str] = []
    if set(consents) - {"unknown"}:
        lines.append(f"consent: {', '.join(f'{count} {kind}' for kind, count in consents.most_common())}")
    if excluded := {name: count for name, count in licences.items() if parse_licence(name).commercial is False}:
        lines.append(f"{sum(excluded.values())} photos exclude commercial use ({', '.join(sorted(excluded))})")
    return lines
