"""The index of an export: written last, so that an export with one is whole."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from mien.storage.artefacts import EXPORT_BEGUN
from mien.storage.errors import MissingError
from mien.storage.exports.formats import INDEX_CSV, SPLITS, ExportForm, head_csv
from mien.storage.root import Root

INDEX = "mien-export.json"
WORK = EXPORT_BEGUN.path("").rpartition("/")[0]
"""The folder of what is known of an export that is not finished."""

FILES = re.compile(
    r"(train|validation|test)/(metadata\.csv|[^/]+/[0-9a-f]+\.(png|jpg|webp))|(train|validation|test)-\d+\.tar|"
    r"data/[a-z]+-\d+\.parquet|index\.csv|README\.md|"
    rf"{re.escape(INDEX)}|{re.escape(WORK)}/.*|"
    r"images/.*|part-\d+\.tar"  # of exports of before 0.3
)
"""The paths of the files of an export, whatever its form."""


def is_finished(out: Root, about: Mapping[str, Any]) -> bool:
    """Whether this very export lies there, whole."""
    try:
        content: dict[str, Any] = json.loads(out.read_bytes(INDEX))
    except (MissingError, ValueError):
        return False
    return content.get("about") == json.loads(json.dumps(dict(about)))


def finish(
    out: Root,
    form: ExportForm,
    about: Mapping[str, Any],
    parts: Sequence[Mapping[str, Any]],
    lines: Sequence[Mapping[str, str]],
) -> None:
    """Writes what readers of the form need beside the parts, and the index; then nothing of the work is left.

    `parts` say of each part how many pictures of which split it has; `lines` are the `index_lines` of each.
    """
    for path in sorted({INDEX_CSV}.union(*lines)):
        text = head_csv(path) + "".join(of_part.get(path, "") for of_part in lines)
        # Readers of metadata.csv refuse bytes that are no text: names of files may have such.
        out.write_bytes(path, text.encode("utf-8", "surrogateescape" if path == INDEX_CSV else "backslashreplace"))
    if form == "huggingface":
        out.write_bytes("README.md", _card(parts).encode())
    content = {"about": dict(about), "form": form, "pictures": sum(part["pictures"] for part in parts)}
    content["left_out"] = sum(len(part["left_out"]) for part in parts)
    if "watermark" in about:
        content["without_watermark"] = sum(part["unmarked"] for part in parts)
    out.write_bytes(INDEX, json.dumps(content, indent=1, sort_keys=True).encode())
    clear_work(out)


def clear_work(out: Root) -> None:
    """Removes what an export needs while it is not finished."""
    out.delete_folder(WORK)


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
