"""What a generated set holds already: a job takes over the faces that it asks for, and makes the others.

A face that was made with the same settings from the same faces has the same id, and is taken over whatever else has
changed in the set. A face that differs in the generator alone, since another version is asked for now, stays as it is
unless all are to be made anew; its row says which generator made it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mien.model.errors import ModelError
from mien.model.quality.face_measures import MeasureColumns
from mien.storage import Root, StorageError, read_manifest, read_set, set_names
from mien.storage.errors import ErrorKind
from mien.storage.schemas import Status
from mien.tasks.generator.neutrals import FormerNeutrals
from mien.tasks.plan.groups import FormerPlan, former_plan
from mien.tasks.plan.rounds import Round
from mien.tasks.sets.row_lookup import look_up, table_keys
from mien.tasks.transfer.settings import (
    TransferSettings,
    differ_in_generator_only,
    older_settings,
    settings_fingerprint,
    settings_of,
)

_log = logging.getLogger("mien.tasks")


class Made(MeasureColumns):
    """The columns of `transfers` that say what became of a pair, and by what."""

    output_id: str
    inputs: str | None
    neutrals: str | None
    settings: str
    model_uri: str
    model_sha256: str
    run_id: str | None
    image: bytes | None
    image_format: str | None
    sha256: str | None
    found_landmarks_xy: list[float] | None
    status: Status
    reason: str | None
    failure: ErrorKind | None


@dataclass(frozen=True)
class FormerTransfers:
    """The generated faces that a set holds before a job."""

    fingerprint: str
    """Of their table."""
    older: tuple[str, ...] = ()
    """Fingerprints of settings that differ from the present ones in the generator alone, sorted."""

    def same(self, root: Root, output_ids: Sequence[str]) -> dict[str, Made]:
        """The rows of these ids whose faces were made; none where the table cannot be read."""
        return self._rows(root, "output_id", output_ids)

    def of_older_generators(self, root: Root, pair_ids: Sequence[str]) -> dict[str, Made]:
        """The rows on these pairs that older generators made, by pair."""
        if not self.older:
            return {}
        rows = self._rows(root, "pair_id", pair_ids)
        return {pair_id: row for pair_id, row in rows.items() if row["settings"] in self.older}

    def offers(self, root: Root, pair_ids: Sequence[str]) -> list[str]:
        """The ids of the rows that `of_older_generators` would give, in the order of the pairs."""
        if not self.older:
            return []
        columns = ["pair_id", "output_id", "settings", "sha256"]
        found = {row["pair_id"]: row for row in self._read(root, "pair_id", pair_ids, columns).values()}
        rows = [found[pair_id] for pair_id in pair_ids if pair_id in found]
        return [row["output_id"] for row in rows if row["sha256"] is not None and row["settings"] in self.older]

    def _rows(self, root: Root, key: str, values: Sequence[str]) -> dict[str, Made]:
        rows = self._read(root, key, values, [*Made.__annotations__])
        return {value: row for value, row in rows.items() if row["sha256"] is not None}

    def _read(self, root: Root, key: Any, values: Sequence[str], columns: Sequence[str]) -> dict[str, Any]:
        try:
            found = look_up(root, "transfers", self.fingerprint, key, values, columns)
            return {value: row.to_pylist()[0] for value, row in found}
        except StorageError as error:
            _log.warning("the faces that the set holds cannot be read (%s): those of a shard are made anew", error)
            return {}


@dataclass(frozen=True)
class FormerJob:
    """What the last job over a set left."""

    transfers: str
    about: Mapping[str, Any]
    """Of its table of generated faces."""

    @property
    def settings(self) -> TransferSettings:
        """With which it was made."""
        return settings_of(self.about)

    def plan(self, root: Root) -> FormerPlan | None:
        """What it was planned with; None where its plan cannot be read."""
        try:
            return former_plan(root, str(self.about["pairs"]))
        except (StorageError, TypeError) as error:
            _log.warning("the plan that the set holds cannot be read (%s): a new one is made", error)
            return None

    @property
    def neutrals(self) -> FormerNeutrals | None:
        """That it used."""
        settings = self.settings
        return None if settings.neutrals is None else FormerNeutrals(settings.neutrals, settings.sets)

    def count_held(self, root: Root, pairs: Round) -> int:
        """How many of the pairs its table has. Whether their faces are as asked for now is not compared."""
        held = set(table_keys(root, "transfers", self.transfers, "pair_id"))
        return sum(pair_id in held for part in pairs() for pair_id in part["pair_id"].to_pylist())

    def rows_for(self, settings: TransferSettings) -> FormerTransfers:
        """The rows as a job with these settings may take them over."""
        return FormerTransfers(self.transfers, tuple(sorted(self.older_than(settings))))

    def older_than(self, settings: TransferSettings) -> dict[str, TransferSettings]:
        """Settings of rows that differ from these in the generator alone, by their fingerprint."""
        last = self.settings
        known = older_settings(self.about) | {settings_fingerprint(last): last}
        return {name: other for name, other in known.items() if differ_in_generator_only(settings, other)}


def former_job(root: Root, name: str) -> FormerJob | None:
    """The job that made the present version of a generated set.

    None where there is no such set, or where it cannot be read: then all is made anew.
    """
    if name not in set_names(root):
        return None
    try:
        tables = read_set(root, name).tables
        if "transfers" not in tables:
            return None
        about: Any = read_manifest(root, "transfers", tables["transfers"]).about
        job = FormerJob(tables["transfers"], about)
        _ = job.settings
    except (StorageError, KeyError, TypeError, ModelError) as error:  # of another version of mien, or damaged
        _log.warning("what the set %s holds cannot be taken over (%s): its faces are made anew", name, error)
        return None
    return job
