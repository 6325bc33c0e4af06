"""Generated faces out of their table, in the form that a trainer reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

from mien.model.images.provenance import SUFFIXES
from mien.storage import MissingError, Root, read_manifest, read_set, read_shard, source_digest
from mien.storage.artefacts import (
    EXPORT_BEGUN,
    EXPORT_INDEX,
    EXPORT_PARTS,
    DamagedError,
    json_artefact,
    keep,
    load,
    read,
)
from mien.storage.exports import ExportForm, Picture, finish, folder_names, index_lines, is_finished, part_files
from mien.storage.rows import TransferRow
from mien.tasks.errors import RunError, UsageError
from mien.tasks.export.marks import Marks, PictureEncoder
from mien.tasks.export.part_source import PartSource, expression_groups
from mien.tasks.export.paste_back import paste_rows
from mien.tasks.runtime.workers import in_worker, tick
from mien.tasks.transfer.settings import OutputSettings, settings_of_row

_PASTING = source_digest("mien.tasks.export.paste_back")
"""A folder is not to hold faces that were put back in two ways."""

LAYOUT = 3
"""Raised with each change of names or columns: a folder is not to hold files of two layouts."""


@dataclass(frozen=True)
class ExportSettings:
    """What is exported, and how."""

    form: ExportForm = "images"
    rejected: bool = False
    """Rejected faces too, if their pixels were kept."""
    paste_back: bool = False
    """Into the photo that the source was found in, at its own resolution."""
    marks: Marks = field(default_factory=Marks)


class ExportedPart(TypedDict):
    """A part that is written: a killed export goes on after it."""

    rows: int
    pictures: int
    left_out: list[str]
    """Why, for each face that could not be pasted back."""
    unanswered: int
    """Of these, those whose photo the next run asks for again."""
    unmarked: int
    """Pictures that could not hold the watermark."""
    splits: dict[str, int]
    """Pictures by split."""
    index: dict[str, str]
    """Lines of index.csv and of each metadata.csv, by path."""


_INDEX, _BEGUN = json_artefact(EXPORT_INDEX, dict[str, Any]), json_artefact(EXPORT_BEGUN, dict[str, Any])
_PART = json_artefact(EXPORT_PARTS, ExportedPart)


def transfers_of(root: Root, name: str) -> str:
    """Fingerprint of the generated faces of a set.

    Raises:
        UsageError: it has none.
    """
    tables = read_set(root, name).tables
    if "transfers" not in tables:
        raise UsageError(f"the set {name!r} holds no generated faces: mien augment makes one")
    return tables["transfers"]


def people_of(root: Root, transfers: str) -> dict[str, str]:
    """The folder of each person of a table; people without a label are named by their photo."""
    shards = read_manifest(root, "transfers", transfers).shards
    labels: set[str] = set()
    for shard in shards:
        rows = read_shard(root, "transfers", shard.fingerprint, ["identity", "source_image_id"]).to_pylist()
        labels |= {_person(row) for row in rows}
    return folder_names(labels)


def _person(row: TransferRow) -> str:
    return row["identity"] or f"unlabelled {(row['source_image_id'] or 'photo')[:16]}"


def about_export(transfers: str, settings: ExportSettings) -> dict[str, Any]:
    """What decides an export."""
    pasted = settings.paste_back and _PASTING
    return {
        "transfers": transfers,
        "form": settings.form,
        "rejected": settings.rejected,
        "pasted": pasted,
        "layout": LAYOUT,
        **settings.marks.about(),
    }


def finished(out: Root, transfers: str, settings: ExportSettings) -> bool:
    """Whether it is there already, whole."""
    return is_finished(out, about_export(transfers, settings))


def start_export(out: Root, transfers: str, settings: ExportSettings) -> None:
    """Claims the folder.

    Raises:
        UsageError: another export lies there, or one was begun.
    """
    about = about_export(transfers, settings)
    for artefact in (_INDEX, _BEGUN):
        try:
            found = read(out, artefact, "")
        except MissingError:
            continue
        except DamagedError as error:  # it could be of another export
            raise UsageError(f"{error}: empty the folder and export again") from error
        if found.get("about") != about:
            raise UsageError(f"{out.url} holds another export: choose an empty folder")
    keep(out, _BEGUN, "", {"about": about})


def export_part(
    root: Root, source: PartSource, transfers: str, out: Root, folders: dict[str, str], settings: ExportSettings
) -> ExportedPart:
    """Writes the part of one shard; how many pictures it has of which split. One that is written is left alone."""
    done = load(out, _PART, source.name)
    if done is None:
        return in_worker(_export, root, source, transfers, out, folders, settings)
    tick(done["rows"])
    return done


def _export(
    root: Root, source: PartSource, transfers: str, out: Root, folders: dict[str, str], settings: ExportSettings
) -> ExportedPart:
    rows: list[TransferRow] = read_shard(root, "transfers", source.shard).to_pylist()
    chosen = [row for row in rows if row["image"] and (row["status"] == "ok" or settings.rejected)]
    left_out: list[TransferRow] = []
    to_tick = len(rows)
    encodes = settings.paste_back or settings.marks != Marks()
    outputs = _outputs(root, transfers, chosen) if encodes else {}
    encoder = PictureEncoder(settings.marks, outputs, settings.paste_back)
    if settings.paste_back:
        pasted = paste_rows(root, transfers, chosen, encoder.encode)
        to_tick -= len(pasted)
        left_out = [row for row in pasted if not row["image"]]
        chosen = [row for row in pasted if row["image"]]
    else:
        chosen = encoder.watermarked(chosen)
    chosen = encoder.signed(chosen)
    groups = expression_groups(root, source, [row["pair_id"] for row in chosen])
    pictures = [_picture(row, folders, groups) for row in {row["output_id"]: row for row in chosen}.values()]
    for path, data in part_files(settings.form, source.number, pictures):
        out.write_bytes(path, data)
    splits: dict[str, int] = {}
    for picture in pictures:
        split = str(picture.labels["split"])
        splits[split] = splits.get(split, 0) + 1
    done: ExportedPart = {
        "rows": len(rows),
        "pictures": len(pictures),
        "left_out": [str(row["reason"]) for row in left_out],
        "unanswered": sum(row["failure"] == "source" for row in left_out),
        "unmarked": encoder.unmarked,
        "splits": splits,
        "index": index_lines(settings.form, source.number, pictures),
    }
    if not done["unanswered"]:  # else the next run makes this part again
        keep(out, _PART, source.name, done)
    tick(to_tick)
    return done


def _outputs(root: Root, transfers: str, rows: Sequence[TransferRow]) -> dict[str, OutputSettings]:
    about = read_manifest(root, "transfers", transfers).about
    return {name: settings_of_row(about, name).output for name in {row["settings"] for row in rows}}


def _picture(row: TransferRow, folders: dict[str, str], groups: dict[str, str | None]) -> Picture:
    columns: dict[str, Any] = {"expression_group": groups[row["pair_id"]], **row}
    suffix = SUFFIXES[columns["image_format"]]
    return Picture.of(columns["image"], suffix, folders[_person(row)], columns)


def finish_export(out: Root, transfers: str, settings: ExportSettings, parts: Sequence[ExportedPart]) -> int:
    """Writes the index; the number of pictures.

    Raises:
        RunError: photos could not be read. The pictures of the others are there, without an index.
    """
    check_answered(out, parts)
    finish(out, settings.form, about_export(transfers, settings), parts, [part["index"] for part in parts])
    return sum(part["pictures"] for part in parts)


def check_answered(out: Root, parts: Sequence[ExportedPart]) -> None:
    """Raises RunError where an export lacks faces whose photos may be read another time: it must not look whole."""
    unanswered, pictures = (sum(part[key] for part in parts) for key in ("unanswered", "pictures"))
    if not unanswered:
        return
    example = next(reason for part in parts if part["unanswered"] for reason in part["left_out"])
    raise RunError(
        f"{out.url} is not finished: {unanswered} of {pictures + unanswered} faces are left out, since their photos "
        f"could not be read (e.g. {example}). Run the same command again when they can: it completes the export"
    )
