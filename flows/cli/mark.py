"""`mien mark`: which marks of generated media a picture has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mien.flows.parameters import RootUrl, Text
from mien.flows.result import FlowResult
from mien.model.errors import CredentialsError, ImageError, WatermarkError
from mien.model.images.codec import decode_rgb
from mien.model.images.credentials import read_credentials
from mien.model.images.provenance import is_synthetic, read_provenance
from mien.model.images.watermark import find_watermark
from mien.storage import Root, read_source
from mien.tasks.errors import UsageError, checking_arguments
from mien.tasks.export.known_marks import known_numbers


@dataclass(frozen=True)
class MarksFound(FlowResult):
    """What was found in pictures."""

    text: tuple[str, ...]
    invalid: int
    """Pictures whose content credentials do not hold."""

    def lines(self) -> list[str]:
        return list(self.text)

    @property
    def ok(self) -> bool:
        return not self.invalid


def show_marks(pictures: list[Text], *, root: RootUrl | None = None, trust: Text | None = None) -> MarksFound:
    """Say which marks pictures have: mien's, credentials, a watermark; exit code 1 if credentials do not hold.

    Args:
        pictures: Files or URLs.
        root: Root whose sets and exports are looked for: their watermarks are found in pictures that are damaged more.
        trust: File with certificates of authorities (PEM); credentials from them are called trusted.
    """
    with checking_arguments():
        known = None if root is None else known_numbers(Root(root))
    anchors = None if trust is None else _anchors(trust)
    lines: list[str] = []
    invalid = 0
    for picture in pictures:
        with checking_arguments():
            data = read_source(picture)
        try:
            credentials, holds = _credentials(data, anchors)
            marks = {"mien's mark": _own_mark(data), "credentials": credentials, "watermark": _watermark(data, known)}
        except ImageError as error:
            raise UsageError(f"{picture}: {error}") from error
        invalid += not holds
        lines += [picture, *(f"  {what:<12} {found}" for what, found in marks.items())]
    return MarksFound(tuple(lines), invalid)


def _anchors(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii")
    except (OSError, ValueError) as error:
        raise UsageError(f"--trust: {path} is no readable file of certificates in PEM") from error


def _own_mark(data: bytes) -> str:
    provenance = read_provenance(data)
    if "synthetic" not in provenance:
        return f"none; the picture says that it is generated ({term})" if (term := is_synthetic(data)) else "none"
    return ", ".join(f"{key} {value}" for key, value in provenance.items() if key != "synthetic") or "generated"


def _credentials(data: bytes, anchors: str | None) -> tuple[str, bool]:
    """What they say, and whether they hold; there may be none."""
    try:
        found = read_credentials(data, anchors)
    except CredentialsError as error:
        return f"not looked for: {error}", True
    if found is None:
        return "none", True
    state = {
        "trusted": "trusted: the picture is as it was signed",
        "valid": "valid: the picture is as it was signed, by a signer of no authority that is trusted here",
        "invalid": f"NOT VALID ({', '.join(found.problems) or 'the library names no reason'})",
    }[found.state]
    return f"{state}; signer {found.signer}; {', '.join((found.generator, *found.actions))}", found.state != "invalid"


def _watermark(data: bytes, known: Mapping[int, list[str]] | None) -> str:
    try:
        pixels = decode_rgb(data)
        found, sure = find_watermark(pixels), "the number"
        if found is None and known:
            found, sure = find_watermark(pixels, frozenset(known)), "probably the number"
    except (ImageError, WatermarkError) as error:
        return f"not looked for: {error}"
    if found is None:
        return "none found"
    of = "" if known is None else "; " + ", ".join(known.get(found.number, ["of no set or export of this root"]))
    return f"{sure} {found.number} (agreement {found.agreement:.2f}, clearness {found.clearness:.1f}){of}"
