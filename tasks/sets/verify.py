"""Checks that a set is whole: every byte against its seal, every row against what it was made from, both ways.

    shard_check.py    a shard: bytes, and what can be computed from its rows alone
    cross_check.py    tables against each other

`Verified.whole` is a promise: nothing is wrong, and nothing was left out.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from mien.model.landmarks.heatmap_spec import HeatmapSpec
from mien.storage import Manifest, NamedSet, Root, StorageError, TableName, read_manifest, read_set
from mien.tasks.runtime.workers import in_worker, work_progress
from mien.tasks.sets import cross_check
from mien.tasks.sets.references import Reference, generators_of, tables_behind
from mien.tasks.sets.shard_check import NARROW, ShardFindings, check_heatmaps, check_rows

MAX_FAULTS = 1000
"""After so many a set is beyond doubt broken."""
_KINDS = ({"images", "faces", "heatmaps"}, {"pairs", "transfers"})
"""The tables of a prepared and of a generated set."""
_WEIGHTS = "generator.safetensors"


@dataclass
class Verified:
    """What was compared, and what is wrong."""

    rows: dict[str, int] = field(default_factory=dict)
    """By table."""
    done: Counter[str] = field(default_factory=Counter)
    """How often what was compared."""
    faults: list[str] = field(default_factory=list)
    """One line each."""
    left_out: list[str] = field(default_factory=list)
    """What could not be compared, one line each."""

    @property
    def whole(self) -> bool:
        """Nothing is wrong, and everything was compared."""
        return bool(self.done) and not self.faults and not self.left_out

    @property
    def pictures(self) -> int:
        """Decoded."""
        return self.done["pictures decoded"]


@dataclass
class _Tables:
    """What was read, by table and fingerprint."""

    manifests: dict[Reference, Manifest] = field(default_factory=dict)
    rows: dict[Reference, pa.Table] = field(default_factory=dict)
    """Only of tables of which every shard could be read."""


def verify(root: Root, name: str) -> Verified:
    """Looks at all rows of all tables of a set, and of the sets that generated faces were made from.

    Raises:
        StorageError: there is no such set, or it cannot be read which tables it has.
    """
    out, named = Verified(), read_set(root, name)
    out.faults += _pointer_faults(root, named)
    tables = _Tables(_manifests(root, named, out))
    rows = sum(manifest.rows * (2 if manifest.table == "heatmaps" else 1) for manifest in tables.manifests.values())
    with work_progress("verify", rows, "rows"):
        for reference, manifest in tables.manifests.items():
            _read(root, reference, manifest, tables, out)
        for manifest in tables.manifests.values():
            if manifest.table == "heatmaps":
                _render(root, manifest, tables, out)
    for manifest in tables.manifests.values():
        where = f"{manifest.table} {manifest.fingerprint}"
        out.faults += [f"{where}: {fault}" for fault in _CROSS.get(manifest.table, _nothing)(manifest, tables, out)]
        _check_weights(root, manifest, out)
    if len(out.faults) > MAX_FAULTS:
        out.faults[MAX_FAULTS:] = ["and more: stopped looking"]
    return out


def _pointer_faults(root: Root, named: NamedSet) -> Iterator[str]:
    if set(named.tables) not in _KINDS:
        held = ", ".join(named.tables) or "no table"
        yield f"the set {named.name} holds {held}; a set holds {' or '.join(', '.join(sorted(k)) for k in _KINDS)}"
    copy = f"sets/{named.name}.json"
    if named.version and not (root.exists(copy) and root.read_bytes(copy) == named.content()):
        yield f"{root.uri(copy)} is not the copy of version {named.version}: run the flow again, which writes it anew"


def _manifests(root: Root, named: NamedSet, out: Verified) -> dict[Reference, Manifest]:
    """Of a set's tables, and of those that these were made from; each once."""
    found: dict[Reference, Manifest] = {}
    waiting: list[tuple[Reference, bool]] = [(reference, True) for reference in named.tables.items()]
    seen = set[Reference]()
    while waiting:
        reference, of_set = waiting.pop(0)
        if reference in seen:
            continue
        seen.add(reference)
        try:
            manifest = read_manifest(root, *reference)
        except StorageError as error:
            out.faults.append(str(error))
            continue
        out.done["manifests"] += 1
        found[reference] = manifest
        for behind in tables_behind(manifest):
            if of_set and named.tables.get(behind[0], behind[1]) != behind[1]:
                where = f"{manifest.table} {manifest.fingerprint}"
                out.faults.append(f"{where}: was made from other {behind[0]} ({behind[1]}) than the set holds")
            waiting.append((behind, False))
    return found


