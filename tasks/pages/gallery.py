"""The gallery: a self-contained page of generated faces, each beside its source and driver, with its numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal, get_args

from mien.storage import Manifest, Root, open_table, read_manifest
from mien.storage.rows import FaceRow, TransferRow
from mien.tasks.pages.html import data_uri, evenly_spaced, reason_kind, templates
from mien.tasks.sets.faces import FaceTables, read_faces

PAGE = "index.html"

Measure = Literal["identity_similarity", "driver_similarity", "expression_error"]
MEASURES: tuple[Measure, ...] = get_args(Measure)

_COLUMNS = [
    "identity", "expression", "identity_face_id", "expression_face_id", "image", "sha256", "model_uri", "run_id",
    "identity_similarity", "driver_similarity", "expression_error", "status", "reason",
]  # fmt: skip


@dataclass(frozen=True)
class Gallery:
    """Where a gallery lies and what it shows."""

    uri: str
    summary: str
    """Markdown: counts, reasons, medians."""


@dataclass(frozen=True)
class GallerySummary:
    """The rows of a table of generated faces in numbers."""

    total: int
    accepted: int
    identities: int
    models: list[str]
    medians: dict[str, float | None]
    """By measure; None where no row has it."""
    reasons: list[tuple[str, int]]
    """Without their numbers, the most frequent first."""


@dataclass(frozen=True)
class Card:
    """One generated face as the page shows it. Pictures are data URIs."""

    source: str
    driver: str
    result: str | None
    absent: str
    """What stands in place of the result where there is none."""
    caption: str
    numbers: list[tuple[str, str]]
    accepted: bool
    reason: str | None


def build_gallery(root: Root, transfers: str, out: Root, max_faces: int = 96) -> Gallery:
    """Writes the gallery of a `transfers` table to `out`/index.html.

    At most `max_faces` faces are shown, evenly spaced over the table's order, so that nobody chose them. The numbers at
    the top are of all faces.
    """
    manifest = read_manifest(root, "transfers", transfers)
    rows = open_table(root, "transfers", transfers).to_table(columns=_COLUMNS).to_pylist()
    shown = evenly_spaced(rows, max_faces)
    summary = summarise(rows)
    page = templates.get_template("gallery.html.j2").render(
        cards=_cards(root, manifest, shown),
        summary=summary,
        shown=len(shown),
        total=len(rows),
        root=root.url,
        transfers=transfers,
    )
    out.write_bytes(PAGE, page.encode())
    return Gallery(f"{out.url}/{PAGE}", markdown(summary))


def summarise(rows: Sequence[TransferRow]) -> GallerySummary:
    """Counts, medians and reasons."""
    reasons = Counter(reason_kind(row["reason"]) for row in rows if row["status"] != "ok")
    return GallerySummary(
        total=len(rows),
        accepted=sum(row["status"] == "ok" for row in rows),
        identities=len({row["identity"] for row in rows}),
        models=sorted({row["model_uri"] for row in rows}),
        medians={name: _median(rows, name) for name in MEASURES},
        reasons=reasons.most_common(),
    )


def _median(rows: Sequence[TransferRow], measure: Measure) -> float | None:
    values = [value for row in rows if (value := row[measure]) is not None]
    return median(values) if values else None


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
        lines += [
            "",
            "| why not | faces |",
            "|---|---|",
            *(f"| {reason} | {count} |" for reason, count in summary.reasons),
        ]
    return "\n".join(lines)


def _cards(root: Root, manifest: Manifest, rows: Sequence[TransferRow]) -> list[Card]:
    about: Any = manifest.about
    sets = [FaceTables(**tables) for tables in about["settings"]["sets"]]
    # The first set is that of the sources, the last that of the drivers: a photo may be in both.
    sources = read_faces(root, sets[:1], {row["identity_face_id"] for row in rows}, ["crop"])
    drivers = read_faces(root, sets[-1:], {row["expression_face_id"] for row in rows}, ["crop", "identity"])
    return [_card(row, sources.get(row["identity_face_id"]), drivers.get(row["expression_face_id"])) for row in rows]


def _card(row: TransferRow, source: FaceRow | None, driver: FaceRow | None) -> Card:
    numbers = {
        "identity": row["identity_similarity"],
        "driver": row["driver_similarity"],
        "expression error": row["expression_error"],
    }
    person, expression = row["identity"] or "unnamed", row["expression"] or "expression"
    of = (driver["identity"] if driver else None) or "unnamed"
    return Card(
        source=data_uri(source["crop"] if source else None) or "",
        driver=data_uri(driver["crop"] if driver else None) or "",
        result=data_uri(row["image"]),
        absent="picture not kept" if row["sha256"] else "nothing generated",
        caption=f"{person} with the {expression} of {of}",
        numbers=[(name, "–" if value is None else f"{value:.3f}") for name, value in numbers.items()],
        accepted=row["status"] == "ok",
        reason=row["reason"],
    )
