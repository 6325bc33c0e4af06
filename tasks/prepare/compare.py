"""What only all faces of a set together tell: who is who, which labels are doubtful, which photos are there twice,
and who is held out.

A shard of `faces` is a function of its photos alone. This pass reads narrow columns of all shards, and writes the
shards whose rows change anew, under a name that follows from the shard and the changes. All other shards stay as they
are; the manifest lists what holds now. What was found is kept in `{root}/compared/`, by the shards and the settings:
a run with nothing new does not compare again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any, TypedDict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mien.model.detection.load import detector_version, load_detector
from mien.storage import (
    IdentityFrom,
    Root,
    ShardRef,
    StorageError,
    TableRef,
    find_good_shard,
    fingerprint,
    read_shard,
    source_digest,
    write_shard,
)
from mien.storage.artefacts import COMPARED, json_artefact, keep, load
from mien.storage.fingerprints import is_fingerprint
from mien.storage.rows import FaceRow
from mien.storage.schemas import FACES
from mien.storage.tables import former_manifest
from mien.tasks.errors import UsageError
from mien.tasks.prepare.detect import DETECT, DetectSettings
from mien.tasks.prepare.duplicates import find_duplicates
from mien.tasks.prepare.identities import (
    Change,
    Changes,
    CheckSummary,
    Grouping,
    PeopleSummary,
    check_labels,
    group_faces,
)
from mien.tasks.runtime.workers import in_worker
from mien.tasks.sets.splits import Split, SplitSettings, chosen_besides, settings_of_splits, split_of

CODE = source_digest(__name__)

_COLUMNS = ["face_id", "image_id", "bbox_xyxy", "identity", "status", "perceptual_hash", "split"]
_FOOTERS_AT_ONCE = 16


@dataclass(frozen=True)
class CompareSettings:
    """What is compared, besides looking for duplicates."""

    detect: DetectSettings
    splits: SplitSettings = field(default_factory=SplitSettings)
    check_identities: bool = False
    """Whether labels are held against the embeddings."""
    group_similarity: float | None = None
    """With the identity `cluster`: faces this similar on average are one person; the embedder's own limit if None."""


def check_rules(identity: IdentityFrom, check_identities: bool, group_similarity: float | None) -> None:
    """Raises UsageError where there is nothing to check or to group."""
    if check_identities and identity != "source":
        raise UsageError(f"--check-identities holds labels against faces; --identity {identity} takes no labels")
    if group_similarity is not None and identity != "cluster":
        raise UsageError("--group-similarity says which faces --identity cluster groups: give both or neither")


class ComparisonSummary(TypedDict):
    """What was found; None where it was not asked for."""

    people: PeopleSummary | None
    check: CheckSummary | None
    chosen: dict[str, Split]
    """Who is in another split than the hash says, by its hash: `tasks/sets/splits.py`."""


@dataclass(frozen=True)
class Compared:
    """The shards as they hold now, and what was found in numbers."""

    shards: list[ShardRef]
    summary: ComparisonSummary


@dataclass(frozen=True)
class _Kept:
    """The same as it is kept."""

    shards: list[str]
    """Fingerprints."""
    summary: ComparisonSummary

    def __post_init__(self) -> None:
        if not all(is_fingerprint(shard) for shard in self.shards):
            raise ValueError("shards without a fingerprint")


_COMPARED = json_artefact(COMPARED, _Kept)


def compare_faces(root: Root, name: str, shards: Sequence[ShardRef], settings: CompareSettings) -> Compared:
    """All shards of a set's faces: found where these have been compared before, else compared.

    Args:
        root: Where the tables lie.
        name: The set, from whose former state people that are still there take their names.
        shards: Of `faces`, as detection has made them.
        settings: What to compare.

    Raises:
        RunError: there are too many faces to group.
    """
    kept = _name(shards, settings)
    return _found(root, kept) or in_worker(_compare, root, name, shards, settings, kept)


def _name(shards: Sequence[ShardRef], settings: CompareSettings) -> str:
    what = {"code": CODE, "detector": detector_version(settings.detect.faces), "settings": asdict(settings)}
    return fingerprint({**what, "shards": [shard.fingerprint for shard in shards]})


def _found(root: Root, name: str) -> Compared | None:
    kept = load(root, _COMPARED, name)
    if kept is None:
        return None
    with ThreadPoolExecutor(_FOOTERS_AT_ONCE) as threads:
        shards = list(threads.map(lambda shard: find_good_shard(root, "faces", shard), kept.shards))
    found = [shard for shard in shards if shard is not None]
    return Compared(found, kept.summary) if len(found) == len(shards) else None  # else one was deleted


def _compare(root: Root, name: str, shards: Sequence[ShardRef], settings: CompareSettings, kept: str) -> Compared:
    parts = [read_shard(root, "faces", shard.fingerprint, _COLUMNS).to_pylist() for shard in shards]
    rows: list[FaceRow] = [row for part in parts for row in part]
    changes, summary = _identities(root, name, shards, rows, settings)
    now: list[FaceRow] = [{**row, **changes.get(index, {})} for index, row in enumerate(rows)]
    for index, duplicate in find_duplicates(now, settings.detect.limits.max_duplicate_bits).items():
        verdict: Change = {"status": "rejected", "reason": duplicate.reason, "duplicate_of": duplicate.of}
        changes[index] = {**changes.get(index, {}), **verdict}
    besides = _besides(root, name, rows, changes, settings.splits)
    _split(rows, changes, settings.splits, besides)
    compared = Compared(rewrite(root, shards, changes), {**summary, "chosen": besides})
    keep(root, _COMPARED, kept, _Kept([shard.fingerprint for shard in compared.shards], compared.summary))
    return compared


