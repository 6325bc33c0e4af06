"""export_faces: a generated set in the form that a trainer reads."""

from __future__ import annotations

from dataclasses import dataclass

from prefect import flow, unmapped

from mien.storage import Root, read_manifest
from mien.storage.exports import ExportForm
from mien.tasks.errors import checking_arguments
from mien.tasks.export.export import ExportSettings, finish_export, finished, people_of, start_export, transfers_of
from mien.tasks.export.steps import export_part
from mien.tasks.runtime.fan_out import results, shard_threads
from mien.tasks.runtime.workers import work_progress, worker_pool


@dataclass(frozen=True)
class Exported:
    """Where an export lies."""

    uri: str
    pictures: int | None
    """None if it was there before."""
    left_out: tuple[str, ...] = ()
    """Why a face is not there, for each that could not be pasted back."""


@flow(name="export-faces", flow_run_name="export {data} as {form}", task_runner=shard_threads())
def export_faces(
    data: str,
    out: str,
    form: ExportForm = "images",
    root: str = "./data",
    paste_back: bool = False,
    rejected: bool = False,
    workers: int | None = None,
) -> Exported:
    """Write a generated set as folders of images, WebDataset shards or Hugging Face Parquet.

    Args:
        data: Generated set.
        out: Empty folder or URL to write to; an export of the same set goes on there.
        form: images, webdataset or huggingface.
        root: Where the tables lie: a folder or any fsspec URL such as s3://bucket/prefix.
        paste_back: Put each face back into the photo of its source, at the photo's resolution.
        rejected: Write rejected faces, too, if their pixels were kept.
        workers: Worker processes; one per core if empty.
    """
    place, settings = Root(root), ExportSettings(form, rejected, paste_back)
    with checking_arguments():
        there = Root(out)
        transfers = transfers_of(place, data)
    if finished(there, transfers, settings):
        return Exported(there.url, None)
    start_export(there, transfers, settings)
    manifest, folders = read_manifest(place, "transfers", transfers), people_of(place, transfers)
    with worker_pool(workers), work_progress("export", manifest.rows, "faces"):
        shards = [shard.fingerprint for shard in manifest.shards]
        fixed = [unmapped(value) for value in (transfers, there, folders, settings)]
        parts = results(export_part.map(unmapped(place), range(len(shards)), shards, *fixed))
    left_out = tuple(why for part in parts for why in part["left_out"])
    return Exported(there.url, finish_export(there, transfers, settings, parts), left_out)


def outcome(done: Exported) -> str:
    """One line for users."""
    if done.pictures is None:
        return f"{done.uri} holds it already"
    without = f"; {len(done.left_out)} faces left out, e.g. {done.left_out[0]}" if done.left_out else ""
    return f"{done.pictures} pictures in {done.uri}{without}"
