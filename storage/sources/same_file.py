"""Whether what is written would replace a source."""

from __future__ import annotations

import os
from contextlib import suppress

from fsspec.implementations.local import LocalFileSystem

from mien.storage.root import open_url
from mien.storage.sources.access import is_near
from mien.storage.sources.grants import whole_url
from mien.storage.sources.http import is_http
from mien.storage.sources.local import local_path
from mien.storage.sources.samples import SCHEME, sample_path


def replaces(out: str, source: str) -> bool:
    """Whether a write to `out` (a path or fsspec URL) would replace a source, also by links or another spelling.

    Raises:
        StorageError: one of them cannot be a file.
    """
    filesystem, path = open_url(out)
    if isinstance(filesystem, LocalFileSystem):
        if source.startswith(SCHEME):
            return _is_same(path, str(sample_path(source)))
        return is_near(source) and _is_same(path, local_path(source))
    if source.startswith(SCHEME) or is_near(source) or is_http(source):
        return False
    others, other_path = open_url(whole_url(source))
    return type(filesystem) is type(others) and path == other_path


def _is_same(one: str, other: str) -> bool:
    with suppress(OSError):  # one that is not there yet has a name alone
        if os.path.samefile(one, other):
            return True
    return os.path.realpath(one) == os.path.realpath(other)