def _identities(
    root: Root, name: str, shards: Sequence[ShardRef], rows: Sequence[FaceRow], settings: CompareSettings
) -> tuple[Changes, ComparisonSummary]:
    detector, detect = load_detector(settings.detect.faces), settings.detect
    if detect.identity == "cluster":
        threshold = detector.group_similarity if settings.group_similarity is None else settings.group_similarity
        grouping = Grouping(detector, threshold)
        changes, people = group_faces(rows, _embeddings(root, shards), _former_names(root, name), grouping)
        return changes, {"people": people, "check": None, "chosen": {}}
    if settings.check_identities:
        changes, check = check_labels(rows, _embeddings(root, shards), detector)
        return changes, {"people": None, "check": check, "chosen": {}}
    return {}, {"people": None, "check": None, "chosen": {}}


def _besides(
    root: Root, name: str, rows: Sequence[FaceRow], changes: Changes, splits: SplitSettings
) -> dict[str, Split]:
    """Who is in another split than the hash says."""
    now: list[FaceRow] = [{**row, **changes.get(index, {})} for index, row in enumerate(rows)]
    photos = Counter(row["identity"] for row in now if row["identity"])  # with those that cannot be used, who stay too
    usable = Counter(row["identity"] for row in now if row["identity"] and row["status"] == "ok")
    return chosen_besides({who: usable[who] for who in photos}, splits, _former_chosen(root, name, splits))


def _split(rows: Sequence[FaceRow], changes: Changes, splits: SplitSettings, besides: Mapping[str, Split]) -> None:
    """Puts each row into its split: detection knows neither the settings of the set nor who is chosen besides."""
    found = cache(lambda who: split_of(who, splits, besides))
    for index, row in enumerate(rows):
        who = changes.get(index, {}).get("identity", row["identity"]) or row["image_id"]
        if (split := found(who)) != row["split"]:
            changes[index] = {**changes.get(index, {}), "split": split}


def _former_chosen(root: Root, name: str, splits: SplitSettings) -> dict[str, Split]:
    """Of the set as it stands, if it was split alike."""
    manifest = former_manifest(root, name, "faces")
    about: Any = manifest.about if manifest else {}
    alike = manifest is not None and settings_of_splits(about) == splits
    return dict(about.get("compared", {}).get("chosen", {})) if alike else {}


def _embeddings(root: Root, shards: Sequence[ShardRef]) -> np.ndarray:
    """Of all good faces, in their order: n × d."""
    parts: list[np.ndarray] = []
    for shard in shards:
        if count := shard.counts["ok"]:
            table = read_shard(root, "faces", shard.fingerprint, ["status", "embedding"])
            column = table.filter(pc.field("status") == "ok")["embedding"].combine_chunks()
            parts.append(column.flatten().to_numpy().reshape(count, -1))
    return np.concatenate(parts) if parts else np.zeros((0, 1), np.float32)


def _former_names(root: Root, name: str) -> dict[str, str]:
    """Identities of the set's faces as they stand, if they came of grouping too."""
    manifest = former_manifest(root, name, "faces")
    about: Any = manifest.about if manifest else {}
    if manifest is None or about["settings"].get("identity") != "cluster":
        return {}
    names: dict[str, str] = {}
    for shard in manifest.shards:
        try:
            table = read_shard(root, "faces", shard.fingerprint, ["face_id", "identity"])
        except StorageError:
            continue  # deleted: its faces are named anew
        pairs = zip(table["face_id"].to_pylist(), table["identity"].to_pylist(), strict=True)
        names |= {face_id: identity for face_id, identity in pairs if identity is not None}
    return names


def rewrite(root: Root, shards: Sequence[ShardRef], changes: Changes) -> list[ShardRef]:
    """The shards with the changes in their rows, whose indices count over all shards; unchanged ones are the given."""
    out: list[ShardRef] = []
    start = 0
    for shard in shards:
        own = {index - start: changes[index] for index in range(start, start + shard.rows) if index in changes}
        out.append(_rewritten(root, shard, own) if own else shard)
        start += shard.rows
    return out


def _rewritten(root: Root, shard: ShardRef, changes: Changes) -> ShardRef:
    named = [[index, change] for index, change in changes.items()]
    name = fingerprint({"code": CODE, "shard": shard.fingerprint, "changes": named})
    if found := find_good_shard(root, "faces", name):
        return found
    rows = read_shard(root, "faces", shard.fingerprint).to_pylist()
    for index, change in changes.items():
        rows[index] |= change
    return write_shard(root, "faces", name, pa.Table.from_pylist(rows, schema=FACES))


def commit_faces(
    root: Root, images: TableRef, compared: Compared, settings: CompareSettings, detected: Sequence[ShardRef] = ()
) -> TableRef:
    """Makes the compared faces visible as one table.

    Args:
        root: Where the tables lie.
        images: The photos that they were found in.
        compared: The shards as they hold now.
        settings: That detection and comparing were done with.
        detected: The shards as detection made them. Those that comparing wrote anew are named, so that they are kept:
            the next run finds them, and does not detect again.
    """
    weights = {name: asdict(licence) for name, licence in load_detector(settings.detect.faces).weights_licences.items()}
    about: dict[str, Any] = {
        "images": images.fingerprint,
        "settings": asdict(settings.detect),
        "splits": asdict(settings.splits),
        "weights": weights,
    }
    former = sorted({shard.fingerprint for shard in detected} - {shard.fingerprint for shard in compared.shards})
    about |= {"detected": former} if former else {}
    summary: Any = compared.summary
    return DETECT.commit(root, compared.shards, {**about, "compared": summary, "compare_code": CODE})
