"""Tombstones: what tells a forgotten photo when it comes again, and nothing else of it.

    tombstones/{forgetting}.json    {"on": day, "photos": [mark, …], "frames": [[number, mark], …]}

A mark is a hash of an image id, so that only who has the photo itself can find it. Of a video each forgotten frame
has a number besides: if one is found again, no frame of that video is taken.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mien.storage.errors import MissingError, StorageError
from mien.storage.root import Root

FOLDER = "tombstones"


@dataclass(frozen=True)
class Tombstones:
    """All of a root."""

    photos: Mapping[str, str] = field(default_factory=dict[str, str])
    """Day by mark."""
    frames: Mapping[int, Mapping[str, str]] = field(default_factory=dict[int, dict[str, str]])
    """The same for frames of videos, by the frame's number."""

    def __bool__(self) -> bool:
        return bool(self.photos)


def mark_of(image_id: str) -> str:
    """The mark of a photo."""
    return hashlib.sha256(f"forgotten\n{image_id}".encode()).hexdigest()


def read_tombstones(root: Root) -> Tombstones:
    """All tombstones of a root.

    Raises:
        StorageError: a file is damaged. It must not be taken for none: what was forgotten would come back.
    """
    photos: dict[str, str] = {}
    frames: dict[int, dict[str, str]] = {}
    for name in root.list(FOLDER):
        path = f"{FOLDER}/{name}"
        try:
            content = json.loads(root.read_bytes(path))
            photos |= dict.fromkeys(content["photos"], str(content["on"]))
            for number, mark in content["frames"]:
                frames.setdefault(int(number), {})[mark] = str(content["on"])
        except MissingError:
            continue
        except (ValueError, KeyError, TypeError) as error:
            raise StorageError(f"{root.uri(path)} is damaged: restore it from a backup, or forget again") from error
    return Tombstones(photos, frames)


def write_tombstone(root: Root, name: str, day: str, photos: Iterable[tuple[str, int | None]]) -> str:
    """Writes the marks of photos (image id, and number of the frame in a video); returns the path."""
    path = f"{FOLDER}/{name}.json"
    marks = sorted((mark_of(image_id), frame) for image_id, frame in photos)
    content = {
        "on": day,
        "photos": [mark for mark, _ in marks],
        "frames": [[frame, mark] for mark, frame in marks if frame is not None],
    }
    root.write_bytes(path, json.dumps(content, indent=1).encode())
    return path


def forgotten_on(tombstones: Tombstones, image_id: str | None) -> str | None:
    """The day on which a photo was forgotten; None where it was not."""
    return None if image_id is None else tombstones.photos.get(mark_of(image_id))
