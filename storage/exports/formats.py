"""A part of an export: the files that the pictures of one shard become, as bytes."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import pyarrow as pa
import pyarrow.parquet as pq

ExportForm = Literal["images", "webdataset", "huggingface"]
EXPORTS: tuple[ExportForm, ...] = get_args(ExportForm)

SPLITS = {"train": "train", "val": "validation", "test": "test"}
"""Names of the splits for `datasets`."""

COLUMNS: dict[str, pa.DataType] = {
    "identity": pa.string(),
    "expression": pa.string(),
    "split": pa.string(),
    "synthetic": pa.bool_(),
    "licence": pa.string(),
    "consent": pa.string(),
    "output_id": pa.string(),
    "source_image_id": pa.string(),
    "driver_image_id": pa.string(),
    "model_uri": pa.string(),
    "model_sha256": pa.string(),
    "identity_similarity": pa.float32(),
    "driver_similarity": pa.float32(),
    "expression_error": pa.float32(),
    "status": pa.string(),
    "reason": pa.string(),
}
"""What goes with each picture."""


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

    @property
    def name(self) -> str:
        """Of the file; unlike all others."""
        return f"{self.labels['output_id']}{self.suffix}"


def part_files(form: ExportForm, number: int, pictures: Sequence[Picture]) -> Iterator[tuple[str, bytes]]:
    """(path, bytes) of the files of a part. The same pictures give the same bytes."""
    match form:
        case "images":
            yield from ((f"images/{picture.folder}/{picture.name}", picture.data) for picture in pictures)
        case "webdataset":
            if pictures:
                yield f"part-{number:06d}.tar", _tar(pictures)
        case "huggingface":
            for split in sorted({str(picture.labels["split"]) for picture in pictures}):
                of_split = [picture for picture in pictures if str(picture.labels["split"]) == split]
                yield f"data/{SPLITS.get(split, split)}-{number:06d}.parquet", _parquet(of_split)


def rows_csv(pictures: Sequence[Picture]) -> bytes:
    """A line for each picture: its path and labels, without a head."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for picture in pictures:
        writer.writerow([f"images/{picture.folder}/{picture.name}", *(picture.labels[name] for name in COLUMNS)])
    return text.getvalue().encode("utf-8", "surrogateescape")


def head_csv() -> bytes:
    """The head of such lines."""
    return (",".join(["path", *COLUMNS]) + "\n").encode()


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
        name: {
            "dtype": "bool" if kind == pa.bool_() else "float32" if kind == pa.float32() else "string",
            "_type": "Value",
        }
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
