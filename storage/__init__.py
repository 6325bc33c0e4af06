"""Tables of faces under one root: bytes and tables, never pixels.

A reader needs one line:

    storage.open_table("./data", "faces", "demo").to_table()

Writers go `fingerprint → find_shard or write_shard → commit → write_set`: a shard is named by all that decides its
content, a table is visible from its commit on, and a set names the newest versions of its tables. The columns are in
`storage/schemas.py`. Everything here raises StorageError with one line that says what to do.
"""

from storage.errors import MissingError, StorageError
from storage.fingerprints import JSON, fingerprint, source_digest
from storage.roots import Root
from storage.samples import sample_folder
from storage.schemas import Status, TableName
from storage.sets import NamedSet, check_set_name, list_sets, newest_first, read_set, write_set
from storage.sharding import plan_shards
from storage.shards import ShardRef, find_shard, read_shard, write_shard
from storage.sources import (
    KEY_COLUMNS,
    IdentityFrom,
    LabelRule,
    SourceItem,
    SourceReader,
    check_sources,
    image_name,
    list_images,
    local_copy,
    open_source,
    read_source,
    read_text,
)
from storage.tables import Manifest, TableRef, commit, list_manifests, open_table, read_manifest

__all__ = [
    "JSON",
    "KEY_COLUMNS",
    "IdentityFrom",
    "LabelRule",
    "Manifest",
    "MissingError",
    "NamedSet",
    "Root",
    "ShardRef",
    "SourceItem",
    "SourceReader",
    "Status",
    "StorageError",
    "TableName",
    "TableRef",
    "check_set_name",
    "check_sources",
    "commit",
    "find_shard",
    "fingerprint",
    "image_name",
    "list_images",
    "list_manifests",
    "list_sets",
    "local_copy",
    "newest_first",
    "open_source",
    "open_table",
    "plan_shards",
    "read_manifest",
    "read_set",
    "read_shard",
    "read_source",
    "read_text",
    "sample_folder",
    "source_digest",
    "write_set",
    "write_shard",
]
