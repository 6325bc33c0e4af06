"""The file that one transfer is written to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mien.model.images.provenance import encode_image, format_of
from mien.storage import Root
from mien.storage.sources.same_file import replaces
from mien.tasks.errors import UsageError
from mien.tasks.generator.weights import RegisteredModel


def check_output(out: str, photos: Sequence[str]) -> None:
    """Whether `out` can be written: in a known format, and over none of the photos.

    Raises:
        UsageError: it is one of the photos, by whatever name.
        ImageError: no known format has its suffix.
        StorageError: it cannot be a file.
    """
    format_of(out)
    for photo in photos:
        if replaces(out, photo):
            raise UsageError(f"{out} is the photo {photo} itself: name another file to write")


def write_output(out: str, image: np.ndarray, generator: RegisteredModel) -> None:
    """Writes what the suffix of `out` says (`image` is RGB, uint8), with what made it.

    Raises:
        StorageError: it cannot be written.
    """
    provenance = {"generator": generator.uri, "weights": generator.sha256}
    folder, separator, name = out.rpartition("/")
    Root(folder or separator or ".").write_bytes(name, encode_image(image, format_of(out), provenance))
