"""What a gallery says of the gate: how the measures of all faces are spread, with the limits drawn in."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from mien.model.detection.load import load_detector
from mien.model.errors import ModelError
from mien.model.quality.change import PARTS
from mien.model.quality.face_measures import Asked
from mien.model.quality.gate import GateLimits, GateSettings
from mien.storage import Manifest, Root, read_shard
from mien.tasks.pages.histogram import Histogram, histogram_of
from mien.tasks.pages.html import templates

_REACHED = tuple(f"{part}_reached" for part in PARTS)
MEASURES = (
    "identity_similarity", "expression_reached", *_REACHED, "expression_error", "sharpness_ratio",
    "mouth_sharpness_ratio", "eyes_sharpness_ratio", "texture_error", "contrast_ratio", "colour_difference",
    "detector_score",
)  # fmt: skip
_MARGINS = {
    "person_margin": ("person_similarity", "nearest_similarity"),
    "driver_margin": ("identity_similarity", "driver_similarity"),
}
"""Differences that have a limit."""
_AMOUNTS: tuple[Asked, ...] = ("little", "middle", "large")
_COLUMNS = [
    "status", "asked", *MEASURES, *(f"{part}_asked" for part in PARTS), "person_similarity",
    "nearest_similarity", "driver_similarity",
]  # fmt: skip


def gate_section(root: Root, manifest: Manifest) -> str:
    """The section of a gallery page, as HTML.

    Raises:
        StorageError: the table cannot be read.
    """
    columns = _columns(root, manifest)
    ok = np.array([status == "ok" for status in columns["status"]], bool)
    limits = _limits(manifest)
    return templates.get_template("gate.html.j2").render(
        asked=[(amount, *_of_amount(columns["asked"], ok, amount)) for amount in _AMOUNTS],
        histograms=_histograms(columns, ok, limits),
        limits={name: value for name, value in asdict(limits).items() if np.isfinite(value)},
    )


def _columns(root: Root, manifest: Manifest) -> dict[str, Any]:
    """Of all rows: texts as lists, numbers as arrays with NaN for null."""
    shards = [read_shard(root, "transfers", shard.fingerprint, _COLUMNS) for shard in manifest.shards]
    found: dict[str, Any] = {}
    for name in _COLUMNS:
        values = [value for shard in shards for value in shard[name].to_pylist()]
        texts = name in ("status", "asked")
        found[name] = values if texts else np.array([np.nan if v is None else v for v in values], np.float32)
    return found


def _limits(manifest: Manifest) -> GateLimits:
    """Those that the table was judged by."""
    settings: Any = manifest.about["settings"]
    gate = GateSettings(**settings.get("gate", {}))
    try:
        customary = load_detector(settings.get("faces", "dlib")).same_person_similarity
    except ModelError:  # a page is written where the judge is not installed, too
        customary = float("nan")
    return gate.limits(customary)


def _of_amount(asked: list[Asked | None], ok: np.ndarray, amount: Asked) -> tuple[int, int]:
    """Faces that were asked for so much, and how many of them are accepted."""
    of_amount = np.array([each == amount for each in asked], bool)
    return int(of_amount.sum()), int((of_amount & ok).sum())


def _histograms(columns: dict[str, Any], ok: np.ndarray, limits: GateLimits) -> list[Histogram]:
    found: list[Histogram | None] = []
    for name in MEASURES:
        values = columns[name]
        if name in _REACHED:  # where a part is asked for little, its share says nothing
            part = name.removesuffix("_reached")
            values = np.where(columns[f"{part}_asked"] >= getattr(limits, f"min_{part}_asked"), values, np.nan)
        found.append(histogram_of(name, values, ok, _limits_of(name, limits)))
    for name, (first, second) in _MARGINS.items():
        found.append(histogram_of(name, columns[first] - columns[second], ok, _limits_of(name, limits)))
    return [each for each in found if each is not None]


def _limits_of(measure: str, limits: GateLimits) -> tuple[float, ...]:
    if measure in _REACHED:
        return (limits.min_part_reached,)
    both = (getattr(limits, f"{side}_{measure}", None) for side in ("min", "max"))
    return tuple(limit for limit in both if limit is not None and np.isfinite(limit))
