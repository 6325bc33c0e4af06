"""Content credentials of pictures: a signed manifest (C2PA) in the bytes, which says what made them.

The manifest has the IPTC's digital source type, the version of mien and what the picture's own mark has. It has no
thumbnail, and nothing of the photo that a face was put back into. The signature covers all bytes of the file.
`c2pa-python` makes and checks it (MIT or Apache 2.0).
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal

import numpy as np

from mien import __version__
from mien.model.errors import CredentialsError, first_line
from mien.model.images.formats import opened_image
from mien.model.images.provenance import ImageFormat, SourceType, encode_image, source_uri

INSTALL = "content credentials need c2pa-python: pip install 'mien[marks]'"
FACTS = "mien.provenance"
"""Label of the assertion that has what the picture's own mark has."""
_MIME = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "TIFF": "image/tiff", "GIF": "image/gif"}
_UNTRUSTED = "signingCredential.untrusted"
_KEYS = "a key on P-256, P-384 or P-521, an RSA key of at least 2048 bits, or Ed25519"
_CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
_MIN_RSA_BITS = 2048
_OFFLINE = {
    "core": {"allowed_network_hosts": []},
    # Neither what a picture names nor what a certificate names is fetched.
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_after_sign": True},
    # A thumbnail would be the face once more.
    "builder": {"thumbnail": {"enabled": False}},
}


@dataclass(frozen=True)
class Origin:
    """Where a picture comes from."""

    source_type: SourceType
    facts: Mapping[str, str]
    """What its own mark has: generator, weights, faces and output."""

    def manifest(self) -> dict[str, Any]:
        """What is signed. A picture that a model made was created; a photo with a face put back was opened, then
        edited."""
        agent = {"name": "mien", "version": __version__}
        made = {"digitalSourceType": source_uri(self.source_type), "softwareAgent": agent}
        manifest: dict[str, Any] = {"claim_generator_info": [agent]}
        if self.source_type == "trainedAlgorithmicMedia":
            actions: list[dict[str, Any]] = [{"action": "c2pa.created", **made}]
        else:
            photo = {"title": "photo", "instance_id": f"urn:mien:face:{self.facts.get('source', 'unknown')}"}
            manifest["ingredients"] = [{**photo, "relationship": "parentOf", "label": "photo"}]
            opened = {"action": "c2pa.opened", "parameters": {"ingredientIds": ["photo"]}}
            actions = [opened, {"action": "c2pa.edited", **made}]
        manifest["assertions"] = [
            {"label": "c2pa.actions.v2", "data": {"actions": actions}},
            {"label": FACTS, "data": dict(self.facts)},
        ]
        return manifest


@dataclass(frozen=True)
class Credentials:
    """What the newest manifest of a picture says, and whether it holds."""

    state: Literal["trusted", "valid", "invalid"]
    """valid: the signature is that of the certificate, and the picture is as it was signed; trusted: an authority
    that is trusted has issued the certificate, too; invalid: neither."""
    signer: str
    """Organisation and name in the certificate, which its maker has chosen: only `trusted` proves them."""
    generator: str
    actions: tuple[str, ...]
    """Each with its digital source type, where it has one."""
    facts: Mapping[str, str]
    problems: tuple[str, ...]
    """Codes of what does not hold."""


class ContentSigner:
    """Signs pictures with a certificate and its key.

    Args:
        chain_pem: The certificate, then those above it.
        key_pem: The private key, without a password.

    Raises:
        CredentialsError: they cannot be used, or the library is not installed.
    """

    def __init__(self, chain_pem: bytes, key_pem: bytes) -> None:
        c2pa = _library()
        from cryptography.hazmat.primitives import hashes

        certificate = _certificate(chain_pem)
        self.fingerprint = certificate.fingerprint(hashes.SHA256()).hex()
        """SHA-256 of the certificate."""
        algorithm = _algorithm(certificate, key_pem)
        try:
            self._signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(algorithm, chain_pem, key_pem, None))
        except Exception as error:  # whatever the library says of a key: its message is not passed on
            raise CredentialsError("certificate and key cannot be used to sign") from error

    def check(self) -> None:
        """Signs a small picture and checks the signature.

        Raises:
            CredentialsError: it is not valid: the certificate is not one for content credentials.
        """
        origin = Origin("trainedAlgorithmicMedia", {})
        picture = encode_image(np.zeros((8, 8, 3), np.uint8), "png", {})
        found = read_credentials(self.sign(picture, "png", origin))
        if found is None or found.state == "invalid":
            problems = ", ".join(found.problems) if found else "nothing was signed"
            raise CredentialsError(f"signatures with this certificate are not valid ({problems})")

    def sign(self, data: bytes, image_format: ImageFormat, origin: Origin) -> bytes:
        """The picture with a signed manifest; each signature is another one.

        Raises:
            CredentialsError: it cannot be signed.
        """
        c2pa, signed = _library(), io.BytesIO()
        try:
            with c2pa.Builder(origin.manifest(), _context(None)) as builder:
                builder.sign(self._signer, f"image/{image_format}", io.BytesIO(data), signed)
        except c2pa.C2paError as error:
            raise CredentialsError(
                f"this certificate cannot sign content credentials ({first_line(error)}): it has to be for the purpose "
                "of document signing or e-mail protection, with the usage digital signature, from an authority"
            ) from error
        return signed.getvalue()