_NEEDED = ("settings", "splits", "weights", "made_with", "older", "compared")
"""Of what a manifest says of its table, for checking its rows."""


_TYPES: dict[str, pa.DataType] = {
    "seed": pa.int64(),
    "rank": pa.int64(),
    "further_source_ids": pa.list_(pa.string()),
    "further_image_ids": pa.list_(pa.string()),
}
"""Of the columns that are no text."""


def _read(root: Root, reference: Reference, manifest: Manifest, tables: _Tables, out: Verified) -> None:
    parts: list[pa.Table] = []
    about: Any = manifest.about
    needed = {key: about[key] for key in _NEEDED if key in about}
    for shard in manifest.shards:
        if len(out.faults) >= MAX_FAULTS:
            out.left_out.append(f"{manifest.table} {manifest.fingerprint}: not read any further")
            return
        found = _take(out, in_worker(check_rows, root, shard, needed))
        if found.rows is not None:
            parts.append(found.rows)
            out.rows[manifest.table] = out.rows.get(manifest.table, 0) + found.rows.num_rows
    if len(parts) == len(manifest.shards):
        columns = NARROW[manifest.table]
        empty = {column: pa.array([], _TYPES.get(column, pa.string())) for column in columns}
        tables.rows[reference] = pa.concat_tables(parts) if parts else pa.table(empty)
    out.rows.setdefault(manifest.table, 0)


def _take(out: Verified, found: ShardFindings) -> ShardFindings:
    out.faults += found.faults
    out.done.update(found.done)
    return found


def _render(root: Root, manifest: Manifest, tables: _Tables, out: Verified) -> None:
    about: Any = manifest.about
    where = f"heatmaps {manifest.fingerprint}"
    faces = tables.manifests.get(("faces", about["faces"]))
    if faces is None or faces_of(tables, manifest) is None or rows_of(tables, manifest) is None:
        out.left_out.append(f"{where}: not rendered again, since faces or heatmaps cannot all be read")
        return
    if [shard.rows for shard in faces.shards] != [shard.rows for shard in manifest.shards]:
        out.faults.append(f"{where}: its shards are not those of faces {faces.fingerprint}")
        return
    of_faces: Any = faces.about
    size_px, spec = of_faces["settings"]["alignment"]["size_px"], HeatmapSpec.from_mapping(about["spec"])
    for heatmaps, shard in zip(manifest.shards, faces.shards, strict=True):
        _take(out, in_worker(check_heatmaps, root, heatmaps, shard, size_px, spec))


def rows_of(tables: _Tables, manifest: Manifest) -> pa.Table | None:
    """The rows of a table, if all of its shards could be read."""
    return tables.rows.get((manifest.table, manifest.fingerprint))


def faces_of(tables: _Tables, manifest: Manifest) -> pa.Table | None:
    """The rows of the faces that heatmaps were rendered from."""
    about: Any = manifest.about
    return tables.rows.get(("faces", about["faces"]))


# --- Tables against each other ----------------------------------------------------------------------------------------


def _nothing(*_: object) -> Iterable[str]:
    return ()


