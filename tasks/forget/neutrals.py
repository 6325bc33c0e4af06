"""Neutrals without a person: other people's stay as they were, so that their faces can be reproduced."""

from __future__ import annotations

import io
from zipfile import BadZipFile

import numpy as np

from mien.storage import Root, fingerprint
from mien.tasks.forget.subject import Subject

FOLDER = "neutrals"


def affected_neutrals(root: Root, subject: Subject) -> dict[str, str]:
    """New name by name of every file of neutrals that has one of the person's faces."""
    found: dict[str, str] = {}
    for file in root.list(FOLDER):
        name = file.removesuffix(".npz")
        if content := _without(root.read_bytes(f"{FOLDER}/{file}"), subject):
            found[name] = fingerprint({"without": name, "faces": content[0]})
    return found


def rewrite_neutrals(root: Root, names: dict[str, str], subject: Subject) -> None:
    """Writes them under the new names."""
    for name, new in names.items():
        if root.exists(f"{FOLDER}/{name}.npz") and (content := _without(root.read_bytes(_path(name)), subject)):
            root.write_bytes(_path(new), content[1])


def _path(name: str) -> str:
    return f"{FOLDER}/{name}.npz"


def _without(data: bytes, subject: Subject) -> tuple[list[str], bytes] | None:
    """The faces that stay, and the file with these alone; None where none goes."""
    try:
        with np.load(io.BytesIO(data)) as content:
            arrays = {name: content[name] for name in content.files}
            face_ids, rows, shapes = (arrays[name] for name in ("face_ids", "rows", "shapes"))
    except (ValueError, KeyError, OSError, EOFError, BadZipFile):
        return ([], b"") if any(face.encode() in data for face in subject.faces) else None
    names = [face.decode() if isinstance(face, bytes) else str(face) for face in face_ids.tolist()]
    stay = np.array([name not in subject.faces for name in names], bool)
    if stay.all():
        return None
    kept, numbers = np.unique(rows[stay], return_inverse=True)
    of_faces = {name: values[stay] for name, values in arrays.items() if values.shape[:1] == face_ids.shape}
    changed = {"rows": numbers.astype(np.int64), "shapes": shapes[kept]}
    file = io.BytesIO()
    np.savez(file, **(arrays | of_faces | changed))  # pyright: ignore[reportArgumentType]
    return [name for name, stays in zip(names, stay, strict=True) if stays], file.getvalue()
