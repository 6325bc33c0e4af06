"""The part of a set's report on identities: people that faces were grouped into, labels that are doubtful."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pyarrow.compute as pc

from mien.storage import Manifest, Root, open_table
from mien.tasks.pages.crops import crop_uris
from mien.tasks.prepare.identities import PeopleSummary
from mien.tasks.prepare.identity_lines import check_line, doubt_line, doubted_photos, people_line, summaries_of

_MAX_PEOPLE = 30
_SIDE_PX = 96


@dataclass(frozen=True)
class CloseDecision:
    """Two sides of a decision of the grouping, with some faces of each as data URIs."""

    line: str
    first: list[str]
    second: list[str]


@dataclass(frozen=True)
class IdentityReport:
    """What the page shows; empty parts were not asked for when the set was prepared."""

    headline: str = ""
    largest: list[tuple[str, int]] = field(default_factory=list)
    """People with the most faces, and how many."""
    more: int = 0
    """People that are not among these."""
    close: list[CloseDecision] = field(default_factory=list)
    doubted: list[tuple[str, str]] = field(default_factory=list)
    """Photos, and why they disagree with their label."""

    def markdown(self) -> list[str]:
        """The same without pictures."""
        if not self.headline:
            return []
        lines = [f"- {decision.line}" for decision in self.close]
        lines += [f"- `{photo.replace('`', ' ')}`: {why}" for photo, why in self.doubted]
        return [self.headline, "", *lines, *([""] if lines else [])]


def identity_report(root: Root, faces: Manifest, max_shown: int) -> IdentityReport:
    """Of a committed table of faces; at most `max_shown` decisions or photos."""
    people, check = summaries_of(faces)
    if people:
        return _people(root, faces, people, max_shown)
    if check:
        return IdentityReport(check_line(check), doubted=doubted_photos(root, faces, max_shown))
    return IdentityReport()


def _people(root: Root, faces: Manifest, people: PeopleSummary, max_shown: int) -> IdentityReport:
    rows = open_table(root, "faces", faces.fingerprint).to_table(["identity"], filter=pc.field("status") == "ok")
    sizes = Counter(rows["identity"].to_pylist()).most_common()
    doubts = people["doubts"][:max_shown]
    shown = [face for doubt in doubts for side in (doubt["first"], doubt["second"]) for face in side["shown"]]
    crops = crop_uris(root, faces.fingerprint, shown, _SIDE_PX)
    close = [
        CloseDecision(
            doubt_line(doubt),
            [crops[face] for face in doubt["first"]["shown"]],
            [crops[face] for face in doubt["second"]["shown"]],
        )
        for doubt in doubts
    ]
    return IdentityReport(people_line(people), sizes[:_MAX_PEOPLE], max(0, len(sizes) - _MAX_PEOPLE), close)
