"""When a run may take the place of a set: not by accident with other photos, settings, or far fewer rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import pyarrow.compute as pc

from mien.model.detection.choice import AUTO, chosen_detector
from mien.storage import JSON, Root, StorageError, open_table, read_set, set_names
from mien.tasks.errors import RunError, UsageError

KEPT_SHARE = 0.5
"""Of the usable rows that a new version has to keep."""
_WORDS = {
    "kind": "kind",
    "detector": "detector",
    "crop_size_px": "crop size",
    "identity": "identity rule",
    "identities": "people",
    "expressions": "expressions",
}
"""Settings that decide what a set is, and how they are named to a person."""


def prepared_from(sources: Sequence[str], detector: str, crop_size_px: int, identity: str) -> dict[str, JSON]:
    """What a prepared set is made from, as its version keeps it."""
    return {
        "kind": "prepared",
        "sources": [without_secrets(source) for source in sources],
        "detector": detector,
        "crop_size_px": crop_size_px,
        "identity": identity,
    }


def detector_for(root: Root, name: str, asked: str, replace: bool) -> str:
    """The detector to prepare a set with. `auto` keeps that of a set which is there, unless it is to be replaced: a
    newly installed detector must neither detect all its photos anew nor stop the nightly runs."""
    former = None if replace or asked != AUTO else _former(root, name)
    known = None if former is None else former.about.get("detector")
    return str(known or chosen_detector(asked))


def generated_from(identities: str, expressions: str, model: str, pairs: str | None) -> dict[str, JSON]:
    """What a generated set is made from, as its version keeps it."""
    about: dict[str, JSON] = {"kind": "generated", "identities": identities, "expressions": expressions, "model": model}
    return about if pairs is None else about | {"pairs": without_secrets(pairs)}


def without_secrets(url: str) -> str:
    """A URL without user, password and query; anything else as it is."""
    if "://" not in url:
        return url
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def check_replacing(root: Root, name: str, about: Mapping[str, JSON], replace: bool) -> None:
    """Raises UsageError, before the work, where the set is there and was made from something else, unless asked for.

    More sources than before are no question.
    """
    former = _former(root, name)
    if replace or former is None:
        return
    known: Mapping[str, Any] = former.about
    new: Mapping[str, Any] = about
    lost = sorted({_plain(s) for s in known.get("sources", ())} - {_plain(s) for s in new.get("sources", ())})
    differences = [
        f"its {words} is {known[key]}, not {new.get(key)}"
        for key, words in _WORDS.items()
        if key in known and known[key] != new.get(key)
    ]
    if lost and "sources" in new:
        differences.append(f"its sources have {', '.join(lost)}, which is not among those of this run")
    if differences:
        raise UsageError(
            f"the set {name} is there (version {former.version}), and {'; '.join(differences)}: give --replace to let "
            "this run take its place, or another --set"
        )


def _plain(source: str) -> str:
    return source.removeprefix("./").rstrip("/")


def check_kept_rows(root: Root, name: str, tables: Mapping[str, str], version: int, replace: bool) -> None:
    """Raises RunError, after the work, where a new version would lose more than half of the usable rows of the set.

    Prepared sets are compared by their faces, generated ones, which another generator makes anew, by number. `version`
    was the newest one when the run began; where it is not any more, `write_set` says so.
    """
    former = _former(root, name)
    if replace or former is None or former.version != version or dict(former.tables) == dict(tables):
        return
    table = "faces" if "faces" in former.tables else "transfers"
    if table not in former.tables or table not in tables:
        return
    try:
        before = _usable(root, table, former.tables[table])
    except StorageError:
        return  # what cannot be read cannot be lost
    after = _usable(root, table, tables[table])
    kept = len(before & after) if table == "faces" else len(after)
    if kept < KEPT_SHARE * len(before):
        raise RunError(
            f"the set {name} stays at version {former.version}: of its {len(before)} usable {table} this run would "
            f"leave {kept}; look at its sources, or give --replace to let it take the set's place"
        )


def _usable(root: Root, table: Any, fingerprint: str) -> set[str]:
    key = "face_id" if table == "faces" else "output_id"
    rows = open_table(root, table, fingerprint).to_table(columns=[key], filter=pc.field("status") == "ok")
    return set(rows[key].to_pylist())


def _former(root: Root, name: str) -> Any:
    """The set as it stands; None where there is none, or where it cannot be read, so that a run makes it anew."""
    if name not in set_names(root):
        return None
    try:
        return read_set(root, name)
    except StorageError:
        return None
