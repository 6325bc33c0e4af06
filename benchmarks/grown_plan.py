"""What one more photo changes in a plan: pairs kept and pairs that are new.

python -m benchmarks.grown_plan [--photos 1000] [--per-identity 10]
"""

from __future__ import annotations

import argparse

import numpy as np

from benchmarks.planning import EXPRESSIONS
from mien.model.pair_planning import Planner, PlanRules, plan_faces
from mien.storage import fingerprint

Photo = tuple[str, str, str]
"""Id, person and expression."""


def photos(count: int, each: int) -> list[Photo]:
    """So many of each person, with labels in turns."""
    return [
        (fingerprint(f"face {number}"), f"person {number // each:04d}", EXPRESSIONS[number % len(EXPRESSIONS)])
        for number in range(count)
    ]


def pairs(of: list[Photo], per_identity: int) -> set[tuple[str, str]]:
    """Source and driver of each pair that is planned."""
    ids, people, groups = zip(*of, strict=True)
    faces = plan_faces(np.array(ids, np.bytes_), people, groups, np.full((len(of), 3), np.nan))
    planner = Planner(faces, faces, PlanRules())
    return {
        (pair.identity_face_id, pair.expression_face_id)
        for name in planner.identities
        for pair in planner.pairs(planner.take(name, 0, per_identity))
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=1000)
    parser.add_argument("--per-identity", type=int, default=10)
    asked = parser.parse_args()
    known, new = fingerprint("one more"), "person of one more"
    print("| photos of each person | one more photo | pairs | kept | new |\n|---|---|---|---|---|")
    for each, what, photo in (
        (10, "of a known person", (known, "person 0007", EXPRESSIONS[0])),
        (10, "of a new person", (known, new, EXPRESSIONS[0])),
        (10, "with a new label", (known, "person 0007", "bored")),
        (1, "of a new person", (known, new, EXPRESSIONS[0])),
    ):
        before = photos(asked.photos, each)
        former, later = pairs(before, asked.per_identity), pairs([*before, photo], asked.per_identity)
        print(f"| {each} | {what} | {len(former):,} | {len(former & later):,} | {len(later - former):,} |")


if __name__ == "__main__":
    main()
