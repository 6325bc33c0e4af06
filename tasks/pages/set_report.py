"""The report on a prepared set: what was kept and what was not, in numbers and in pictures, as one page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from mien.storage import Root, open_table, read_manifest, read_set
from mien.storage.rows import FaceRow, ImageRow
from mien.tasks.pages.crops import crop_uris
from mien.tasks.pages.histogram import Histogram, histogram_of
from mien.tasks.pages.html import evenly_spaced, templates
from mien.tasks.pages.identity_report import identity_report
from mien.tasks.sets.reasons import reason_kind

PAGE = "index.html"
_SHEET_SIDE_PX = 96
MAX_REASONS, MAX_SHEETS = 100, 20
"""A reason may name an address of its own, and then there are as many as rows: the page must not grow with these."""

_COLUMNS = [
    "face_id", "image_id", "identity", "score", "face_px", "sharpness", "brightness", "clipped", "pose", "shape_error",
    "landmark_scatter", "outside", "found_by", "status", "reason",
]  # fmt: skip
Measure = Literal[
    "score", "face_px", "sharpness", "brightness", "clipped", "shape_error", "landmark_scatter", "outside"
]
Angle = Literal["yaw", "pitch", "roll"]
_MEASURES: tuple[Measure, ...] = get_args(Measure)
_ANGLES: tuple[Angle, ...] = get_args(Angle)


@dataclass(frozen=True)
class Report:
    """Where a report lies and what it says."""

    uri: str
    summary: str
    """Markdown: counts by reason, spread of the measures."""


@dataclass(frozen=True)
class Sheet:
    """Faces that share a fate. Pictures are data URIs."""

    title: str
    total: int
    faces: list[tuple[str, str]]
    """Picture and caption."""


def build_report(root: Root, name: str, out: Root, max_faces: int = 48) -> Report:
    """Writes the report on a prepared set to `out`/index.html.

    Each sheet shows at most `max_faces` faces, evenly spaced over the table, so that nobody chose them.
    """
    images = open_table(root, "images", name).to_table(columns=["status", "reason"]).to_pylist()
    rows = open_table(root, "faces", name).to_table(columns=_COLUMNS).to_pylist()
    reasons = count_reasons(images, rows)
    identities = identity_report(root, read_manifest(root, "faces", read_set(root, name).tables["faces"]), max_faces)
    histograms = [found for measure in (*_MEASURES, *_ANGLES) if (found := histogram(measure, rows))]
    page = templates.get_template("report.html.j2").render(
        name=name,
        root=root.url,
        faces=read_set(root, name).tables["faces"],
        photos=len(images),
        accepted=sum(row["status"] == "ok" for row in rows),
        people=len({row["identity"] for row in rows if row["status"] == "ok"}),
        reasons=reasons[:MAX_REASONS],
        more_reasons=_more(reasons),
        identities=identities,
        found_by=Counter(row["found_by"] for row in rows if row["found_by"]).most_common(),
        histograms=histograms,
        sheets=_sheets(root, name, rows, max_faces),
    )
    out.write_bytes(PAGE, page.encode())
    return Report(
        f"{out.url}/{PAGE}", markdown(name, len(images), rows, reasons, [*identities.markdown(), *measures(histograms)])
    )


def count_reasons(images: Sequence[ImageRow], faces: Sequence[FaceRow]) -> list[tuple[str, str, int]]:
    """Status, reason without its numbers, and rows, of all photos and faces that are not ok; the most frequent first.

    A failed photo has no row in `faces`; one that failed later has none but there.
    """
    gone = [row for row in [*images, *faces] if row["status"] != "ok"]
    counts = Counter((row["status"], reason_kind(row["reason"])) for row in gone)
    return [(status, reason, count) for (status, reason), count in counts.most_common()]


def _more(reasons: Sequence[tuple[str, str, int]]) -> tuple[int, int]:
    """Reasons that are not listed, and their rows."""
    left = reasons[MAX_REASONS:]
    return len(left), sum(count for _, _, count in left)


def histogram(measure: Measure | Angle, rows: Sequence[FaceRow]) -> Histogram | None:
    """Of the faces that have the measure; None where none has."""
    values = [np.nan if (value := _value(row, measure)) is None else value for row in rows]
    return histogram_of(measure, np.array(values, np.float64), np.array([row["status"] == "ok" for row in rows], bool))


def _value(row: FaceRow, measure: Measure | Angle) -> float | None:
    if measure == "yaw" or measure == "pitch" or measure == "roll":
        return None if row["pose"] is None else row["pose"][_ANGLES.index(measure)]
    return row[measure]


def _sheets(root: Root, name: str, rows: Sequence[FaceRow], max_faces: int) -> list[Sheet]:
    """The accepted, then the rejected of the most frequent reasons. A photo that failed has no picture."""
    groups: dict[str, list[FaceRow]] = {"accepted": [row for row in rows if row["status"] == "ok"]}
    for row in rows:
        if row["status"] != "ok" and row["pose"] is not None:
            groups.setdefault(reason_kind(row["reason"]), []).append(row)
    accepted, *gone = groups
    largest = sorted(gone, key=lambda title: -len(groups[title]))[:MAX_SHEETS]
    shown = {title: evenly_spaced(groups[title], max_faces) for title in (accepted, *largest)}
    face_ids = {row["face_id"] for group in shown.values() for row in group}
    crops = crop_uris(root, name, face_ids, _SHEET_SIDE_PX)
    return [
        Sheet(title, len(groups[title]), [(crops[row["face_id"]], _caption(row)) for row in group])
        for title, group in shown.items()
        if group
    ]


def _caption(row: FaceRow) -> str:
    return row["reason"] or row["identity"] or "unnamed"


def markdown(
    name: str, photos: int, rows: Sequence[FaceRow], reasons: list[tuple[str, str, int]], rest: list[str]
) -> str:
    """The report without pictures, for Prefect's artifact; `rest` are the lines after the counts."""
    accepted = sum(row["status"] == "ok" for row in rows)
    lines = [f"**{name}: {accepted} faces accepted**, {len(rows)} rows, from {photos} photos", ""]
    if reasons:
        lines += ["| why not | status | rows |", "|---|---|---|"]
        listed = reasons[:MAX_REASONS]
        lines += [f"| {reason.replace('|', ' ')} | {status} | {count} |" for status, reason, count in listed]
        kinds, left = _more(reasons)
        lines += [*([f"| {kinds} other reasons | | {left} |"] if kinds else []), ""]
    return "\n".join([*lines, *rest])


def measures(histograms: list[Histogram]) -> list[str]:
    """The spread of the measures as a table in markdown."""
    return ["| measure | 1 % | median | 99 % |", "|---|---|---|---|"] + [
        f"| {each.name.replace('_', ' ')} | {each.low:.3g} | {each.median:.3g} | {each.high:.3g} |"
        for each in histograms
    ]
