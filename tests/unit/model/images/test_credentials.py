"""Content credentials: signed in each format, read back, and no longer valid after a change."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
from pathlib import Path

import c2pa
import numpy as np
import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID
from PIL import Image

from mien.model.errors import CredentialsError, ImageError
from mien.model.images.credentials import FACTS, ContentSigner, Origin, read_credentials
from mien.model.images.provenance import (
    IMAGE_FORMATS,
    ImageFormat,
    encode_image,
    is_synthetic,
    read_provenance,
    source_uri,
)
from tests.certificates import Signed, make_key, make_signed, pem_of

MARK = {"generator": "models:/mien-generator/3", "weights": "ab" * 32, "source": "cd", "driver": "ef", "output": "01"}
GENERATED = Origin("trainedAlgorithmicMedia", MARK)
PASTED = Origin("compositeWithTrainedAlgorithmicMedia", MARK)


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Signed:
    return make_signed(tmp_path_factory.mktemp("ca"))


def opened(files: Signed) -> ContentSigner:
    return ContentSigner(files.certificate.read_bytes(), files.key.read_bytes())


def picture(image_format: ImageFormat) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 255, (48, 64, 3)).astype(np.uint8)
    return encode_image(pixels, image_format, MARK)


def read_by_c2pa(data: bytes, image_format: ImageFormat) -> dict[str, object]:
    with c2pa.Reader(f"image/{image_format}", io.BytesIO(data)) as reader:
        store = json.loads(reader.json())
    return store["manifests"][store["active_manifest"]] | {"state": store["validation_state"]}


@pytest.mark.parametrize("image_format", IMAGE_FORMATS)
@pytest.mark.parametrize("origin", [GENERATED, PASTED], ids=["generated", "pasted"])
def test_a_signed_picture_says_what_made_it(signed: Signed, image_format: ImageFormat, origin: Origin) -> None:
    plain = picture(image_format)
    data = opened(signed).sign(plain, image_format, origin)
    found = read_credentials(data)
    assert found is not None
    assert (found.state, found.problems, found.signer) == ("valid", (), "Tests, Test signer")
    assert found.facts == MARK
    assert found.generator.startswith("mien ")
    term = origin.source_type
    actions = (f"c2pa.created ({term})",) if origin is GENERATED else ("c2pa.opened", f"c2pa.edited ({term})")
    assert found.actions == actions

    # The library that others read with says the same, and finds nothing more: no thumbnail of the face, no location.
    told = read_by_c2pa(data, image_format)
    assert told["state"] == "Valid"
    assert "thumbnail" not in told
    assert [each["label"] for each in told["assertions"]] == ["c2pa.actions.v2", FACTS]  # pyright: ignore[reportGeneralTypeIssues, reportIndexIssue]
    assert source_uri(term) in json.dumps(told)

    # mien's own mark is still there, and the pixels are the same.
    assert is_synthetic(data) == "mien's mark"
    assert read_provenance(data) == read_provenance(plain) == MARK | {"synthetic": "true"}
    with Image.open(io.BytesIO(plain)) as before, Image.open(io.BytesIO(data)) as after:
        assert before.tobytes() == after.tobytes()


@pytest.mark.parametrize("image_format", IMAGE_FORMATS)
def test_a_changed_byte_is_not_valid_any_more(signed: Signed, image_format: ImageFormat) -> None:
    plain = picture(image_format)
    data = opened(signed).sign(plain, image_format, GENERATED)
    middle = len(plain) // 2  # what codes the pixels
    for at in np.random.default_rng(1).integers(middle - 500, middle + 500, 12):
        changed = bytearray(data)
        changed[data.index(plain[at : at + 16])] ^= 1
        assert state_of(bytes(changed)) in ("invalid", "no picture"), f"byte {at} of {len(plain)}"


def test_credentials_that_are_put_into_another_picture_are_not_valid(signed: Signed) -> None:
    data = opened(signed).sign(picture("png"), "png", GENERATED)
    pixels = np.random.default_rng(0).integers(0, 255, (48, 64, 3)).astype(np.uint8)
    pixels[3, 3] ^= 1
    other = encode_image(pixels, "png", MARK)
    at = data.index(b"caBX") - 4
    chunk = data[at : at + 12 + int.from_bytes(data[at : at + 4], "big")]
    assert state_of(other[:33] + chunk + other[33:]) == "invalid"


def state_of(data: bytes) -> str:
    try:
        found = read_credentials(data)
    except ImageError:
        return "no picture"
    return "none" if found is None else found.state


def test_a_certificate_is_trusted_by_those_who_trust_its_authority(signed: Signed, tmp_path: Path) -> None:
    data = opened(signed).sign(picture("png"), "png", GENERATED)
    stranger = make_signed(tmp_path / "other")
    states = [
        found.state
        for anchors in (None, signed.authority.read_text(), stranger.authority.read_text())
        if (found := read_credentials(data, anchors))
    ]
    assert states == ["valid", "trusted", "valid"]


@pytest.mark.parametrize("kind", ["P-256", "P-384", "P-521", "RSA", "Ed25519"])
def test_each_kind_of_key_signs(kind: str, tmp_path: Path) -> None:
    signer = opened(make_signed(tmp_path, kind))
    signer.check()
    found = [read_credentials(signer.sign(picture("webp"), "webp", GENERATED)) for _ in range(2)]
    assert [each.state for each in found if each] == ["valid", "valid"]


def test_plain_pictures_have_no_credentials() -> None:
    for image_format in IMAGE_FORMATS:
        assert read_credentials(picture(image_format)) is None
    with pytest.raises(ImageError):
        read_credentials(b"no picture")


def test_what_cannot_sign_is_said_without_the_key(signed: Signed, tmp_path: Path) -> None:
    expired = make_signed(tmp_path / "expired", valid_days=(-30, -1))
    future = make_signed(tmp_path / "future", valid_days=(2, 30))
    weak = make_signed(tmp_path / "weak", "P-192")
    other_key = tmp_path / "other.key"
    other_key.write_bytes(pem_of(make_key()))
    nothing = tmp_path / "nothing"
    nothing.write_text("-----BEGIN PRIVATE KEY-----\nU0VDUkVU\n-----END PRIVATE KEY-----\n")
    cases = [
        (expired, "the certificate is valid from"),
        (future, "the certificate is valid from"),
        (weak, "P-256"),
        (replace(signed, key=other_key), "the key is not that of the first certificate"),
        (replace(signed, key=nothing), "no private key in PEM"),
        (replace(signed, certificate=signed.key, key=signed.certificate), "no certificate in PEM"),
    ]
    for files, line in cases:
        with pytest.raises(CredentialsError, match=line) as raised:
            opened(files)
        text = str(raised.value)
        assert "\n" not in text
        assert not any(word in text for word in ("BEGIN", "U0VDUkVU", files.key.read_text().splitlines()[1]))


@pytest.mark.parametrize("purpose", [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CODE_SIGNING])
def test_a_certificate_for_another_purpose_is_refused(purpose: object, tmp_path: Path) -> None:
    signer = opened(make_signed(tmp_path, purpose=purpose))  # pyright: ignore[reportArgumentType]
    with pytest.raises(CredentialsError, match=r"cannot sign content credentials|are not valid"):
        signer.check()


def test_without_the_library_one_line_says_what_to_install(signed: Signed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "c2pa", None)
    for attempt in (lambda: opened(signed), lambda: read_credentials(picture("png"))):
        with pytest.raises(CredentialsError, match=r"pip install 'mien\[marks\]'"):
            attempt()
