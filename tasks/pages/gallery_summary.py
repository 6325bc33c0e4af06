"""The rows of a table of generated faces in numbers, as a gallery and Prefect show them."""

from __future__ import annotations

from dataclasses import dataclass

from mien.storage.schemas import STATUSES, Status
from mien.tasks.pages.gallery_rows import MEASURES, Totals

MAX_REASONS = 100
"""In Markdown: a reason may name an address of its own."""


@dataclass(frozen=True)
class GallerySummary:
    """The rows of a table of generated faces in numbers."""

    total: int
    counts: dict[Status, int]
    identities: int
    models: list[str]
    medians: dict[str, float | None]
    """By measure; None where no row has it."""
    reasons: list[tuple[Status, str, int]]
    """Status, reason without its numbers, and rows; the most frequent first."""

    @property
    def accepted(self) -> int:
        """Rows that the gate accepted."""
        return self.counts["ok"]


def summarise(totals: Totals) -> GallerySummary:
    """Counts, medians and reasons."""
    return GallerySummary(
        total=totals.rows,
        counts={status: totals.statuses[status] for status in STATUSES},
        identities=len(totals.identities),
        models=sorted(totals.models),
        medians={name: totals.median(name) for name in MEASURES[:3]},
        reasons=[(status, kind, count) for (status, kind), count in totals.reasons.most_common()],
    )


def markdown(summary: GallerySummary) -> str:
    """The summary as markdown, for Prefect's artifact."""
    share = f" ({summary.accepted / summary.total:.0%})" if summary.total else ""
    counted = f"**{summary.accepted} of {summary.total} generated faces accepted**{share}"
    lines = [f"{counted}, {summary.identities} identities", ""]
    lines += ["| measure | median |", "|---|---|"]
    lines += [
        f"| {name.replace('_', ' ')} | {'–' if v is None else f'{v:.3f}'} |" for name, v in summary.medians.items()
    ]
    if summary.reasons:
        lines += ["", "| why not | status | faces |", "|---|---|---|"]
        lines += [
            f"| {_cell(reason)} | {status} | {count} |" for status, reason, count in summary.reasons[:MAX_REASONS]
        ]
    if rest := summary.reasons[MAX_REASONS:]:
        lines.append(f"| {len(rest)} other reasons | | {sum(count for _, _, count in rest)} |")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", " ")
