"""Faces as a list of pairs names them: by the images that they were found in."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict, cast

from mien.storage import Root, Status, image_name, open_table, read_set
from mien.tasks.errors import UsageError
from mien.tasks.sets.faces import FaceTables


class ListedFace(TypedDict):
    """A face that a line names; of a photo that could not be read, the photo itself."""

    face_id: str
    image_id: str | None
    identity: str | None
    expression: str | None
    status: Status
    reason: str | None


@dataclass(frozen=True)
class ListedFaces:
    """The faces of a set, as lines may name them."""

    set: str
    faces: Mapping[str, ListedFace]
    """The first (largest) face of each image, by the image's name: its URI, of one in an archive or a video with `#`
    and its name or number. Of a photo that a list names twice, the row that is usable."""

    def of(self, uri: str, line: int) -> ListedFace:
        """The face of an image.

        Raises:
            UsageError: the set has no such image.
        """
        uri = uri if uri in self.faces else os.path.abspath(uri)  # local photos are listed by absolute path
        if uri not in self.faces:
            example = next(iter(self.faces), "empty")
            raise UsageError(
                f"line {line} of the list of pairs: {uri} is no image of the set {self.set} (which has e.g. {example})"
            )
        return self.faces[uri]


def listed_faces(root: Root, tables: FaceTables) -> ListedFaces:
    """Those of a set."""
    columns = ["face_id", "image_id", "identity", "expression", "status", "reason"]
    faces: dict[str, ListedFace] = {}
    for row in open_table(root, "faces", tables.faces).to_table(columns=columns).to_pylist():
        known = faces.setdefault(row["image_id"], row)
        if known["face_id"] == row["face_id"] and known["status"] != "ok" and row["status"] == "ok":
            faces[row["image_id"]] = row
    images = open_table(root, "images", read_set(root, tables.name).tables["images"])
    listed = images.to_table(
        columns=["uri", "member", "row", "frame", "image_id", "identity", "expression", "status", "reason"]
    ).to_pylist()
    # A photo that could not be read has no face row; it stands in for itself.
    named = [(image_name(row["uri"], row["member"], row["row"], row["frame"]), row) for row in listed]
    own = ("image_id", "identity", "expression", "status", "reason")
    return ListedFaces(
        tables.name,
        {
            name: faces.get(row["image_id"]) or cast("ListedFace", {key: row[key] for key in own} | {"face_id": name})
            for name, row in named
        },
    )
