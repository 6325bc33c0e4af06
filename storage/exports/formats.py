"""A part of an export: the files that the pictures of one shard become, as bytes."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import pyarrow as pa
import pyarrow.parquet as pq

from mien.storage.schemas import TRANSFERS

ExportForm = Literal["images", "webdataset", "huggingface"]
EXPORTS: tuple[ExportForm, ...] = get_args(ExportForm)

SPLITS = {"train": "train", "val": "validation", "test": "test"}
"""Names of the splits for `datasets`."""

INDEX_CSV = "index.csv"
"""Of all pictures of an export, with their labels as the tables have them."""
METADATA_CSV = "metadata.csv"
"""Of the pictures of a split, for `load_dataset("imagefolder", data_dir=...)`."""
MISSING_TEXT = "none"
"""What stands in metadata.csv for a text that is missing."""

_FIRST = ("identity", "expression", "expression_group", "split", "synthetic", "licence", "consent", "output_id")
_NOT_EXPORTED = {"image", "image_format", "uri", "failure", "found_landmarks_xy"}
"""The picture itself, where else it lies, what is null for each row that has a picture, and what is no single value."""
_LISTS = ("further_source_ids", "further_image_ids")
"""Columns of several ids, which become one text with blanks between them."""
_OF_ROWS = {"expression_group": pa.string()} | {
    field.name: pa.string() if field.name in _LISTS else field.type for field in TRANSFERS
}

COLUMNS: dict[str, pa.DataType] = {name: _OF_ROWS[name] for name in _FIRST} | {
    name: kind for name, kind in _OF_ROWS.items() if name not in _NOT_EXPORTED
}
"""What goes with each picture: the columns of `transfers`, and `expression_group` of its pair."""


@dataclass(frozen=True)
class Picture:
    """A picture and what is known of it."""

    data: bytes
    suffix: str
    """With its dot."""
    folder: str
    """Of its person."""
    labels: Mapping[str, Any]
    """With the keys of `COLUMNS`."""

    @staticmethod
    def of(data: bytes, suffix: str, folder: str, columns: Mapping[str, Any]) -> Picture:
        """With its labels from the columns of `transfers` and the group of its pair."""
        labels = {name: columns[name] for name in COLUMNS}
        return Picture(data, suffix, folder, labels | {name: " ".join(columns[name] or ()) or None for name in _LISTS})

    @property
    def name(self) -> str:
        """Of the file; unlike all others."""
        return f"{self.labels['output_id']}{self.suffix}"


def split_folder(split: str | None) -> str:
    """The name of a split in an export."""
    return SPLITS.get(str(split), str(split))


def part_files(form: ExportForm, number: int, pictures: Sequence[Picture]) -> Iterator[tuple[str, bytes]]:
    """(path, bytes) of the files of a part. The same pictures give the same bytes."""
    if form == "images":
        yield from ((_path(form, number, picture), picture.data) for picture in pictures)
        return
    pack = _tar if form == "webdataset" else _parquet
    for path in sorted({_path(form, number, picture) for picture in pictures}):
        yield path, pack([picture for picture in pictures if _path(form, number, picture) == path])


def _path(form: ExportForm, number: int, picture: Picture) -> str:
    """Where a picture lies: a file of its own, or the file that holds it."""
    split = split_folder(picture.labels["split"])
    match form:
        case "images":
            return f"{split}/{picture.folder}/{picture.name}"
        case "webdataset":
            return f"{split}-{number:06d}.tar"
        case "huggingface":
            return f"data/{split}-{number:06d}.parquet"


def index_lines(form: ExportForm, number: int, pictures: Sequence[Picture]) -> dict[str, str]:
    """The lines, without a head, that the pictures of a part are in index.csv and in each metadata.csv, by its path."""
    lines = {INDEX_CSV: _lines((_path(form, number, p), [p.labels[name] for name in COLUMNS]) for p in pictures)}
    if form == "images":
        for split in sorted({split_folder(picture.labels["split"]) for picture in pictures}):
            of_split = [picture for picture in pictures if split_folder(picture.labels["split"]) == split]
            lines[f"{split}/{METADATA_CSV}"] = _lines(
                (f"{p.folder}/{p.name}", [_inferable(name, p.labels[name]) for name in COLUMNS]) for p in of_split
            )
    return lines


def _lines(rows: Iterable[tuple[str, Sequence[Any]]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([path, *values] for path, values in rows)
    return text.getvalue()


def head_csv(path: str) -> str:
    """The head of such lines."""
    first = "path" if path == INDEX_CSV else "file_name"
    return ",".join([first, *COLUMNS]) + "\n"


def _inferable(column: str, value: Any) -> Any:
    """A value for readers that infer the type of a column from the values, and miss empty ones.

    `datasets` refuses metadata whose columns have one type in one split and another in the next. So no text is left
    empty, and none looks like a number, a truth value or a missing value.
    """
    if COLUMNS[column] != pa.string():
        return value
    if value is None:
        return MISSING_TEXT
    text = str(value)
    return f"_{text}" if text == MISSING_TEXT or _looks_like_no_text(text) else text


def _looks_like_no_text(text: str) -> bool:
    # The words are those that pandas takes for missing values.
    if text.strip().lower() in {"", "true", "false", "na", "n/a", "#n/a", "#na", "#n/a n/a", "null", "none", "<na>"}:
        return True
    try:
        float(text.strip().lstrip("+-").replace("#", ""))  # nan and inf, too, in all their spellings
    except ValueError:
        return False
    return True


def _tar(pictures: Sequence[Picture]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for picture in pictures:
            key = str(picture.labels["output_id"])
            for name, data in (
                (f"{key}{picture.suffix}", picture.data),
                (f"{key}.json", json.dumps(dict(picture.labels), sort_keys=True).encode()),
            ):
                member = tarfile.TarInfo(name)  # no time, no owner: the same pictures, the same bytes
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def _parquet(pictures: Sequence[Picture]) -> bytes:
    image = pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())])
    schema = pa.schema([pa.field("image", image), *(pa.field(name, kind) for name, kind in COLUMNS.items())])
    features = {"image": {"_type": "Image"}} | {
        name: {"dtype": "float32" if kind == pa.float32() else str(kind), "_type": "Value"}
        for name, kind in COLUMNS.items()
    }
    features_json = json.dumps({"info": {"features": features}})
    rows = [{"image": {"bytes": p.data, "path": p.name}, **{n: p.labels[n] for n in COLUMNS}} for p in pictures]
    table = pa.Table.from_pylist(rows, schema=schema.with_metadata({"huggingface": features_json}))
    sink = pa.BufferOutputStream()
    # `datasets` reads whole row groups: small ones keep random access to pictures quick.
    options: Any = {"compression": "zstd", "row_group_size": 100}
    pq.write_table(table, sink, **options)
    return sink.getvalue().to_pybytes()