def read_credentials(data: bytes, anchors_pem: str | None = None) -> Credentials | None:
    """What the picture's content credentials say; None where it has none. Nothing is fetched from elsewhere.

    Args:
        data: A picture.
        anchors_pem: Certificates of authorities that are trusted.

    Raises:
        CredentialsError: the library is not installed.
        ImageError: the bytes are no picture.
    """
    with opened_image(data) as image:
        mime = _MIME.get(image.format or "")
    if mime is None:
        return None
    c2pa = _library()
    try:
        with c2pa.Reader(mime, io.BytesIO(data), context=_context(anchors_pem)) as reader:
            store: dict[str, Any] = json.loads(reader.json())
    except c2pa.C2paError as error:
        if isinstance(error, c2pa.C2paError.ManifestNotFound):
            return None
        return Credentials("invalid", "unknown", "unknown", (), {}, (first_line(error),))
    return _credentials(store)


def _credentials(store: Mapping[str, Any]) -> Credentials:
    manifest: dict[str, Any] = store["manifests"].get(store.get("active_manifest"), {})
    state = str(store.get("validation_state", "Invalid")).lower()
    failures = [str(status.get("code")) for status in store.get("validation_status", ())]
    signature: dict[str, Any] = manifest.get("signature_info") or {}
    names = [str(signature[key]) for key in ("issuer", "common_name") if signature.get(key)]
    agents = [
        f"{agent.get('name', '')} {agent.get('version', '')}" for agent in manifest.get("claim_generator_info", ())
    ]
    data = {str(each.get("label")): each.get("data") for each in manifest.get("assertions", ())}
    actions: list[dict[str, Any]] = (data.get("c2pa.actions.v2") or data.get("c2pa.actions") or {}).get("actions", [])
    facts = data.get(FACTS)
    return Credentials(
        state="trusted" if state == "trusted" else "valid" if state == "valid" else "invalid",
        signer=", ".join(names) or "unknown",
        generator=", ".join(agent.strip() for agent in agents) or "unknown",
        actions=tuple(_described(action) for action in actions),
        facts={str(key): str(value) for key, value in facts.items()} if isinstance(facts, Mapping) else {},
        problems=tuple(code for code in failures if code != _UNTRUSTED),
    )


def _described(action: Mapping[str, Any]) -> str:
    source_type = str(action.get("digitalSourceType") or "").rpartition("/")[2]
    return f"{action.get('action')} ({source_type})" if source_type else str(action.get("action"))


def _library() -> Any:
    try:
        import c2pa
    except ImportError as error:
        raise CredentialsError(INSTALL) from error
    return c2pa


@cache
def _context(anchors_pem: str | None) -> Any:
    trust = {} if anchors_pem is None else {"trust": {"user_anchors": anchors_pem}}
    return _library().Context.from_dict(_OFFLINE | trust)


def _certificate(chain_pem: bytes) -> Any:
    from cryptography import x509

    try:
        certificate = x509.load_pem_x509_certificates(chain_pem)[0]
    except (ValueError, IndexError) as error:
        raise CredentialsError("the first file has no certificate in PEM: --sign takes CERT,KEY") from error
    now = datetime.now(UTC)
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        dates = f"{certificate.not_valid_before_utc:%Y-%m-%d} to {certificate.not_valid_after_utc:%Y-%m-%d}"
        raise CredentialsError(f"the certificate is valid from {dates} only")
    return certificate


def _algorithm(certificate: Any, key_pem: bytes) -> str:
    """The name of the algorithm that such a key signs with."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(key_pem, None)
    except TypeError:
        raise CredentialsError("the key has a password: write one without it, readable by its owner alone") from None
    except (ValueError, UnsupportedAlgorithm):  # what it says may quote the file
        raise CredentialsError("the second file has no private key in PEM: --sign takes CERT,KEY") from None
    if key.public_key() != certificate.public_key():
        raise CredentialsError("the key is not that of the first certificate in the file: the signer's comes first")
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519"
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= _MIN_RSA_BITS:
        return "ps256"
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _CURVES:
        return _CURVES[key.curve.name]
    raise CredentialsError(f"content credentials need {_KEYS}")
