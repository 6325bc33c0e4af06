"""Generated sets in the forms that trainers read: folders of images, WebDataset shards, Hugging Face Parquet.

Each shard of a table becomes a part, a pure function of its rows, so parts are made in any order by any number of
workers; the index is written last and lists them all. A part that is there is not written again.
"""

from mien.storage.exports.folders import folder_names
from mien.storage.exports.formats import EXPORTS, INDEX_CSV, METADATA_CSV, ExportForm, Picture, index_lines, part_files
from mien.storage.exports.index import FILES, INDEX, WORK, clear_work, finish, is_finished

__all__ = [
    "EXPORTS", "FILES", "INDEX", "INDEX_CSV", "METADATA_CSV", "WORK", "ExportForm", "Picture", "clear_work", "finish",
    "folder_names", "index_lines", "is_finished", "part_files",
]  # fmt: skip
