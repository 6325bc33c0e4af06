"""The sources' crops as the judge sees them, each looked at once while a plan gives a source to pair after pair."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mien.model.detection.detector import FaceDetector
from mien.model.images.codec import resize_rgb
from mien.model.quality.judge import SourceView, view_sources
from mien.storage.rows import FaceRow
from mien.tasks.sets.face_columns import common_points, crop_of

REMEMBERED = 64
"""Sources whose view is kept while a shard is worked through."""


class SourceViews:
    """The views of the sources of a shard, by face."""

    def __init__(self) -> None:
        self._views: dict[str, SourceView | None] = {}

    def of(
        self, sources: Sequence[FaceRow], detector: FaceDetector, size_px: int, crop_size_px: int
    ) -> list[SourceView | None]:
        """The view of each source at the size of the generated pictures; those that are new are looked at together."""
        wanted = {source["face_id"]: source for source in sources}
        if len(self._views.keys() | wanted.keys()) > REMEMBERED:
            self._views = {face_id: view for face_id, view in self._views.items() if face_id in wanted}
        new = [source for face_id, source in wanted.items() if face_id not in self._views]
        crops = [resize_rgb(crop_of(source), size_px) for source in new]
        points = [common_points(source, crop_size_px).astype(np.float64) for source in new]
        views = view_sources(detector, crops, points)
        self._views |= {source["face_id"]: view for source, view in zip(new, views, strict=True)}
        return [self._views[source["face_id"]] for source in sources]
