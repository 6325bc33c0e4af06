"""collect_garbage: what no version of any set holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from mien.flows.parameters import ROOT, Count, RootUrl
from mien.flows.result import FlowResult
from mien.flows.scrubbed_flow import flow
from mien.storage import Root
from mien.tasks.errors import checking_arguments
from mien.tasks.generator.known_generators import kept_champion
from mien.tasks.sets.garbage import GarbageRules, delete_garbage, find_garbage

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


@dataclass(frozen=True)
class CollectedGarbage(FlowResult):
    """What no version holds, by folder, and whether it is deleted."""

    root: str
    files: Mapping[str, tuple[int, int]]
    """Number and bytes, by folder."""
    versions: Mapping[str, int]
    """Versions that are forgotten, by set."""
    deleted: bool

    def lines(self) -> list[str]:
        kinds: dict[str, tuple[int, int]] = {}
        for folder, (number, size) in self.files.items():
            kind = "models" if folder.startswith("models/") else folder
            known = kinds.get(kind, (0, 0))
            kinds[kind] = known[0] + number, known[1] + size
        verb = "forgotten" if self.deleted else "would be forgotten"
        return [
            *(f"{name}: {count} older versions {verb}" for name, count in self.versions.items()),
            *(f"{kind}: {number} files, {_size(size)}" for kind, (number, size) in kinds.items()),
            self._last(sum(n for n, _ in kinds.values()), sum(s for _, s in kinds.values())),
        ]

    def _last(self, number: int, size: int) -> str:
        if not number and not self.versions:
            return f"{self.root}: everything is held by a set, or too young"
        if self.deleted:
            return f"{self.root}: {number} files deleted, {_size(size)}"
        return f"{self.root}: {number} files, {_size(size)}, are held by no set; nothing was deleted: give --delete"


def _size(size: float) -> str:
    for unit in _UNITS:
        if size < 1024 or unit == _UNITS[-1]:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    raise AssertionError


def check_arguments(*, root: str) -> None:
    """Raises UsageError where the flow cannot go well with these; cheap, and called before anything starts."""
    with checking_arguments():
        Root(root)


@flow(name="collect-garbage")
def collect_garbage(
    *,
    root: RootUrl = ROOT,
    delete: bool = False,
    grace_hours: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 168.0,
    keep_versions: Count | None = None,
) -> CollectedGarbage:
    """Find the files of a root that no version of any set holds, and delete them if asked to.

    Args:
        root: Where the tables lie: a folder or any fsspec URL such as s3://bucket/prefix.
        delete: Delete them; without it they are only counted.
        grace_hours: What was written in the last hours stays.
        keep_versions: Forget all but so many newest versions of each set first; all are kept if empty.
    """
    with checking_arguments():
        opened_root = Root(root)
    rules, kept = GarbageRules(grace_hours, keep_versions), kept_champion(opened_root)
    found = (delete_garbage if delete else find_garbage)(opened_root, rules, kept)
    forgotten = {name: len(versions) for name, versions in found.versions.items()}
    return CollectedGarbage(root, found.files, forgotten, found.deleted)
