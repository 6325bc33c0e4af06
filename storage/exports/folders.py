"""Names of folders for people, safe on every file system and different for different people."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from urllib.parse import quote

MAX_CHARACTERS = 80
_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
"""Names that Windows keeps for devices, with any suffix."""
_SPLITS = "train|training|validation|valid|dev|val|test|testing|eval|evaluation"
_LIKE_A_SPLIT = re.compile(rf"(?:(?<=[-._ 0-9])|^)(?:{_SPLITS})(?=[-._ 0-9]|$)")
"""What `datasets` takes for the name of a split anywhere in a path."""


def folder_names(labels: Iterable[str]) -> dict[str, str]:
    """A folder's name for each label: the label itself where it is plain, else percent-encoded.

    Labels that would share a folder (on file systems that know no case, or cut short) get a mark from their hash, all
    of them: which comes first plays no part.
    """
    plain = {label: _plain(label) for label in sorted(set(labels))}
    shared = Counter(name.lower() for name in plain.values())
    return {label: _marked(label, name) if shared[name.lower()] > 1 else name for label, name in plain.items()}


def _plain(label: str) -> str:
    name = quote(label, safe=" ", errors="surrogatepass").replace("~", "%7E").strip(" ")
    if not name.strip(".") or name.endswith(".") or name.startswith(".") or name.split(".")[0].lower() in _RESERVED:
        name = f"_{name.replace('.', '%2E')}"
    while found := _LIKE_A_SPLIT.search(name):  # again, since the code of a letter may end in a digit
        name = f"{name[: found.start()]}%{ord(name[found.start()]):02X}{name[found.start() + 1 :]}"
    return _marked(label, name) if len(name) > MAX_CHARACTERS else name


def _marked(label: str, name: str) -> str:
    mark = hashlib.sha256(label.encode(errors="surrogatepass")).hexdigest()[:8]
    return f"{name[:MAX_CHARACTERS].rstrip('. %')}~{mark}"
