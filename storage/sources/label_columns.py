"""Which columns of a table are labels, how their numbers are called, and which look like labels and are none."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import pyarrow as pa

from mien.storage.sources.labels import LABELS, label_name, label_text

_URI = "uri"
AGAIN = " (again, "
"""Between the name of a column that comes more than once in a header, and its number."""
_LIKE = {
    "identity": frozenset(
        {
            *("person", "person_id", "personid", "people", "subject", "subject_id", "name", "names", "who", "actor"),
            *("user", "user_id", "celebrity", "celeb_id", "id", "identity_id", "identity_name", "face_id", "speaker"),
            *("label", "labels", "class", "classes", "target"),
        }
    ),
    "expression": frozenset(
        {"emotion", "emotions", "mood", "expr", "feeling", "label", "labels", "class", "classes", "category", "target"}
    ),
    "licence": frozenset({"rights", "terms", "copyright"}),
    "consent": frozenset({"permission", "permissions", "agreed", "release"}),
}
"""Names that people give to what is called otherwise here."""


@dataclass(frozen=True)
class LabelColumn:
    """A column, or a field inside one, that holds a label."""

    label: str
    path: tuple[str, ...]
    names: tuple[str, ...] | None = None
    """What the numbers in it are called (a ClassLabel of Hugging Face's datasets)."""

    @property
    def column(self) -> str:
        """As pyarrow's readers take it."""
        return ".".join(self.path)

    def of(self, row: Mapping[str, Any]) -> str | None:
        """The label in a row."""
        value: Any = row
        for name in self.path:
            value = value.get(name) if isinstance(value, Mapping) else None
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if self.names is not None and isinstance(value, int) and not isinstance(value, bool):
            if value < 0:  # what these datasets write where there is no label
                return None
            return label_text(self.names[value] if value < len(self.names) else value)
        return label_text(value)


def label_columns(schema: pa.Schema) -> list[LabelColumn]:
    """The columns of labels, one for each: those of the table before those inside a column, exact names first."""
    features = _features(schema)
    found: dict[str, LabelColumn] = {}
    paths = [(field.name,) for field in schema] + list(_inner(schema))
    for path in sorted(paths, key=lambda p: (len(p), p[-1] not in LABELS)):
        name = label_name(path[-1])
        if name in LABELS and name not in found:
            found[name] = LabelColumn(name, path, _class_names(features, path))
    return [found[name] for name in LABELS if name in found]


def _inner(schema: pa.Schema) -> Iterable[tuple[str, ...]]:
    waiting: list[tuple[tuple[str, ...], pa.DataType]] = [((field.name,), field.type) for field in schema]
    while waiting:
        path, kind = waiting.pop(0)
        if pa.types.is_struct(kind):
            for field in kind:
                yield (*path, field.name)
                waiting.append(((*path, field.name), field.type))


def _features(schema: pa.Schema) -> Any:
    """What Hugging Face's datasets say of the columns; nothing where the file is not theirs."""
    text = (schema.metadata or {}).get(b"huggingface")
    try:
        return json.loads(text)["info"]["features"] if text else {}
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}


def _class_names(features: Any, path: tuple[str, ...]) -> tuple[str, ...] | None:
    for name in path:
        features = features.get(name) if isinstance(features, dict) else None
    while (isinstance(features, list) and len(features) == 1) or (isinstance(features, dict) and "feature" in features):
        features = features[0] if isinstance(features, list) else features["feature"]  # of a list of class labels
    names = features.get("names") if isinstance(features, dict) else None
    return tuple(map(str, names)) if isinstance(names, list) else None


def image_features(schema: pa.Schema) -> list[str]:
    """Columns that Hugging Face's datasets call pictures."""
    features = _features(schema)
    if not isinstance(features, dict):
        return []
    return [name for name, kind in features.items() if isinstance(kind, dict) and kind.get("_type") == "Image"]


def list_columns(names: Iterable[Any]) -> dict[str, str]:
    """`uri` and the labels among the columns of a list: the column that holds each, exact names first."""
    known = [name for name in names if isinstance(name, str)]
    found: dict[str, str] = {}
    for name in sorted(known, key=lambda name: name not in (_URI, *LABELS)):
        label = label_name(name)
        if label in (_URI, *LABELS):
            found.setdefault(label, name)
    return found


def unread_labels(names: Iterable[Any], used: Iterable[str], found: Iterable[str]) -> list[str]:
    """Columns that look like labels and are not read: another name for one that was not found, one misspelt, or one for
    which another column is read.

    Args:
        names: All columns.
        used: Those that are read.
        found: The labels that these give.
    """
    used = set(used)
    found = set(found)
    missing = [label for label in (*LABELS, "license") if label_name(label) not in found]
    return [
        name
        for name in names
        if isinstance(name, str)
        and name not in used
        and (
            label_name(name.partition(AGAIN)[0]) in found & {*LABELS}
            or _looks_like(name.strip().lower().replace(" ", "_"), missing)
        )
    ]


def _looks_like(name: str, labels: list[str]) -> bool:
    return any(name in _LIKE.get(label, ()) for label in labels) or bool(get_close_matches(name, labels, cutoff=0.75))
