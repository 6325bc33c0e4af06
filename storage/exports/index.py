"""The index of an export: written last, so that an export with one is whole."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from mien.storage.errors import MissingError
from mien.storage.exports.formats import SPLITS, ExportForm, head_csv
from mien.storage.root import Root

INDEX = "mien-export.json"


def is_finished(out: Root, about: Mapping[str, Any]) -> bool:
    """Whether this very export lies there, whole."""
    try:
        content: dict[str, Any] = json.loads(out.read_bytes(INDEX))
    except (MissingError, ValueError):
        return False
    return content.get("about") == json.loads(json.dumps(dict(about)))


def finish(
    out: Root, form: ExportForm, about: Mapping[str, Any], parts: Sequence[Mapping[str, Any]], rows: Sequence[bytes]
) -> None:
    """Writes what readers of the form need beside the parts, and the index.

    `parts` say of each part how many pictures of which split it has; `rows` are the lines of index.csv.
    """
    out.write_bytes("index.csv", head_csv() + b"".join(rows))
    if form == "huggingface":
        out.write_bytes("README.md", _card(parts).encode())
    content = {"about": dict(about), "form": form, "pictures": sum(part["pictures"] for part in parts)}
    content["left_out"] = sum(len(part["left_out"]) for part in parts)
    out.write_bytes(INDEX, json.dumps(content, indent=1, sort_keys=True).encode())


def _card(parts: Sequence[Mapping[str, Any]]) -> str:
    counts: Counter[str] = Counter()
    for part in parts:
        counts.update(part["splits"])
    names = [SPLITS.get(split, split) for split in sorted(counts)]
    lines = ["---", "configs:", "- config_name: default", "  data_files:"]
    for name in names:
        lines += [f"  - split: {name}", f"    path: data/{name}-*.parquet"]
    return "\n".join(
        [
            *lines,
            "---",
            "",
            "Synthetic faces: each picture is generated and says so in its metadata (`synthetic`). `identity` is whose",
            "face it shows, `expression` the label of the photo whose expression it was given.",
            "",
        ]
    )
