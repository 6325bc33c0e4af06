"""What marks the pictures of an export beside the mark that each generated picture has from its beginning.

The order is: a face is put back into its photo, the pixels get the watermark, they are encoded with mien's own mark,
the bytes are signed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from mien.model.images.codec import Rgb, decode_rgb
from mien.model.images.credentials import ContentSigner, Origin
from mien.model.images.provenance import SourceType, encode_image, read_provenance
from mien.model.images.watermark import add_watermark, check_watermarking
from mien.storage import source_digest
from mien.storage.rows import TransferRow
from mien.tasks.errors import UsageError
from mien.tasks.export.signer_files import SignerFiles, open_signer, signer_files
from mien.tasks.transfer.settings import OutputSettings

_WATERMARKING = source_digest("mien.model.images.watermark")
_SIGNING = source_digest("mien.model.images.credentials", "mien.model.images.provenance")
"""A folder is not to hold pictures that were marked in two ways."""


@dataclass(frozen=True)
class Marks:
    """The marks of an export."""

    watermark: int | None = None
    """The number that is hidden in the pixels; None hides none."""
    signer: SignerFiles | None = None
    """With what the pictures are signed; None signs none."""

    def about(self) -> dict[str, Any]:
        """What decides an export; of an export without marks nothing, as before there were any."""
        about: dict[str, Any] = {}
        if self.watermark is not None:
            about["watermark"] = {"number": self.watermark, "code": _WATERMARKING}
        if self.signer is not None:
            about["signed"] = {"certificate": self.signer.fingerprint, "code": _SIGNING}
        return about


def marks_of(transfers: str, sign: str | None, watermark: bool, number: int | None) -> Marks:
    """The marks that an export of this table is asked to have, after trying whether this machine can make them.

    Raises:
        UsageError: it cannot.
        WatermarkError: the networks for the watermark are not installed.
    """
    if number is not None and not watermark:
        raise UsageError("--watermark-number is the number of a watermark: give --watermark, too")
    if watermark:
        check_watermarking()
        number = number_of(transfers) if number is None else number
    return Marks(number, None if sign is None else signer_files(sign))


def number_of(transfers: str) -> int:
    """The number for a table of generated faces: of each table another one, but for chance."""
    return int.from_bytes(hashlib.sha256(transfers.encode()).digest()[:2], "big")


@dataclass
class PictureEncoder:
    """Writes the pictures of an export."""

    marks: Marks
    outputs: Mapping[str, OutputSettings]
    """In what form rows are kept, by their column `settings`."""
    edited: bool
    """Whether the pixels are a photo that was edited, not a generated crop."""
    unmarked: int = 0
    """Pictures that could not hold the watermark."""

    @property
    def _source_type(self) -> SourceType:
        return "compositeWithTrainedAlgorithmicMedia" if self.edited else "trainedAlgorithmicMedia"

    def encode(self, row: TransferRow, pixels: Rgb) -> bytes:
        """A picture in the format and quality of the generated faces, with what the row's picture says of itself."""
        marked = self._watermarked(pixels)
        return self._encoded(row, pixels if marked is None else marked)

    def watermarked(self, rows: Sequence[TransferRow]) -> list[TransferRow]:
        """The rows with the watermark in their pictures, if there is to be one."""
        return [self._row(row) for row in rows]

    def _row(self, row: TransferRow) -> TransferRow:
        marked = self._watermarked(decode_rgb(cast(bytes, row["image"]))) if self._has_watermark else None
        return row if marked is None else _with_image(row, self._encoded(row, marked))

    @property
    def _has_watermark(self) -> bool:
        return self.marks.watermark is not None

    def _watermarked(self, pixels: Rgb) -> Rgb | None:
        if self.marks.watermark is None:
            return None
        marked = add_watermark(pixels, self.marks.watermark)
        self.unmarked += marked is None
        return marked

    def _encoded(self, row: TransferRow, pixels: Rgb) -> bytes:
        provenance, output = _own_mark(cast(bytes, row["image"])), self.outputs[row["settings"]]
        return encode_image(pixels, output.image_format, provenance, output.quality, self._source_type)

    def signed(self, rows: Sequence[TransferRow]) -> list[TransferRow]:
        """The rows with their pictures signed, if they are to be.

        Raises:
            RunError: the certificate or the key is not what it was when the export began.
        """
        if self.marks.signer is None:
            return list(rows)
        signer = open_signer(self.marks.signer)
        return [_with_image(row, self._signed(signer, row)) for row in rows]

    def _signed(self, signer: ContentSigner, row: TransferRow) -> bytes:
        data, output = cast(bytes, row["image"]), self.outputs[row["settings"]]
        return signer.sign(data, output.image_format, Origin(self._source_type, _own_mark(data)))


def _own_mark(data: bytes) -> dict[str, str]:
    return {key: value for key, value in read_provenance(data).items() if key != "synthetic"}


def _with_image(row: TransferRow, data: bytes) -> TransferRow:
    return {**row, "image": data, "sha256": hashlib.sha256(data).hexdigest()}
