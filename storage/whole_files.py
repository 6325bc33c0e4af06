"""Files of a local folder that appear whole or not at all, whatever ends the process."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from mien.storage.private import make_folder, private_opener


def replace_file(path: Path, data: bytes) -> None:
    """Writes the file instead of what has its name."""
    with _written_beside(path, data) as temporary:
        os.replace(temporary, path)


def create_file(path: Path, data: bytes) -> bool:
    """Writes the file unless there is one; whether it was written. Of several writers at once exactly one gets True."""
    with _written_beside(path, data) as temporary:
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        except OSError:  # a filesystem without links; then the content may be seen half written for a moment
            try:
                with open(path, "xb", opener=private_opener) as file:
                    file.write(data)
            except FileExistsError:
                return False
        return True


@contextmanager
def _written_beside(path: Path, data: bytes) -> Generator[Path, None, None]:
    """A whole file under another name in the same folder, gone when the block ends."""
    make_folder(path.parent)
    # Hidden, so that what a killed process leaves behind is never listed; unique, since two may write at once.
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        with open(temporary, "xb", opener=private_opener) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # else the name could outlive a power cut that the content does not
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
