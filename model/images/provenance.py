"""Generated pictures as bytes that say what they are: PNG, JPEG or WebP with their provenance inside.

The provenance is an XMP packet, which all three formats hold and picture tools read: the IPTC's digital source type for
media made by a trained model, and what made it in a namespace of this project. PNG has it in plain text chunks, too.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Literal, get_args
from xml.etree import ElementTree  # nosec B405 # what is parsed has no document type
from xml.sax.saxutils import quoteattr  # nosec B406 # it writes, and parses nothing

import numpy as np
from jaxtyping import UInt8
from PIL import Image, PngImagePlugin

from mien.model.errors import ImageError
from mien.model.images.formats import opened_image

ImageFormat = Literal["png", "jpeg", "webp"]
IMAGE_FORMATS: tuple[ImageFormat, ...] = get_args(ImageFormat)
SUFFIXES: dict[ImageFormat, str] = {"png": ".png", "jpeg": ".jpg", "webp": ".webp"}
_FORMATS: dict[str, ImageFormat] = {**{suffix: form for form, suffix in SUFFIXES.items()}, ".jpeg": "jpeg"}

SourceType = Literal["trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia"]
"""Terms of the IPTC's vocabulary of digital source types: media made by a trained model, and media edited with one."""
_SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_SYNTHETIC = {_SOURCE_TYPES + term for term in get_args(SourceType)}
_GENERATED = re.compile(
    rb"digitalsourcetype/((?:compositeWithT|t)rainedAlgorithmicMedia|algorithmicMedia|compositeSynthetic)\b",
    re.IGNORECASE,
)
"""Terms for what was generated, wholly or in part."""
_MIEN = "urn:mien:provenance"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_PNG_XMP = "XML:com.adobe.xmp"


def format_of(path: str) -> ImageFormat:
    """The format that the suffix of a path or URL names, in any case.

    Raises:
        ImageError: it names none that is written.
    """
    suffix = PurePosixPath(path.rpartition("/")[2]).suffix.lower()
    if suffix not in _FORMATS:
        raise ImageError(f"{path} does not say what to write: end it in {', '.join(_FORMATS)}")
    return _FORMATS[suffix]


def encode_image(
    rgb: UInt8[np.ndarray, "height width 3"],
    image_format: ImageFormat,
    provenance: Mapping[str, str],
    quality: int = 95,
    source_type: SourceType = "trainedAlgorithmicMedia",
) -> bytes:
    """Bytes of the picture; the same pixels and provenance give the same bytes.

    `quality` (1 to 100) is of JPEG and of WebP, where 100 is lossless; PNG always is. Keys of the provenance are names
    as in XML.
    """
    picture, out, packet = Image.fromarray(rgb), io.BytesIO(), _xmp(provenance, source_type)
    if image_format == "png":
        chunks = PngImagePlugin.PngInfo()
        chunks.add_itxt(_PNG_XMP, packet.decode())
        for key, value in {"synthetic": "true", **provenance}.items():
            chunks.add_itxt(key, value)
        picture.save(out, "PNG", pnginfo=chunks)
    elif image_format == "jpeg":
        picture.save(out, "JPEG", quality=quality, subsampling=0, xmp=packet)
    else:
        picture.save(out, "WEBP", quality=quality, lossless=quality == 100, xmp=packet)
    return out.getvalue()


def read_provenance(data: bytes) -> dict[str, str]:
    """What `encode_image` wrote into a picture, with `synthetic`; empty if there is nothing of the kind.

    Raises:
        ImageError: the bytes are no picture.
    """
    with opened_image(data) as image:
        packet = image.info.get("xmp") or image.info.get(_PNG_XMP)
    if not packet:
        return {}
    packet = packet.encode() if isinstance(packet, str) else packet
    if b"<!" in packet:
        return {}  # a document type, whose entities may unpack to gigabytes: our own packets have none
    try:
        parsed = ElementTree.fromstring(packet)  # nosec B314 # without a document type
    except ElementTree.ParseError:
        return {}  # another tool's packet, or a damaged one: nothing of ours
    description = parsed.find(f".//{{{_RDF}}}Description")
    if description is None:
        return {}
    known = {key: value for key, value in description.attrib.items() if key.startswith(f"{{{_MIEN}}}")}
    found = {key.removeprefix(f"{{{_MIEN}}}"): value for key, value in known.items()}
    if description.attrib.get(f"{{{_IPTC}}}DigitalSourceType") in _SYNTHETIC:
        found["synthetic"] = "true"
    return found


def is_synthetic(data: bytes) -> str | None:
    """What says that a picture was made or changed by a model: `mien's mark`, or a term of the IPTC. None if nothing.

    The term is sought in all bytes and in what is packed in them: it stands in XMP, in EXIF or in a signed manifest
    (C2PA).

    Raises:
        ImageError: the bytes are no picture.
    """
    with opened_image(data) as image:
        texts = [
            str(value) if not isinstance(value, bytes) else value.decode("latin-1") for value in image.info.values()
        ]
        own = str(image.info.get("synthetic", "")).lower() == "true"
    if own or any(_MIEN in text for text in texts) or _MIEN.encode() in data:
        return "mien's mark"
    found = _GENERATED.search(data) or next((hit for text in texts if (hit := _GENERATED.search(text.encode()))), None)
    return None if found is None else f"IPTC {found[1].decode()}"


def source_uri(source_type: SourceType) -> str:
    """The term as a URI, as XMP and C2PA have it."""
    return _SOURCE_TYPES + source_type


def _xmp(provenance: Mapping[str, str], source_type: SourceType) -> bytes:
    own = "".join(f" mien:{key}={quoteattr(value)}" for key, value in provenance.items())
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        f'<rdf:RDF xmlns:rdf="{_RDF}"><rdf:Description rdf:about="" xmlns:Iptc4xmpExt="{_IPTC}" xmlns:mien="{_MIEN}"'
        f' Iptc4xmpExt:DigitalSourceType="{source_uri(source_type)}"{own}/></rdf:RDF></x:xmpmeta>'
    ).encode()
