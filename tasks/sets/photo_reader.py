"""From an item of a source to pixels: photos by their bytes, frames by decoding their video."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from mien.model.errors import ImageError
from mien.model.images.codec import decode_rgb, has_icc_profile, image_size_px
from mien.model.images.provenance import is_synthetic
from mien.model.images.video import FrameReader
from mien.storage import KEY_COLUMNS, SourceItem, SourceReader, Status, StorageError, local_copy
from mien.storage.root import storage_errors
from mien.storage.rows import ImageRow
from mien.tasks.runtime.reports import still_working, waiting

_HASHED_AT_ONCE = 2**20


class Description(TypedDict, total=False):
    """Columns of `images` that follow from the picture itself."""

    image_id: str | None
    width_px: int
    height_px: int
    icc: bool
    status: Status
    """With the reason: of a picture that is rejected for what it says of itself."""
    reason: str


def item_of(photo: ImageRow) -> SourceItem:
    """Where the picture of a row of `images` lies; the row has at least the columns `KEY_COLUMNS`."""
    columns: dict[str, Any] = dict(photo)
    return SourceItem(**{name: columns[name] for name in KEY_COLUMNS})


class PictureReader:
    """Reads items one after the other; in the order of the listing, archives and videos are gone through once.

    Args:
        allow_synthetic: Whether pictures that say that a model made them are described as others.
    """

    def __init__(self, allow_synthetic: bool = True) -> None:
        self._allow_synthetic = allow_synthetic
        self._sources = SourceReader()
        self._last: tuple[SourceItem, bytes] | None = None
        self._video: tuple[str, str, FrameReader] | None = None
        self._copies = ExitStack()
        """Closes the video in hand, and deletes its copy if it has one."""

    def __enter__(self) -> PictureReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._sources.close()
        self._close_video()

    def describe(self, item: SourceItem) -> Description:
        """What the index keeps of a picture: its id, its size and whether it has a colour profile; of a generated one
        also that it is rejected, and why.

        Raises:
            StorageError: it cannot be read.
            ImageError: it is no picture.
        """
        if item.frame is not None:
            height, width = self._frame(item).shape[:2]
            return {"image_id": self.image_id(item), "width_px": width, "height_px": height, "icc": False}
        data = self._bytes(item)
        width, height = image_size_px(data)
        image_id, icc = self.image_id(item), has_icc_profile(data)
        found: Description = {"image_id": image_id, "width_px": width, "height_px": height, "icc": icc}
        if not self._allow_synthetic and (mark := is_synthetic(data)) is not None:
            found["status"], found["reason"] = "rejected", f"synthetic ({mark}): --allow-synthetic takes it"
        return found

    def image_id(self, item: SourceItem) -> str | None:
        """sha256 of the bytes; of a frame, see `frame_id`. None if they cannot be read."""
        try:
            return self._id(item)
        except (StorageError, ImageError):
            return None

    def _id(self, item: SourceItem) -> str:
        if item.frame is None:
            return hashlib.sha256(self._bytes(item)).hexdigest()
        return frame_id(self._opened(item.uri)[1], item.frame)

    def pixels(self, item: SourceItem, image_id: str) -> np.ndarray:
        """The picture as RGB, height × width × 3.

        Raises:
            StorageError: it cannot be read, or is not the picture of this id any more.
            ImageError: it is no picture.
        """
        if self._id(item) != image_id:
            raise StorageError(
                f"{item.uri} changed after it was indexed: run prepare again, if need be with --verify-bytes"
            )
        return decode_rgb(self._bytes(item)) if item.frame is None else self._frame(item)

    def _bytes(self, item: SourceItem) -> bytes:
        if self._last is None or self._last[0] is not item:
            self._last = None  # not two pictures in memory at once
            with waiting():
                self._last = (item, self._sources.read(item))
        return self._last[1]

    def _frame(self, item: SourceItem) -> np.ndarray:
        assert item.frame is not None
        return self._opened(item.uri)[2].frame(item.frame)

    def _opened(self, uri: str) -> tuple[str, str, FrameReader]:
        """URI, sha256 and frames of the video in hand."""
        if self._video is None or self._video[0] != uri:
            self._close_video()
            copies = ExitStack()
            with copies:
                with waiting():
                    copy = copies.enter_context(local_copy(uri))
                    # Of the copy that is decoded: to ask for the file once more may give another one.
                    sha256 = file_sha256(copy)
                reader = FrameReader(copy, still_working)
                copies.callback(reader.close)
                self._video = (uri, sha256, reader)
                self._copies = copies.pop_all()
        return self._video

    def _close_video(self) -> None:
        self._video = None
        self._copies.close()


def file_sha256(path: str) -> str:
    """sha256 of a file of this machine, of any size.

    Raises:
        StorageError: it cannot be read.
    """
    digest = hashlib.sha256()
    with storage_errors(path), Path(path).open("rb") as file:
        while block := file.read(_HASHED_AT_ONCE):
            digest.update(block)
    return digest.hexdigest()


def frame_id(video_sha256: str, frame: int) -> str:
    """The id of a video's frame: what decides its pixels, without decoding them."""
    return hashlib.sha256(f"{video_sha256}#{frame}".encode()).hexdigest()
