"""Secrets in addresses and messages: what is stored, printed or logged goes through here.

`public_url` is an address as it may be stored: without password, token and signature, and the same whenever only these
change. `scrubbed` is a message with each secret in it replaced by `***`.
"""

from __future__ import annotations

import os
import re
from urllib.parse import unquote

HIDDEN = "***"

_SIGNATURES = {"signature", "sig", "q-signature", "x-amz-signature", "x-goog-signature", "x-oss-signature", "sign"}
"""With one of these the path names the object, and the other parameters say for whom and how long."""
_SCHEMES = ("x-amz-", "x-goog-", "x-oss-", "x-cos-", "x-ms-", "q-")
_TOKENS = {
    *("token", "access_token", "accesstoken", "auth_token", "authtoken", "id_token", "refresh_token", "sas_token"),
    *("auth", "authorization", "auth_key", "apikey", "api_key", "api-key", "subscription-key", "access_key"),
    *("secret", "client_secret", "password", "passwd", "pwd", "pass", "jwt", "bearer", "credential", "credentials"),
    *("hmac", "ticket", "hdnts", "hdnea", "hdntl", "wssecret", "session_token", "sessiontoken", "security-token"),
    *("awsaccesskeyid", "googleaccessid", "ossaccesskeyid", "key-pair-id", "policy"),
}
_OF_A_SIGNATURE = {
    *("expires", "algorithm", "x-id"),
    # Azure's shared access signatures
    *("sv", "ss", "srt", "sp", "se", "st", "spr", "sr", "sip", "si", "ses", "sdd", "saoid", "suoid", "scid"),
    *("skoid", "sktid", "skt", "ske", "sks", "skv", "rscc", "rscd", "rsce", "rscl", "rsct"),
}
_GOOGLE_KEY = re.compile(r"AIza[\w-]{30,}")

_USER = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*://)[^\s/?#'\"<>]+@")
_NAMED = "|".join(name.replace("_", "(?:_|%5F)") for name in sorted(_SIGNATURES | _TOKENS, key=len, reverse=True))
_PARAMETER = re.compile(
    rf"(?i)((?:[?&;]|&amp;|%26|%3F)(?:{_NAMED}|(?:{'|'.join(map(re.escape, _SCHEMES))})[\w\-]+)=)[^&\s'\"<>#;,)\]}}]+"
)
_STRONG = r"x-(?:amz|goog|oss)-(?:signature|credential|security-token)|awsaccesskeyid|googleaccessid|ossaccesskeyid"
_FIELD = re.compile(
    rf"(?i)(?<![/\w])((?:{_STRONG}|aws_secret_access_key|aws_session_token|(?:access|refresh|session|id)_?token"
    r"|client_secret|password|passwd)(?:[\"']?\s*=\s*|[\"']\s*:\s*)[\"']?)[^&\s'\"<>#;,)\]}]+"
)
_HEADER = re.compile(
    r"(?i)\b((?:proxy-)?authorization[\"']?\s*[=:]\s*[\"']?(?:(?:bearer|basic|token)\s+)?+|bearer\s+)[\w.~+/=\-]{6,}"
)
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.DOTALL
)
_SECRET_VARIABLE = re.compile(r"SECRET|TOKEN|PASSWORD|PASSWD|API_?KEY|ACCESS_?KEY|CREDENTIAL")
_SHORTEST_SECRET = 8


def public_url(url: str) -> str:
    """The address without user and password, token and signature; anything but a URL stays as it is.

    Of a signed address the parameters of its signature go as well (who signed, until when), so that the address of an
    object is the same under each signature. Other protocols than HTTP keep the user's name, which they need to find the
    file.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or ("@" not in rest and "?" not in rest and "#" not in rest):
        return url
    web = scheme.lower() in ("http", "https")
    end = min((index for mark in "/?#" if (index := rest.find(mark)) >= 0), default=len(rest))
    user, at, host = rest[:end].rpartition("@")
    name = "" if web else user.partition(":")[0]
    authority = f"{name}@{host}" if at and name else host
    path, _, fragment = rest[end:].partition("#")
    path, _, query = path.partition("?")
    kept = "&".join(_kept(query.split("&"))) if query else ""
    kept_fragment = "" if _PARAMETER.search(f"?{fragment}") else fragment
    return f"{scheme}://{authority}{path}{f'?{kept}' if kept else ''}{f'#{kept_fragment}' if kept_fragment else ''}"


def is_signed(url: str) -> bool:
    """Whether the address carries a signature, so that its path alone names the object."""
    return any(_name(part) in _SIGNATURES for part in url.partition("?")[2].partition("#")[0].split("&"))


def _kept(parts: list[str]) -> list[str]:
    signed = any(_name(part) in _SIGNATURES for part in parts)
    return [part for part in parts if part and not _is_secret(part, signed)]


def _is_secret(part: str, signed: bool) -> bool:
    name = _name(part)
    if name in _SIGNATURES or name in _TOKENS or name.startswith(_SCHEMES):
        return True
    if signed and (name in _OF_A_SIGNATURE or name.startswith("response-")):
        return True
    return name == "key" and _GOOGLE_KEY.fullmatch(part.partition("=")[2]) is not None


def _name(part: str) -> str:
    return unquote(part.partition("=")[0]).lower()


def scrubbed(text: str) -> str:
    """The text with user and password of addresses, tokens, signatures, private keys and this process's own secrets as
    `***`."""
    text = _USER.sub(rf"\1{HIDDEN}@", text)
    for pattern in (_PARAMETER, _FIELD, _HEADER):
        text = pattern.sub(rf"\1{HIDDEN}", text)
    text = _PRIVATE_KEY.sub(HIDDEN, text)
    for value in _own_secrets():
        if value in text:
            text = text.replace(value, HIDDEN)
    return text


def _own_secrets() -> list[str]:
    """Values of environment variables that are named for a secret, the longest first."""
    found = {value for name, value in os.environ.items() if _SECRET_VARIABLE.search(name) and _looks_secret(value)}
    return sorted(found, key=len, reverse=True)


def _looks_secret(value: str) -> bool:
    return len(value) >= _SHORTEST_SECRET and not value.startswith(("/", "."))  # a path to a file of secrets is none
