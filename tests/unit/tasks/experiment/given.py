"""What the tests of experiments begin with: a root of drawn people, and a generator that says whom it saw."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from mien.storage import Root, open_table
from mien.tasks.experiment.measure import Setup
from mien.tasks.experiment.subjects import Subjects, choose_subjects
from mien.tasks.generator.trained_on import Shown, TrainedOn
from mien.tasks.sets.faces import face_tables
from mien.tasks.sets.subset import make_subset
from tests.small_root import GENERATED, PREPARED, draw_photos, generate, prepare, rows_of

PEOPLE, EACH = 5, 4


def drawn_root(folder: Path) -> Root:
    """Five people with four photos each, and a generated set of them."""
    draw_photos(folder / "photos", PEOPLE, EACH)
    root = Root(str(folder / "root"))
    generate(root, prepare(root, folder / "photos"))
    return root


def generator(root: Root, *people: str) -> str:
    """The hash of one that was trained on these people of the set."""
    shown = [
        Shown(PREPARED, row["identity"], row["image_id"])
        for row in rows_of(root, "faces", PREPARED)
        if row["identity"] in people
    ]
    sha256 = "a" * 64
    config = {"provenance": {"trained_on": TrainedOn.of(shown, "salt").as_json()}}
    root.write_bytes(f"models/{sha256}/config.json", json.dumps(config).encode())
    return sha256


def enrolled_like_the_generated(root: Root, people: Sequence[str] = ()) -> tuple[Subjects, Setup]:
    """The people, their known photos being the sources of the generated set."""
    tables = face_tables(root, PREPARED)
    subjects = choose_subjects(root, tables, generator(root), None)
    sources: dict[str, str] = {}
    made = open_table(root, "transfers", GENERATED).to_table(columns=["identity", "identity_face_id"]).to_pylist()
    for row in made:
        sources[row["identity"]] = row["identity_face_id"]
    ids = tuple(sources[name] for name in subjects.people if not people or name in people)
    enrolled = make_subset(root, "known", tables, ids)
    probes = tuple(probe.face_id for probe in subjects.probes if probe.face_id not in ids)
    return subjects, Setup(tables, enrolled, ids, probes)
