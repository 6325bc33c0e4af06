"""What made faces are like, by judges that took no part in the training, on people whom no generator has seen.

python -m benchmarks.judged --root ROOT --set SET [--set SET …] [--generator FOLDER …] [--pairs 120] [--shut 60]
                            [--embedder DETECTOR] [--sheet FILE]

The sets are prepared with crops of 256 px and MediaPipe's landmarks; measured are their people whom none of the
generators was trained on. Each way of `benchmarks/making.py` has a column, and so has the photo that
the result should be, where there is one. The rows are those of `benchmarks/judged_rows.py`. A generator that makes
128 px is enlarged bicubically where 256 px are asked for. FOLDER holds an exported generator. The second embedder is
named as for `mien evaluate`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from benchmarks.judged_pairs import (
    pairs_of_one,
    pairs_of_two,
    shut_eyes_of_one,
    shut_eyes_of_two,
    usual_eyes,
)
from benchmarks.judged_results import LARGE_PX, Judges, Results, Tasks, Way, copies_of, made_by, photos_of
from benchmarks.judged_rows import column, rows, table
from benchmarks.making import (
    Photo,
    Picture,
    about,
    by_copy,
    by_generator,
    by_warp,
    load_generators,
    read_photos,
    seen_people,
)
from mien.model.detection.detector import FaceDetector
from mien.model.detection.load import load_detector
from mien.model.errors import DetectorError
from mien.model.expression.shape_model import ShapeModel
from mien.model.images.codec import encode_png
from mien.model.images.contact_sheet import sample_grid
from mien.model.inference.exported_generator import ExportedGenerator
from mien.storage import Root
from mien.tasks.evaluate.second_embedder import check_embedder

COPY, WARP, PHOTO = "source unchanged", "warp", "photo"
_SHEET_ROWS = 10


def ways_of(generators: dict[str, ExportedGenerator]) -> dict[str, Way]:
    """The columns, by name."""
    ways: dict[str, Way] = {COPY: copies_of, WARP: made_by(by_warp)}
    ways |= {name: made_by(by_generator(generator)) for name, generator in generators.items()}
    return ways | {PHOTO: photos_of}


def unseen(photos: Sequence[Photo], generators: dict[str, ExportedGenerator]) -> tuple[list[Photo], list[str]]:
    """The photos of people whom no generator was trained on, and lines on the generators.

    Where one does not say whom it was trained on, only the people of the val and test splits are taken.
    """
    kept, lines = list(photos), list[str]()
    for name, generator in generators.items():
        lines.append(about(name, generator))
        seen = seen_people(generator, photos)
        if seen is None:
            lines.append(f"WARNING: {name} does not say whom it was trained on: people of val and test are taken")
            kept = [photo for photo in kept if photo.split in ("val", "test")]
        else:
            kept = [photo for photo in kept if photo.person not in seen]
    return kept, lines


def tasks_of(photos: Sequence[Photo], everybody: Sequence[Photo], model: ShapeModel, pairs: int, shut: int) -> Tasks:
    """What is asked for: of people who are measured, with expressions of each other; shut eyes may be of anybody."""
    usual = usual_eyes(everybody)
    return Tasks(
        pairs_of_one(photos, pairs),
        pairs_of_two(photos, model, pairs),
        shut_eyes_of_one(photos, usual, shut),
        shut_eyes_of_two(photos, everybody, model, usual, shut),
        usual,
    )


def said(tasks: Tasks, judges: Judges) -> Iterator[str]:
    """What is measured, and by whom."""
    one, two = tasks.one, tasks.two
    people = len({photo.person for photo in one.firsts})
    yield f"{people} people whom no generator was trained on; {len(one)} pairs of one person, {len(two)} of two"
    yield f"shut eyes asked of open ones: {len(tasks.shut_one)} pairs of one person, {len(tasks.shut_two)} of two"
    yield f"openings and people by {judges.mesh.name}; training may have learnt from both, dlib's embedding above all"
    yield "no other landmarks: dlib is not installed" if judges.points is None else "other landmarks: dlib"
    if judges.embedder is None:
        yield "no second embedder: name one with --embedder"


def sheet(ways: dict[str, Way], tasks: Tasks) -> Picture:
    """The first pairs of two people and the first with shut eyes, not chosen by how they came out."""
    columns: dict[str, list[np.ndarray]] = {"source": [], "driver": []}
    for pairs in (tasks.two, tasks.shut_two):
        if not len(pairs):
            continue
        few = pairs.first(_SHEET_ROWS)
        columns["source"].append(by_copy(few.sources, few.expressions, LARGE_PX))
        columns["driver"].append(few.photos(LARGE_PX))
        for name, way in ways.items():
            if name not in (COPY, PHOTO) and (made := way(few, LARGE_PX)) is not None:
                columns.setdefault(name, []).append(made)
    return sample_grid([np.concatenate(parts) for parts in columns.values()], list(columns))


def _dlib() -> FaceDetector | None:
    try:
        return load_detector("dlib")
    except DetectorError:
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default="./data")
    parser.add_argument("--set", dest="sets", action="append", required=True)
    parser.add_argument("--generator", dest="generators", action="append", type=Path, default=[])
    parser.add_argument("--pairs", type=int, default=120, help="of one person, and of two")
    parser.add_argument("--shut", type=int, default=60, help="pairs with shut eyes, of each kind, at most")
    parser.add_argument("--embedder", help="a second one, named like a detector")
    parser.add_argument("--sheet", type=Path, help="PNG with the first pairs of two people and with shut eyes")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    check_embedder(asked.embedder, "--embedder")
    generators = load_generators(asked.generators)
    everybody, model = read_photos(Root(asked.root), asked.sets)
    if any(photo.keypoints.scheme != "mediapipe478" or len(photo.crop) < LARGE_PX for photo in everybody):
        parser.error(f"prepare the sets with --faces mediapipe --crop-size {LARGE_PX}")
    photos, lines = unseen(everybody, generators)
    tasks = tasks_of(photos, everybody, model, asked.pairs, asked.shut)
    judges = Judges(load_detector("mediapipe"), _dlib(), load_detector(asked.embedder) if asked.embedder else None)
    print(*lines, *said(tasks, judges), "", sep="\n", flush=True)
    ways, measures = ways_of(generators), list(rows(judges.embedder is not None))
    columns = {name: column(Results(way, tasks, judges), measures) for name, way in ways.items()}
    print(*table(measures, columns), sep="\n")
    if asked.sheet:
        asked.sheet.write_bytes(encode_png(sheet(ways, tasks)))


if __name__ == "__main__":
    main()
