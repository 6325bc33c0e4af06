"""Photos that were forgotten and come again: their rows say so, and nothing else of them."""

from __future__ import annotations

from dataclasses import replace

from mien.storage import SourceItem
from mien.storage.tombstones import Tombstones, forgotten_on, mark_of
from mien.tasks.sets.photo_reader import PictureReader

URI = "forgotten:"
"""What stands where the photo's own name would: its path may hold the person's."""
_KEPT = ("version", "offset_bytes", "length_bytes", "row", "frame")


class ForgottenPhotos:
    """Tells forgotten photos by their bytes; of a video, no frame is taken once one of its frames was forgotten."""

    def __init__(self, tombstones: Tombstones, reader: PictureReader) -> None:
        self._tombstones = tombstones
        self._reader = reader
        self._videos: dict[str, str | None] = {}

    def judged(self, item: SourceItem, row: dict[str, object]) -> dict[str, object]:
        """The row of `images`, or the row that takes its place."""
        image_id = row.get("image_id")
        if not self._tombstones or not isinstance(image_id, str):
            return row
        day = forgotten_on(self._tombstones, image_id) or (self._video(item) if item.frame is not None else None)
        if day is None:
            return row
        rest = {name: row.get(name) for name in _KEPT}
        return {**rest, "uri": f"{URI}{mark_of(image_id)[:16]}", "status": "rejected", "reason": f"forgotten on {day}"}

    def _video(self, item: SourceItem) -> str | None:
        """The day on which a frame of the item's video was forgotten."""
        if item.uri not in self._videos:
            self._videos[item.uri] = next(
                (
                    marks[mark_of(image_id)]
                    for number, marks in self._tombstones.frames.items()
                    if (image_id := self._reader.image_id(replace(item, frame=number))) and mark_of(image_id) in marks
                ),
                None,
            )
        return self._videos[item.uri]
