"""Tables of faces under one root: bytes and tables, never pixels.

A reader needs one line:

    storage.open_table("./data", "faces", "demo").to_table()

Writers go `fingerprint → find_good_shard or write_shard → commit → write_set`: a shard is named by all that decides its
content, a table is visible from its commit on, and a set names the newest versions of its tables. The columns are in
`storage/schemas.py`. Everything here raises StorageError with one line that says what to do.
"""

from mien.storage.code_version import source_digest
from mien.storage.errors import (
    ChangedError,
    ContentError,
    DamagedError,
    MissingError,
    OutsideError,
    StorageError,
    TransientError,
)
from mien.storage.fingerprints import JSON, fingerprint
from mien.storage.root import Root
from mien.storage.schemas import Status, TableName
from mien.storage.sets import (
    NamedSet,
    check_set_name,
    forget_version,
    list_sets,
    newest_first,
    read_set,
    read_version,
    roll_back,
    set_history,
    set_names,
    set_version,
    set_versions,
    write_set,
)
from mien.storage.shards import (
    ShardRef,
    check_shard,
    find_good_shard,
    find_shard,
    plan_shards,
    read_shard,
    read_whole_shard,
    write_shard,
)
from mien.storage.sources import (
    KEY_COLUMNS,
    IdentityFrom,
    LabelRule,
    Listing,
    Note,
    SourceItem,
    SourceLimits,
    SourcePolicy,
    SourceReader,
    check_sources,
    image_name,
    list_images,
    list_sources,
    local_copy,
    open_source,
    public_specs,
    read_source,
    read_text,
)
from mien.storage.sources.samples import sample_folder
from mien.storage.tables import Manifest, TableRef, commit, list_manifests, manifest_names, open_table, read_manifest

__all__ = [
    "JSON",
    "KEY_COLUMNS",
    "ChangedError",
    "ContentError",
    "DamagedError",
    "IdentityFrom",
    "LabelRule",
    "Listing",
    "Manifest",
    "MissingError",
    "NamedSet",
    "Note",
    "OutsideError",
    "Root",
    "ShardRef",
    "SourceItem",
    "SourceLimits",
    "SourcePolicy",
    "SourceReader",
    "Status",
    "StorageError",
    "TableName",
    "TableRef",
    "TransientError",
    "check_set_name",
    "check_shard",
    "check_sources",
    "commit",
    "find_good_shard",
    "find_shard",
    "fingerprint",
    "forget_version",
    "image_name",
    "list_images",
    "list_manifests",
    "list_sets",
    "list_sources",
    "local_copy",
    "manifest_names",
    "newest_first",
    "open_source",
    "open_table",
    "plan_shards",
    "public_specs",
    "read_manifest",
    "read_set",
    "read_shard",
    "read_source",
    "read_text",
    "read_version",
    "read_whole_shard",
    "roll_back",
    "sample_folder",
    "set_history",
    "set_names",
    "set_version",
    "set_versions",
    "source_digest",
    "write_set",
    "write_shard",
]
