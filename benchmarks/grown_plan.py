"""What one more photo changes in a plan: pairs kept, pairs that are new, and faces that are as they were.

python -m benchmarks.grown_plan [--photos 1000] [--per-identity 10] [--sources 4]

A set of drawn landmarks is planned, gets one more photo, and is planned again, as a night does it: with labels, and
without any, where the clusters of the former plan are kept (and, beside that, found anew).
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.planning import EXPRESSIONS, SIDE_PX
from mien.model.landmarks.reference import reference_shape
from mien.model.plan_rules import PlanRules
from mien.model.source_choice import CHOICES
from mien.storage import Root, commit, fingerprint, read_shard, write_shard
from mien.storage.schemas import FACES, IMAGES
from mien.tasks.plan.counts import PlanOutcome
from mien.tasks.plan.groups import FormerPlan, former_plan
from mien.tasks.plan.pair_shards import commit_pairs, store_round
from mien.tasks.plan.plan import PlanSettings, make_plan
from mien.tasks.sets.faces import FaceTables


@dataclass(frozen=True)
class Photo:
    """A face of a set."""

    number: int
    person: int
    expression: str

    def row(self, labelled: bool) -> dict[str, Any]:
        """Of the table of faces."""
        name = fingerprint(f"face {self.number}")
        return {
            "face_id": name,
            "image_id": name * 2,
            "identity": f"person {self.person:04d}",
            "expression": self.expression if labelled else None,
            "split": "train",
            "landmarks_xy": ((self._shape() / 3 + 1) * SIDE_PX / 2).ravel().astype(np.float32),
            "embedding": np.zeros(128, np.float32),  # all look alike
            "landmark_scheme": "ibug68",
            "status": "ok",
        }

    def _shape(self) -> np.ndarray:
        """The person's own face, and what the expression moves of it, more or less."""
        own, draw = np.random.default_rng(self.person), np.random.default_rng([1, self.number])
        shape = reference_shape() + own.normal(0, 0.02, (68, 2)) + draw.normal(0, 0.006, (68, 2))
        kind = np.random.default_rng([2, sum(self.expression.encode())])
        moved = kind.choice(51, 12, replace=False) + 17
        shape[moved] += kind.normal(0, 0.12, (12, 2)) * draw.uniform(0.3, 1.0)
        return shape


def photos(count: int, each: int) -> list[Photo]:
    """So many of each person, with expressions in turns."""
    return [Photo(number, number // each, EXPRESSIONS[number % len(EXPRESSIONS)]) for number in range(count)]


@dataclass(frozen=True)
class Planned:
    """A plan that is stored."""

    pairs: set[tuple[str, str]]
    """Source and driver."""
    faces: set[tuple[str, ...]]
    """Source, driver and further sources."""
    former: FormerPlan


def planned(
    root: Root,
    of: list[Photo],
    settings: PlanSettings,
    labelled: bool,
    former: FormerPlan | None = None,
) -> Planned:
    """Plans a set of photos, and stores it."""
    rows = [photo.row(labelled) for photo in of]
    shard = write_shard(root, "faces", fingerprint(repr(of) + str(labelled)), pa.Table.from_pylist(rows, schema=FACES))
    photos = [{"image_id": row["image_id"], "uri": "", "version": "1", "status": "ok"} for row in rows]
    listed = write_shard(root, "images", shard.fingerprint, pa.Table.from_pylist(photos, schema=IMAGES))
    images = commit(root, "images", [listed], {})
    about = {"settings": {"alignment": {"size_px": SIDE_PX}, "faces": "dlib"}, "images": images.fingerprint}
    faces = commit(root, "faces", [shard], about)
    tables = FaceTables("drawn", faces.fingerprint, commit(root, "heatmaps", [], {"spec": {}}).fingerprint)
    plan, outcome = make_plan(root, tables, tables, settings, former), PlanOutcome()
    outcome.pairs += store_round(root, next(plan.rounds(outcome)))
    stored = commit_pairs(root, plan, outcome, tables, tables)
    faces: set[tuple[str, ...]] = set()
    for part in outcome.pairs:
        columns = ["identity_face_id", "expression_face_id", "further_source_ids"]
        rows = read_shard(root, "pairs", part.fingerprint, columns).to_pylist()
        faces |= {(row["identity_face_id"], row["expression_face_id"], *row["further_source_ids"]) for row in rows}
    return Planned({face[:2] for face in faces}, faces, former_plan(root, stored.fingerprint))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=1000)
    parser.add_argument("--per-identity", type=int, default=10)
    parser.add_argument("--source", choices=CHOICES, default="turns")
    parser.add_argument("--sources", type=int, default=4)
    asked = parser.parse_args()
    settings = PlanSettings(asked.per_identity, rules=PlanRules(source=asked.source, sources=asked.sources))
    known = Photo(asked.photos, 7, EXPRESSIONS[0])
    stranger = replace(known, person=asked.photos)
    print("| photos of each person | one more photo | labels | pairs | kept | new | faces kept |")
    print("|---|---|---|---|---|---|---|")
    for each, what, photo, labels in (
        (10, "of a known person", known, "labels"),
        (10, "of a new person", stranger, "labels"),
        (10, "with a new label", replace(known, expression="bored"), "labels"),
        (1, "of a new person", stranger, "labels"),
        (10, "of a known person", known, "clusters kept"),
        (10, "of a new person", stranger, "clusters kept"),
        (1, "of a new person", stranger, "clusters kept"),
        (10, "of a known person", known, "clusters found anew"),
    ):
        with tempfile.TemporaryDirectory() as scratch:
            root, before, labelled = Root(scratch), photos(asked.photos, each), labels == "labels"
            first = planned(root, before, settings, labelled)
            former = None if labels == "clusters found anew" else first.former
            later = planned(root, [*before, photo], settings, labelled, former)
        kept, new = len(first.pairs & later.pairs), len(later.pairs - first.pairs)
        made = len(first.faces & later.faces)
        print(f"| {each} | {what} | {labels} | {len(first.pairs):,} | {kept:,} | {new:,} | {made:,} |")


if __name__ == "__main__":
    main()
