"""Fingerprints: the names of what is computed, made of everything that decides its content.

Two values with the same canonical JSON have the same fingerprint, on every machine and in every process.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from typing import TypeAlias

JSON: TypeAlias = "bool | int | float | str | Sequence[JSON] | Mapping[str, JSON] | None"

FINGERPRINT_LENGTH = 32
"""Hexadecimal digits, 128 bits: no two of 10¹⁵ shards are likely to collide."""


def canonical_json(value: object) -> str:
    """The one JSON text of a value: sorted keys, no spaces, ASCII. A dataclass is its fields, a tuple is a list.

    Raises:
        TypeError: there is something in it that JSON does not have, or a key that is no string.
        ValueError: there is a NaN or an infinity in it.
    """
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def _plain(value: object) -> JSON:
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        # json would write the key 1 as "1", and so give two values one name.
        if odd := [key for key in value if not isinstance(key, str)]:
            raise TypeError(f"a fingerprint takes string keys, not {odd[0]!r}")
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a fingerprint takes JSON-like values, not {type(value).__name__}")


def fingerprint(value: object) -> str:
    """32 hexadecimal digits: the beginning of the sha256 of the value's canonical JSON.

    Raises:
        TypeError, ValueError: see `canonical_json`.
    """
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:FINGERPRINT_LENGTH]


def is_fingerprint(text: str) -> bool:
    """Whether the text could be a whole fingerprint."""
    return len(text) == FINGERPRINT_LENGTH and set(text) <= set("0123456789abcdef")
