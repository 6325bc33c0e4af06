"""Sources: the pictures that a user points at, wherever they lie.

Each kind of source is one small reader: `files` (folders, globs, single files, the sample), `lists` (CSV or Parquet
with URIs), `archives` (tar, WebDataset) and `columns` (Parquet with pictures in it). All give `SourceItem`s, and
`SourceReader` gets the bytes of one. Bytes and tables only: frames of videos are chosen and decoded elsewhere.
"""

from mien.storage.sources.access import local_copy, open_source
from mien.storage.sources.item import KEY_COLUMNS, MOST_BYTES, SourceItem, image_name, is_video
from mien.storage.sources.labels import IdentityFrom, LabelRule
from mien.storage.sources.listing import check_sources, list_images
from mien.storage.sources.reader import SourceReader, read_source, read_text

__all__ = [
    "KEY_COLUMNS",
    "MOST_BYTES",
    "IdentityFrom",
    "LabelRule",
    "SourceItem",
    "SourceReader",
    "check_sources",
    "image_name",
    "is_video",
    "list_images",
    "local_copy",
    "open_source",
    "read_source",
    "read_text",
]
