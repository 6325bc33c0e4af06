"""export_faces: a generated set in the form that a trainer reads."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Annotated

from prefect import unmapped

from mien.flows.parameters import MARKS, ROOT, RootUrl, SetName, SignerPaths, Text, WatermarkNumber, Workers
from mien.flows.result import FlowResult, as_rows
from mien.flows.scrubbed_flow import flow
from mien.storage import Root, read_manifest
from mien.storage.exports import ExportForm, clear_work
from mien.storage.outputs import note_output
from mien.tasks.errors import checking_arguments
from mien.tasks.export.export import (
    ExportSettings,
    finish_export,
    finished,
    people_of,
    start_export,
    transfers_of,
)
from mien.tasks.export.marks import Marks, marks_of
from mien.tasks.export.part_source import part_sources
from mien.tasks.export.steps import export_part
from mien.tasks.runtime.fan_out import results, shard_threads
from mien.tasks.runtime.workers import work_progress, worker_pool


@dataclass(frozen=True)
class ExportedFaces(FlowResult):
    """Where an export lies."""

    uri: str
    pictures: int | None
    """None if it was there before."""
    left_out: tuple[str, ...] = ()
    """Why a face is not there, for each that could not be pasted back."""
    marks: Marks = field(default_factory=Marks)
    unmarked: int = 0
    """Pictures that could not hold the watermark."""

    def lines(self) -> list[str]:
        if self.pictures is None:
            return [f"{self.uri} holds it already", *self._marks()]
        without = f"; {len(self.left_out)} faces left out, e.g. {self.left_out[0]}" if self.left_out else ""
        return [f"{self.pictures} pictures in {self.uri}{without}", *self._marks()]

    def _marks(self) -> list[str]:
        lines: list[str] = []
        if self.marks.watermark is not None:
            without = f"; {self.unmarked} pictures are too small or too plain to hold it" if self.unmarked else ""
            lines.append(f"watermark: the number {self.marks.watermark}{without}")
        if self.marks.signer is not None:
            lines.append(f"signed with the certificate {self.marks.signer.fingerprint[:16]}")
        return lines

    def report(self) -> str:
        reasons = Counter(self.left_out).most_common()
        return "\n\n".join([*self.lines(), *([as_rows(["left out", "faces"], reasons)] if reasons else [])])


def check_arguments(
    *, set: str, root: str, out: str, sign: str | None, watermark: bool, watermark_number: int | None
) -> None:
    """Raises UsageError if these cannot be right. Cheap: it runs before any server or worker starts."""
    with checking_arguments():
        Root(out)
        transfers = transfers_of(Root(root), set)
        marks_of(transfers, sign, watermark, watermark_number)


@flow(name="export-faces", flow_run_name="export {set} as {format}", task_runner=shard_threads())
def export_faces(
    *,
    set: SetName,
    out: Text,
    root: RootUrl = ROOT,
    format: ExportForm = "images",
    paste_back: bool = False,
    rejected: bool = False,
    sign: Annotated[SignerPaths | None, MARKS] = None,
    watermark: Annotated[bool, MARKS] = False,
    watermark_number: Annotated[WatermarkNumber | None, MARKS] = None,
    workers: Workers = None,
) -> ExportedFaces:
    """Write a generated set in the form that a trainer reads.

    Args:
        set: Generated set.
        out: Empty folder or URL to write to; an export of the same set goes on there.
        root: Where the tables lie: a folder or any fsspec URL such as s3://bucket/prefix.
        format: images is a folder per split and person with metadata.csv (load_dataset imagefolder), webdataset tar
            shards per split, huggingface Parquet for datasets.load_dataset.
        paste_back: Put each face back into the photo of its source, at the photo's resolution.
        rejected: Write rejected faces, too, if their pixels were kept.
        sign: Add signed content credentials (C2PA): CERT,KEY, the paths of the certificate chain and of its private
            key, both PEM, where the workers find them.
        watermark: Hide a number in the pixels that mien mark finds again. Not for training data: networks learn the
            mark.
        watermark_number: The number to hide; one that follows from the generated set if empty.
        workers: Worker processes; one per core if empty.
    """
    with checking_arguments():
        opened_root, out_root = Root(root), Root(out)
        transfers = transfers_of(opened_root, set)
        marks = marks_of(transfers, sign, watermark, watermark_number)
    settings = ExportSettings(format, rejected, paste_back, marks)
    if finished(out_root, transfers, settings):
        clear_work(out_root)  # of one that was killed right at the end
        return ExportedFaces(out_root.url, None, marks=marks)
    note_output(opened_root, "export", out_root, transfers)
    start_export(out_root, transfers, settings)
    manifest, folders = read_manifest(opened_root, "transfers", transfers), people_of(opened_root, transfers)
    with worker_pool(workers), work_progress("export", manifest.rows, "faces"):
        fixed = [unmapped(value) for value in (transfers, out_root, folders, settings)]
        parts = results(export_part.map(unmapped(opened_root), part_sources(opened_root, transfers), *fixed))
    left_out = tuple(reason for part in parts for reason in part["left_out"])
    unmarked = sum(part["unmarked"] for part in parts)
    pictures = finish_export(out_root, transfers, settings, parts)
    return ExportedFaces(out_root.url, pictures, left_out, marks, unmarked)
