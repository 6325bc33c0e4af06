"""Generated pictures say what they are, in each format, and the same pixels give the same bytes."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from mien.model.errors import ImageError
from mien.model.images.codec import decode_rgb
from mien.model.images.provenance import IMAGE_FORMATS, ImageFormat, encode_image, is_synthetic, read_provenance

TOLD = {"model": "models:/mien-generator/3", "source": "ab12", "driver": 'x < "y" & Grüße 漢'}


def picture() -> np.ndarray:
    across, down = np.meshgrid(np.arange(64), np.arange(48))
    return np.stack([across * 4, down * 5, across + down], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("image_format", IMAGE_FORMATS)
def test_a_picture_carries_where_it_comes_from(image_format: ImageFormat) -> None:
    data = encode_image(picture(), image_format, TOLD)
    assert read_provenance(data) == {**TOLD, "synthetic": "true"}
    assert encode_image(picture(), image_format, TOLD) == data
    with Image.open(io.BytesIO(data)) as opened:
        assert opened.format == image_format.upper()
    assert np.abs(decode_rgb(data).astype(int) - picture()).mean() < 2


def test_png_and_webp_of_full_quality_lose_nothing() -> None:
    assert (decode_rgb(encode_image(picture(), "png", TOLD)) == picture()).all()
    assert (decode_rgb(encode_image(picture(), "webp", TOLD, quality=100)) == picture()).all()


def test_png_has_it_in_plain_text() -> None:
    with Image.open(io.BytesIO(encode_image(picture(), "png", TOLD))) as opened:
        assert opened.info["synthetic"] == "true"
        assert opened.info["model"] == TOLD["model"]


def test_lower_quality_is_smaller() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    for image_format in ("jpeg", "webp"):
        assert len(encode_image(noise, image_format, {}, 40)) < len(encode_image(noise, image_format, {}, 95))


def test_other_pictures_have_no_provenance() -> None:
    plain = io.BytesIO()
    Image.fromarray(picture()).save(plain, "PNG")
    assert read_provenance(plain.getvalue()) == {}
    other = io.BytesIO()
    Image.fromarray(picture()).save(other, "JPEG", xmp=b"<not xml")
    assert read_provenance(other.getvalue()) == {}
    with pytest.raises(ImageError, match="not a picture"):
        read_provenance(b"nothing")


IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"


def with_xmp(term: str, kind: str = "JPEG", element: bool = False) -> bytes:
    told = (
        f"<Iptc4xmpExt:DigitalSourceType>{term}</Iptc4xmpExt:DigitalSourceType></rdf:Description>"
        if element
        else f"<Iptc4xmpExt:DigitalSourceType rdf:resource='{term}'/></rdf:Description>"
    )
    packet = f"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF><rdf:Description>{told}</rdf:RDF></x:xmpmeta>".encode()
    out = io.BytesIO()
    chunks = PngImagePlugin.PngInfo()
    chunks.add_itxt("XML:com.adobe.xmp", packet.decode())
    options = {"PNG": {"pnginfo": chunks}, "TIFF": {"tiffinfo": {700: packet}}}.get(kind, {"xmp": packet})
    Image.fromarray(picture()).save(out, kind, **options)
    return out.getvalue()


@pytest.mark.parametrize("image_format", IMAGE_FORMATS)
def test_what_this_project_made_is_recognised(image_format: ImageFormat) -> None:
    assert is_synthetic(encode_image(picture(), image_format, {})) == "mien's mark"


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "TIFF", "AVIF", "PNG"])
@pytest.mark.parametrize("element", [False, True])
def test_terms_for_generated_media_are_recognised(kind: str, element: bool) -> None:
    for term in ("trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "algorithmicMedia"):
        assert is_synthetic(with_xmp(IPTC + term, kind, element)) == f"IPTC {term}"
    assert is_synthetic(with_xmp((IPTC + "trainedAlgorithmicMedia").replace("http:", "https:"), kind)) is not None
    for term in ("digitalCapture", "negativeFilm", "algorithmicallyEnhanced", "humanEdits"):
        assert is_synthetic(with_xmp(IPTC + term, kind, element)) is None


def test_entities_of_a_packet_are_not_unpacked() -> None:
    """Each of the lines is ten of the one before: what is read would be gigabytes."""
    lines = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    packet = f'<!DOCTYPE x [<!ENTITY e0 "x">{lines}]><x>&e11;</x>'
    out, info = io.BytesIO(), PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", packet)
    Image.new("RGB", (4, 4)).save(out, "PNG", pnginfo=info)
    assert read_provenance(out.getvalue()) == {}


def test_a_packed_text_chunk_and_a_signed_manifest_are_looked_into() -> None:
    chunks = PngImagePlugin.PngInfo()
    chunks.add_itxt("XML:com.adobe.xmp", f"<x DigitalSourceType='{IPTC}trainedAlgorithmicMedia'/>", zip=True)
    out = io.BytesIO()
    Image.fromarray(picture()).save(out, "PNG", pnginfo=chunks)
    assert b"trainedAlgorithmicMedia" not in out.getvalue()
    assert is_synthetic(out.getvalue()) == "IPTC trainedAlgorithmicMedia"
    plain = io.BytesIO()
    Image.fromarray(picture()).save(plain, "JPEG")
    manifest = b"jumbc2pa\x6fdigitalSourceType" + (IPTC + "trainedAlgorithmicMedia").encode()
    segment = b"\xff\xeb" + (len(manifest) + 2).to_bytes(2, "big") + manifest
    assert is_synthetic(plain.getvalue()[:2] + segment + plain.getvalue()[2:]) == "IPTC trainedAlgorithmicMedia"
    assert is_synthetic(plain.getvalue()) is None
