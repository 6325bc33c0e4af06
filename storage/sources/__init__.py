"""Sources: the pictures that a user points at, wherever they lie.

`listing` puts together what each kind of source gives: `files` (folders, globs, single files), `lists` (CSV or Parquet
with URIs), `archives` (tar, ZIP, WebDataset) and `parquet` (pictures in a column). All give `SourceItem`s, and
`SourceReader` gets the bytes of one. `limits` says how much of anything is read, `policy` where data may lead. Bytes
and tables only: pixels are decoded elsewhere.
"""

from mien.storage.sources.access import local_copy, open_source
from mien.storage.sources.grants import public_specs
from mien.storage.sources.item import KEY_COLUMNS, SourceItem, image_name, is_video
from mien.storage.sources.labels import IdentityFrom, LabelRule
from mien.storage.sources.limits import SourceLimits
from mien.storage.sources.listing import Listing, check_sources, list_images, list_sources
from mien.storage.sources.notes import Note
from mien.storage.sources.policy import SourcePolicy
from mien.storage.sources.reader import SourceReader, read_source, read_text

__all__ = [
    "KEY_COLUMNS",
    "IdentityFrom",
    "LabelRule",
    "Listing",
    "Note",
    "SourceItem",
    "SourceLimits",
    "SourcePolicy",
    "SourceReader",
    "check_sources",
    "image_name",
    "is_video",
    "list_images",
    "list_sources",
    "local_copy",
    "open_source",
    "public_specs",
    "read_source",
    "read_text",
]
