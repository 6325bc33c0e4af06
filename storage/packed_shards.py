"""The list of a table of very many shards: columns of bytes, where a line of JSON for each would be read for a minute.

A shard has 52 bytes: its fingerprint, its seal, and which of the table's different counts it has, of which there are
few, since all shards but the last are full.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np

from mien.storage.fingerprints import JSON
from mien.storage.schemas import STATUSES, TableName
from mien.storage.shards import ShardRef

PACKED_FROM = 10_000
"""Shards. A shorter list is one that people can read."""

_NAME_BYTES, _SEAL_BYTES = 16, 32
_WHICH = np.dtype("<u4")


def pack(shards: Sequence[ShardRef]) -> dict[str, JSON]:
    """The list as JSON holds it; the same shards give the same.

    Raises:
        ValueError: a fingerprint or a seal is no hexadecimal number of its length.
    """
    different: dict[tuple[int, ...], int] = {}
    which = [
        different.setdefault((shard.rows, *(shard.counts[status] for status in STATUSES)), len(different))
        for shard in shards
    ]
    return {
        "different": [list(counts) for counts in different],
        "which": _text(np.array(which, _WHICH).tobytes()),
        "fingerprints": _text(_bytes_of([shard.fingerprint for shard in shards], _NAME_BYTES)),
        "sha256": _text(_bytes_of([shard.sha256 for shard in shards], _SEAL_BYTES)),
    }


def unpack(table: TableName, packed: dict[str, Any]) -> tuple[ShardRef, ...]:
    """The shards of such a list.

    Raises:
        ValueError, KeyError, TypeError: it is none.
    """
    different = [(rows, dict(zip(STATUSES, counts, strict=True))) for rows, *counts in packed["different"]]
    which = np.frombuffer(base64.b64decode(packed["which"], validate=True), _WHICH).tolist()
    names = _hex_of(packed["fingerprints"], _NAME_BYTES)
    seals = _hex_of(packed["sha256"], _SEAL_BYTES)
    if which and max(which) >= len(different):
        raise ValueError("a shard has counts that are not there")
    return tuple(
        ShardRef(table, name, different[number][0], different[number][1], seal)
        for number, name, seal in zip(which, names, seals, strict=True)
    )


def _bytes_of(numbers: Sequence[str], size: int) -> bytes:
    found = bytes.fromhex("".join(numbers))
    if any(len(number) != 2 * size for number in numbers):
        raise ValueError(f"a number has not {2 * size} hexadecimal digits")
    return found


def _hex_of(text: str, size: int) -> list[str]:
    digits = base64.b64decode(text, validate=True).hex()
    return [digits[first : first + 2 * size] for first in range(0, len(digits), 2 * size)]


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
