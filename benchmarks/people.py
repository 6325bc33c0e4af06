"""Ways of grouping faces into people, against the labels of prepared sets.

python -m benchmarks.people --set SET [--set SET …] [--root ./data] [--photos N]

Each way groups all usable faces of a set, without its labels. Printed are the share of pairs put together that are one
person (precision), the share of pairs of one person that are put together (recall), the adjusted Rand index, groups,
people whose photos are all in one group of their own, and seconds; then, of the way that `mien prepare --identity
cluster` takes, how many faces change their name as photos are added. `--photos` takes so many of each person at most.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow.compute as pc
from sklearn.cluster import HDBSCAN
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.cluster import pair_confusion_matrix

from mien.model.detection.detector import FaceDetector
from mien.model.detection.load import load_detector
from mien.model.identity.clustering import group_people
from mien.model.identity.likenesses import EmbeddingLikenesses, MatrixLikenesses
from mien.storage import Root, open_table
from mien.tasks.prepare.identities import name_groups
from mien.tasks.sets.faces import detector_of, face_tables

Way = Callable[[np.ndarray], np.ndarray]
SHIFTS = (-0.1, -0.05, -0.025, 0.0, 0.05)
"""Of the limit for groups, to see how much hangs on it."""


def hdbscan(similar: np.ndarray, **settings: object) -> np.ndarray:
    """HDBSCAN over the same similarities; what it calls noise are people with one photo."""
    distances = (similar.max() - similar).astype(np.float64)
    np.fill_diagonal(distances, 0)
    found = HDBSCAN(metric="precomputed", copy=True, **settings).fit(distances).labels_  # pyright: ignore
    alone = found < 0
    found[alone] = found.max(initial=0) + 1 + np.arange(alone.sum())
    return found


def ways(detector: FaceDetector) -> dict[str, Way]:
    """By name."""
    pair, group = detector.same_person_similarity, detector.group_similarity
    limits = {f"average linkage at {pair:.3g}, the limit for pairs": pair}
    for shift in SHIFTS:
        limits[f"average linkage at {group + shift:.3g}" + (", the limit for groups" if shift == 0 else "")] = (
            group + shift
        )
    out: dict[str, Way] = {name: lambda similar, at=at: _grouped(similar, at) for name, at in limits.items()}
    for method in ("eom", "leaf"):
        for least in (2, 5, 10):
            out[f"HDBSCAN {method}, least {least}"] = lambda similar, method=method, least=least: hdbscan(
                similar, min_cluster_size=least, min_samples=-(-least // 2), cluster_selection_method=method
            )
    return out


def _grouped(similar: np.ndarray, threshold: float) -> np.ndarray:
    return group_people(MatrixLikenesses(similar), threshold).numbers


def measure(people: np.ndarray, groups: np.ndarray) -> list[str]:
    """The figures of a row, against the labels."""
    (_, wrong), (missed, right) = pair_confusion_matrix(people, groups)
    of_group, of_person = Counter(groups.tolist()), Counter(people.tolist())
    together = Counter(zip(people.tolist(), groups.tolist(), strict=True))
    whole = sum(n == of_group[group] == of_person[person] for (person, group), n in together.items())
    return [
        f"{right / max(right + wrong, 1):.4f}",
        f"{right / max(right + missed, 1):.4f}",
        f"{adjusted_rand_score(people, groups):.4f}",
        str(len(of_group)),
        f"{whole} of {len(of_person)}",
    ]


def table(people: np.ndarray, similar: np.ndarray, detector: FaceDetector) -> None:
    """Prints a row for each way."""
    print("| way | precision | recall | ARI | groups | people whole | s |\n|---|---|---|---|---|---|---|")
    for name, way in ways(detector).items():
        start = time.perf_counter()
        groups = way(similar)
        seconds = time.perf_counter() - start
        print(f"| {name} | {' | '.join(measure(people, groups))} | {seconds:.1f} |", flush=True)


def added(people: np.ndarray, similar: np.ndarray, threshold: float, parts: int = 4) -> str:
    """How names hold while photos are added in so many parts, drawn evenly over all people."""
    order = np.random.default_rng(0).permutation(len(people))
    names: dict[str, str] = {}
    moved = [0]
    for part in np.array_split(np.arange(len(people)), parts):
        now = np.sort(order[: part[-1] + 1])
        ids = [f"{hashlib.sha256(str(index).encode()).hexdigest()}" for index in now]
        found = name_groups(_grouped(similar[np.ix_(now, now)], threshold).tolist(), ids, names)
        moved.append(sum(names.get(face, name) != name for face, name in zip(ids, found, strict=True)))
        names = dict(zip(ids, found, strict=True))
    return f"added in {parts} parts: {', '.join(map(str, moved[2:]))} of {len(people)} faces changed their name"


def usable(root: Root, names: Sequence[str], most: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings and people of the usable faces; at most so many of each person."""
    embeddings, people = [], []
    for name in names:
        taken: Counter[str] = Counter()
        rows = open_table(root, "faces", name).to_table(["identity", "embedding"], filter=pc.field("status") == "ok")
        for row in rows.to_pylist():
            taken[row["identity"]] += 1
            if most is None or taken[row["identity"]] <= most:
                embeddings.append(row["embedding"])
                people.append(f"{name}/{row['identity']}")
    return np.array(embeddings, np.float32), np.unique(people, return_inverse=True)[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--set", dest="sets", action="append", required=True)
    parser.add_argument("--root", default="./data")
    parser.add_argument("--photos", type=int)
    asked = parser.parse_args()
    root = Root(asked.root)
    detector = load_detector(detector_of(root, face_tables(root, asked.sets[0])))
    embeddings, people = usable(root, asked.sets, asked.photos)
    start = time.perf_counter()
    everyone = np.arange(len(embeddings))
    likenesses = EmbeddingLikenesses(embeddings, detector.similarity)
    similar = np.concatenate([likenesses.between(everyone[[row]], everyone) for row in everyone]).astype(np.float32)
    seconds = time.perf_counter() - start
    print(f"{', '.join(asked.sets)}: {len(people)} faces of {people.max() + 1} people, compared in {seconds:.1f} s\n")
    table(people, similar, detector)
    print(f"\n{added(people, similar, detector.group_similarity)}\n")


if __name__ == "__main__":
    main()
