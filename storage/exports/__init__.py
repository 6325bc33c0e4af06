"""Generated sets in the forms that trainers read: folders of images, WebDataset shards, Hugging Face Parquet.

Each shard of a table becomes a part, a pure function of its rows, so parts are made in any order by any number of
workers; the index is written last and lists them all. A part that is there is not written again.
"""

from mien.storage.exports.folders import folder_names
from mien.storage.exports.formats import EXPORTS, ExportForm, Picture, part_files
from mien.storage.exports.index import INDEX, finish, is_finished

__all__ = ["EXPORTS", "INDEX", "ExportForm", "Picture", "finish", "folder_names", "is_finished", "part_files"]
