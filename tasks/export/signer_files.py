"""The certificate and the key that an export is signed with: two files, named by path alone.

A path may become a parameter of a run and of a deployment. What is in the key's file goes to the library that signs,
and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mien.model.errors import CredentialsError
from mien.model.images.credentials import ContentSigner
from mien.tasks.errors import RunError, UsageError


@dataclass(frozen=True)
class SignerFiles:
    """Where certificate and key lie."""

    certificate: str
    key: str
    fingerprint: str
    """SHA-256 of the signer's certificate."""


def signer_files(option: str) -> SignerFiles:
    """The files that `CERT,KEY` names, after a signature with them has been made and checked.

    Raises:
        UsageError: they cannot be read, do not go together, or sign nothing that is valid.
    """
    certificate, comma, key = option.partition(",")
    if not (certificate and comma and key) or "," in key:
        raise UsageError("--sign takes two paths, CERT,KEY: the certificate chain and the private key, both PEM")
    certificate, key = (str(Path(path.strip()).expanduser().absolute()) for path in (certificate, key))
    try:
        signer = _open(certificate, key)
        signer.check()
    except (CredentialsError, OSError) as error:
        raise UsageError(_line(error)) from None  # a cause could say what it has read
    return SignerFiles(certificate, key, signer.fingerprint)


def open_signer(files: SignerFiles) -> ContentSigner:
    """What signs with these files.

    Raises:
        RunError: they cannot be read any more, or the certificate is another one by now.
    """
    try:
        signer = _open(files.certificate, files.key)
    except (CredentialsError, OSError) as error:
        raise RunError(_line(error)) from None
    if signer.fingerprint != files.fingerprint:
        raise RunError(f"{files.certificate} has changed since the export began: export to another folder")
    return signer


def _open(certificate: str, key: str) -> ContentSigner:
    return ContentSigner(Path(certificate).read_bytes(), Path(key).read_bytes())


def _line(error: CredentialsError | OSError) -> str:
    if isinstance(error, OSError):
        return f"--sign: {error.filename} cannot be read ({error.strerror})"
    return f"--sign: {error}"
