"""Fingerprints: the names of what is computed, made of everything that decides its content.

Two values with the same canonical JSON have the same fingerprint, on every machine and in every process.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from importlib.util import find_spec
from pathlib import Path
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


def source_digest(*module_names: str) -> str:
    """Fingerprint of the source files of these modules and packages (with all below them): the code version of a stage.

    The files decide, not where they are installed. The modules are found, not imported; only the packages above a
    dotted name are.

    Raises:
        ModuleNotFoundError: there is no such module, or it has no source file.
    """
    files = {name: digest for module in module_names for name, digest in _source_files(module)}
    return fingerprint(files)


def _source_files(module: str) -> Iterator[tuple[str, str]]:
    spec = find_spec(module)
    if spec is None:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)
    if spec.submodule_search_locations is not None:
        paths = [(Path(top), path) for top in spec.submodule_search_locations for path in Path(top).rglob("*.py")]
        found = [(f"{module}/{path.relative_to(top).as_posix()}", path) for top, path in paths]
    else:
        found = [(module, Path(spec.origin or ""))]
    if not found or not all(path.is_file() for _, path in found):
        raise ModuleNotFoundError(f"{module!r} has no source file", name=module)
    for name, path in found:
        yield name, hashlib.sha256(path.read_bytes()).hexdigest()