def _cross_faces(manifest: Manifest, tables: _Tables, out: Verified) -> Iterable[str]:
    about: Any = manifest.about
    images, faces = tables.rows.get(("images", about["images"])), rows_of(tables, manifest)
    if images is None or faces is None:
        return _left_out(manifest, "its images", out)
    out.done["faces with their images"] += faces.num_rows
    out.done["images with their faces"] += images.num_rows
    return cross_check.check_faces_of_images(images, faces, about["settings"].get("identity", "source"))


def _cross_heatmaps(manifest: Manifest, tables: _Tables, out: Verified) -> Iterable[str]:
    faces, heatmaps = faces_of(tables, manifest), rows_of(tables, manifest)
    if faces is None or heatmaps is None:
        return _left_out(manifest, "its faces", out)
    out.done["faces with their heatmaps"] += faces.num_rows
    return cross_check.check_heatmaps_of_faces(faces, heatmaps)


def _cross_pairs(manifest: Manifest, tables: _Tables, out: Verified) -> Iterable[str]:
    about: Any = manifest.about
    pairs = rows_of(tables, manifest)
    sources, drivers = (tables.rows.get(("faces", about[side]["faces"])) for side in ("identities", "expressions"))
    if pairs is None or sources is None or drivers is None:
        return _left_out(manifest, "its faces", out)
    out.done["pairs with their faces"] += pairs.num_rows
    once = [] if about["settings"] is None else cross_check.check_plan(pairs)
    return [*cross_check.check_pairs(pairs, sources, drivers), *once]


def _cross_transfers(manifest: Manifest, tables: _Tables, out: Verified) -> Iterable[str]:
    about: Any = manifest.about
    plan = tables.manifests.get(("pairs", about["pairs"]))
    if plan is None:
        return _left_out(manifest, "its pairs", out)
    of_plan: Any = plan.about
    used, planned = about["settings"]["sets"], [of_plan["identities"], of_plan["expressions"]]
    # The first set is that of the sources, the last that of the drivers.
    faults = [] if [used[0], used[-1]] == planned else ["was made from other sets than its pairs"]
    sources, drivers = (_with_images(side["faces"], tables) for side in planned)
    transfers, pairs = rows_of(tables, manifest), rows_of(tables, plan)
    if transfers is None or pairs is None or drivers is None or sources is None:
        return [*faults, *_left_out(manifest, "its pairs, faces or photos", out)]
    for what in ("pairs", "sources and drivers", "photos"):
        out.done[f"transfers with their {what}"] += transfers.num_rows
    listed = of_plan["settings"] is None
    return [
        *faults,
        *cross_check.check_transfers(transfers, pairs, sources, drivers),
        *cross_check.check_once(transfers, listed),
    ]


def _with_images(fingerprint: str, tables: _Tables) -> Mapping[str, pa.Table] | None:
    manifest = tables.manifests.get(("faces", fingerprint))
    about: Any = manifest.about if manifest else {}
    found = {
        "faces": tables.rows.get(("faces", fingerprint)),
        "images": tables.rows.get(("images", about.get("images", ""))),
    }
    return None if any(rows is None for rows in found.values()) else found  # pyright: ignore[reportReturnType]


def _left_out(manifest: Manifest, what: str, out: Verified) -> Iterable[str]:
    out.left_out.append(f"{manifest.table} {manifest.fingerprint}: not held against {what}, which cannot all be read")
    return ()


_CROSS: dict[TableName, Callable[[Manifest, _Tables, Verified], Iterable[str]]] = {
    "faces": _cross_faces,
    "heatmaps": _cross_heatmaps,
    "pairs": _cross_pairs,
    "transfers": _cross_transfers,
}


def _check_weights(root: Root, manifest: Manifest, out: Verified) -> None:
    """The generators that are kept in the root are those that the table says; none is needed to read the table."""
    for sha256 in sorted(generators_of(manifest)):
        path = f"models/{sha256}/{_WEIGHTS}"
        if not root.exists(path):
            continue
        out.done["generators by their hash"] += 1
        if hashlib.sha256(root.read_bytes(path)).hexdigest() != sha256:
            out.faults.append(f"{root.uri(path)} is damaged: the next transfer job replaces it")
