"""Files and folders of a local root are the user's alone: they hold photos and embeddings of faces.

What is created has the modes 0700 and 0600. `MIEN_SHARED_ROOT=1` leaves them to the umask, for a root that a group
works in. The mode of a folder or file that is there already is never changed.
"""

from __future__ import annotations

import os
from pathlib import Path

SHARED_VARIABLE = "MIEN_SHARED_ROOT"


def is_shared() -> bool:
    """Whether the user has asked for a root that others may read."""
    return os.environ.get(SHARED_VARIABLE, "") not in ("", "0")


def make_folder(folder: Path) -> None:
    """Makes the folder and those above it, where they are missing."""
    if folder.is_dir():
        return
    if is_shared():
        folder.mkdir(parents=True, exist_ok=True)
        return
    make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)


def private_opener(path: str, flags: int) -> int:
    """For `open`: a file that is made is the user's alone."""
    return os.open(path, flags, 0o666 if is_shared() else 0o600)


def make_private() -> None:
    """The same for whatever this process and its children write by other libraries: MLflow's files, checkpoints."""
    if not is_shared():
        os.umask(os.umask(0o077) | 0o077)
