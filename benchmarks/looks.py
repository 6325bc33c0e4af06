"""Which further photos of a person show glasses where the source has none, or the other way round, and what helps.

python -m benchmarks.looks --root ROOT --set SET [--further 3] [--drivers 20]

SET is the AT&T (ORL) faces: `mien prepare sample:orl --set SET`. Seven of its people wear glasses in some of their
photos. Each photo is the source of faces with expressions of drawn other people; their further sources are the photos
of the person whose landmarks are nearest to what is asked for, of those as similar as a limit asks. Printed are, by
limit, the share of further sources of the seven with another state of the glasses; and of the others, who have none to
mix up, what the limit costs: how many further sources are left, and how far the nearest photo is (root mean square of
the landmarks over the distance of the eyes).
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np

from mien.model.detection.load import load_detector
from mien.model.expression.common_face import on_common_face
from mien.model.source_choice import FaceLooks, FaceShapes, further_sources, look_similarity
from mien.storage import Root
from mien.tasks.sets.face_columns import common_points, embedding_of
from mien.tasks.sets.faces import crop_size_px, detector_of, face_tables, photos_of, usable_faces

WITH_GLASSES = {
    "s4": (1, 2, 3, 8, 9),
    "s7": (4, 5, 10),
    "s13": (1, 2, 5, 6, 7, 8, 9, 10),
    "s17": (1, 2, 5, 6, 7, 8, 9, 10),
    "s19": (1, 2, 3, 6, 10),
    "s20": (1, 2, 3, 5, 7, 8, 9, 10),
    "s36": (9, 10),
}
"""Numbers of the photos, of the people who do not wear them in all."""
LIMITS = (-np.inf, 0.54, 0.58, 0.6, 0.62, 0.64, 0.66, 0.7)


@dataclass(frozen=True)
class Photos:
    """Of the set."""

    people: np.ndarray
    glasses: np.ndarray
    """Whether the photo is one of `WITH_GLASSES`."""
    shapes: FaceShapes
    looks: FaceLooks

    def with_limit(self, least: float) -> FaceLooks:
        return FaceLooks(self.looks.embeddings, self.looks.similarity, least)


def read_photos(root: Root, name: str) -> Photos:
    tables = face_tables(root, name)
    columns = ["face_id", "image_id", "identity", "landmarks_xy", "landmark_scheme", "embedding"]
    rows = sorted(usable_faces(root, [tables], columns), key=lambda row: row["face_id"])
    uris = photos_of(root, [tables], {row["image_id"] for row in rows}, ["uri"])
    numbers = [int(uris[row["image_id"]]["uri"].rpartition("/")[2].partition(".")[0]) for row in rows]
    people = np.array([str(row["identity"]) for row in rows])
    glasses = np.array([n in WITH_GLASSES.get(who, ()) for who, n in zip(people.tolist(), numbers, strict=True)])
    points = np.stack([common_points(row, crop_size_px(root, tables)) for row in rows])
    shapes = on_common_face(points, np.unique(people, return_inverse=True)[1])
    detector = load_detector(detector_of(root, tables))
    embeddings = np.stack([embedding_of(row) for row in rows]).astype(np.float16)
    looks = FaceLooks(embeddings, detector.similarity, look_similarity(detector.group_similarity))
    return Photos(people, glasses, FaceShapes(shapes, shapes), looks)


def separation(photos: Photos) -> list[float]:
    """For each of the people how often the similarity of two photos of one state is above that of two of both (AUC)."""
    found = list[float]()
    for who in WITH_GLASSES:
        rows = np.flatnonzero(photos.people == who)
        shown = photos.looks.embeddings[rows].astype(np.float64)
        similar = photos.looks.similarity(*np.broadcast_arrays(shown[:, None], shown[None]))
        pairs = np.triu(np.ones(similar.shape, np.bool_), 1)
        one = photos.glasses[rows][:, None] == photos.glasses[rows][None]
        found.append(float(np.mean(similar[pairs & one][:, None] > similar[pairs & ~one][None])))
    return found


def chosen(photos: Photos, people: list[str], least: float, count: int, each: int) -> tuple[float, float, float]:
    """Share of further sources of another state, how many a face has, and how far the nearest of all its sources is."""
    draw, looks = np.random.default_rng(0), photos.with_limit(least)
    astray, left, near = list[bool](), list[int](), list[float]()
    for who in people:
        rows, others = (np.flatnonzero(found) for found in (photos.people == who, photos.people != who))
        alike = looks.alike(rows)
        for source in range(len(rows)):
            drivers = draw.choice(others, each)
            apart = photos.shapes.distances(rows, drivers)
            free = alike[source] & (np.arange(len(rows)) != source)
            further = further_sources(np.where(free, apart, np.inf), count)
            for taken, distances in zip(further, apart, strict=True):
                some = taken[taken >= 0]
                astray += (photos.glasses[rows[some]] != photos.glasses[rows[source]]).tolist()
                left.append(len(some))
                near.append(float(distances[[source, *some]].min()))
    return float(np.mean(astray)) if astray else 0.0, float(np.mean(left)), float(np.mean(near))


def main() -> None:
    parser = argparse.ArgumentParser(description="Which further photos show another look than the source.")
    parser.add_argument("--root", default="./data")
    parser.add_argument("--set", required=True)
    parser.add_argument("--further", type=int, default=3, help="further sources of a face")
    parser.add_argument("--drivers", type=int, default=20, help="of each source")
    asked = parser.parse_args()
    photos = read_photos(Root(asked.root), asked.set)
    aucs = separation(photos)
    print(f"AUC of the similarity by person: {', '.join(f'{auc:.2f}' for auc in aucs)}; mean {np.mean(aucs):.3f}\n")
    print("| least similarity | other glasses | further sources | nearest | of the others: further sources | nearest |")
    print("|---|---|---|---|---|---|")
    rest = sorted(set(photos.people.tolist()) - set(WITH_GLASSES))
    for least in LIMITS:
        astray, left, near = chosen(photos, list(WITH_GLASSES), least, asked.further, asked.drivers)
        _, of_rest, near_rest = chosen(photos, rest, least, asked.further, asked.drivers)
        used = " (in use)" if np.isclose(least, photos.looks.least) else ""
        name = "any" if np.isinf(least) else f"{least:.2f}{used}"
        print(f"| {name} | {astray:.1%} | {left:.2f} | {near:.4f} | {of_rest:.2f} | {near_rest:.4f} |")


if __name__ == "__main__":
    main()
