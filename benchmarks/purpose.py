"""Whether generated faces help a recogniser: one photo of each of 40 people to train with, their other photos to name.

python -m benchmarks.purpose --root ROOT --set SET [--generator FOLDER …] [--faces 20] [--seeds 3] [--updates 400]
                             [--sheet FILE]

The people are those of the AT&T (ORL) faces, each with one photo. So many faces of each are made with expressions of
photos of the prepared sets, and a compact network is trained from nothing on photos and made faces, with the same
number of updates and of pictures per update in each row. Printed is the share of the other photos that it gives the
right name (rank-1): mean over the seeds, ± half of their range, and in brackets the difference from the row "photos
alone" of the same column, paired by seed. FOLDER holds an exported generator; one that was trained on these people is
no test, and the output says so.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float, Int, UInt8

from benchmarks.making import (
    Expression,
    Photo,
    Picture,
    Pictures,
    about,
    by_copy,
    by_generator,
    by_warp,
    load_generators,
    own_expressions,
    read_photos,
    retargeted,
    seen_people,
)
from benchmarks.recogniser import BATCH, SIDE_PX, GreyFaces, rank_1, trained
from mien.model.detection.crop import align_face
from mien.model.detection.detector import FaceDetector, find_each
from mien.model.detection.load import load_detector
from mien.model.expression.retargeting import neutral_landmarks
from mien.model.expression.shape_model import ShapeModel
from mien.model.images.codec import decode_rgb, encode_png
from mien.model.images.contact_sheet import sample_grid
from mien.model.inference.exported_generator import ExportedGenerator
from mien.model.inference.face_keypoints import Keypoints
from mien.model.landmarks.reference import AlignmentSettings
from mien.storage import Root, list_images, read_source
from mien.tasks.generator.trained_on import Shown
from mien.tasks.sets.faces import detector_of, face_tables, prepare_settings

IMAGES, SET = "sample:orl", "orl"
CROP_PX = 128
FIRST = "1.pgm"
"""Of each person the photo that is trained on; they look calm in it."""
DRIVERS_SEED = 0
ALONE = "photos alone"
_AT_ONCE = 32
_SHEET_ROWS = 12


@dataclass(frozen=True)
class People:
    """The people to be recognised."""

    sources: list[Photo]
    """One photo of each, in the order of their numbers."""
    probes: list[Photo]
    """Their other photos."""
    missed: int
    """Other photos in which no face was found; they are left out in every row."""

    @property
    def of_probes(self) -> Int[np.ndarray, " probes"]:
        """Numbers of their people."""
        names = [photo.person for photo in self.sources]
        return np.array([names.index(photo.person) for photo in self.probes], np.int64)


@dataclass(frozen=True)
class Row:
    """Pictures that are added to the photos: as many of each person."""

    name: str
    made: Pictures | None


# --- Read and make ----------------------------------------------------------------------------------------------------


def read_people(detector: FaceDetector, alignment: AlignmentSettings, model: ShapeModel) -> People:
    """Finds and aligns the faces of the sample."""
    sources, probes, missed = list[Photo](), list[Photo](), 0
    items = sorted(list_images([IMAGES]), key=lambda item: item.uri)
    for start in range(0, len(items), _AT_ONCE):
        some = items[start : start + _AT_ONCE]
        data = [read_source(item.uri) for item in some]
        pixels = [decode_rgb(each) for each in data]
        for item, bytes_, image, found in zip(some, data, pixels, find_each(detector, pixels), strict=True):
            _, person, name = item.uri.rsplit("/", 2)
            if not found:
                missed += 1
                continue
            aligned = align_face(image, found[0], alignment)
            keypoints = Keypoints(aligned.landmarks_xy, found[0].scheme, alignment.size_px)
            points = keypoints.points().astype(np.float64)
            shown = Shown(SET, person, sha256(bytes_).hexdigest())
            photo = Photo(aligned.crop, keypoints, points, neutral_landmarks(points[None], model), shown, "")
            (sources if name == FIRST else probes).append(photo)
    return People(sources, probes, missed)


def drawn_drivers(photos: Sequence[Photo], people: int, each: int) -> list[Photo]:
    """So many photos for each of the people, those of one of different drivers as long as there are enough."""
    random, drivers = np.random.default_rng(DRIVERS_SEED), sorted({photo.person for photo in photos})
    of_driver = {name: [photo for photo in photos if photo.person == name] for name in drivers}
    chosen: list[Photo] = []
    for _ in range(people):
        turns = np.concatenate([random.permutation(len(drivers)) for _ in range(-(-each // len(drivers)))])[:each]
        chosen += [own[random.integers(len(own))] for own in (of_driver[drivers[turn]] for turn in turns.tolist())]
    return chosen


def rows_of(
    sources: Sequence[Photo], expressions: Sequence[Expression], generators: dict[str, ExportedGenerator]
) -> Iterator[Row]:
    """What is compared; `sources` are repeated, one for each expression."""
    given = [(photo,) for photo in sources]
    yield Row(ALONE, None)
    yield Row("and copies of them", by_copy(given, expressions, CROP_PX))
    yield Row("and warps", by_warp(given, expressions, CROP_PX))
    for name, generator in generators.items():
        make = by_generator(generator)
        yield Row(f"and faces of {name}", make(given, expressions, CROP_PX))
        yield Row(f"and {name} asked for the photo's own expression", make(given, own_expressions(sources), CROP_PX))


# --- Train and measure ------------------------------------------------------------------------------------------------


def as_seen(pictures: Iterable[Picture]) -> GreyFaces:
    """As the recogniser sees them."""
    grey = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in pictures]
    return np.stack([cv2.resize(one, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA) for one in grey])


def check_apart(faces: GreyFaces, probes: UInt8[np.ndarray, "probes side side"]) -> None:
    """Raises ValueError where a probe is among the pictures that are trained on."""
    both = _hashes(faces) & _hashes(probes)
    if both:
        raise ValueError(f"{len(both)} of the photos to be named are trained on: such a result means nothing")


def _hashes(faces: Iterable[np.ndarray]) -> set[str]:
    return {sha256(face.tobytes()).hexdigest() for face in faces}


def check_files_apart(trained_on: Iterable[Photo], probes: Iterable[Photo]) -> None:
    """Raises ValueError where the file of a probe is that of a photo whose pixels or landmarks are used."""
    both = {photo.shown.image_id for photo in trained_on} & {photo.shown.image_id for photo in probes}
    if both:
        raise ValueError(f"{len(both)} of the photos to be named are used to train: name a set of other people")


def ranks(row: Row, people: People, updates: int, seeds: int, *, augmented: bool) -> Float[np.ndarray, " seeds"]:
    """Rank-1 by seed."""
    faces, probes, numbers = (
        as_seen(photo.crop for photo in people.sources),
        as_seen(photo.crop for photo in people.probes),
        np.arange(len(people.sources)),
    )
    if row.made is not None:
        each = len(row.made) // len(people.sources)
        faces = np.concatenate([faces, as_seen(row.made)])
        numbers = np.concatenate([numbers, np.repeat(numbers, each)])
    check_apart(faces, probes)
    models = [trained(faces, numbers, updates, seed, augmented=augmented) for seed in range(seeds)]
    return np.array([rank_1(model, probes, people.of_probes) for model in models])


def spread(values: Float[np.ndarray, " seeds"]) -> float:
    """Half of the range."""
    return float(np.ptp(values)) / 2


def cell(values: Float[np.ndarray, " seeds"], base: Float[np.ndarray, " seeds"] | None) -> str:
    """Rank-1 in percent, and the difference from the base with the same seeds."""
    told = f"{100 * values.mean():.1f} ± {100 * spread(values):.1f}"
    if base is None:
        return told
    apart = values - base
    return f"{told} ({100 * apart.mean():+.1f} ± {100 * spread(apart):.1f})"


def measure(rows: Iterable[Row], people: People, updates: int, seeds: int) -> list[Row]:
    """Prints a line for each row as soon as it is measured."""
    print(f"| {updates} updates of {BATCH} pictures, {seeds} seeds | rank-1, % | with the usual augmentation |")
    print("|---|---|---|", flush=True)
    bases: list[Float[np.ndarray, " seeds"]] | None = None
    done: list[Row] = []
    for row in rows:
        found = [ranks(row, people, updates, seeds, augmented=augmented) for augmented in (False, True)]
        cells = [cell(values, None if bases is None else bases[n]) for n, values in enumerate(found)]
        bases = bases or found
        print(f"| {row.name} | {' | '.join(cells)} |", flush=True)
        done.append(row)
    return done


# --- Tell -------------------------------------------------------------------------------------------------------------


def warnings(generators: dict[str, ExportedGenerator], people: People) -> Iterator[str]:
    """What each generator was trained on, and whether it knows the people."""
    for name, generator in generators.items():
        yield about(name, generator)
        seen = seen_people(generator, [*people.sources, *people.probes])
        if seen is None:
            yield f"WARNING: {name} does not say whom it was trained on; if it was these people, its rows mean nothing"
        elif seen:
            yield f"WARNING: {name} was trained on {len(seen)} of these people: its rows mean nothing"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default="./data")
    parser.add_argument("--set", dest="sets", action="append", required=True, help="whose expressions are taken")
    parser.add_argument("--generator", dest="generators", action="append", type=Path, default=[])
    parser.add_argument("--faces", type=int, default=20, help="made of each person")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--updates", type=int, default=400)
    parser.add_argument("--sheet", type=Path, help="PNG with some of the faces of each row")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    root, generators = Root(asked.root), load_generators(asked.generators)
    tables = face_tables(root, asked.sets[0])
    alignment = AlignmentSettings(**prepare_settings(root, tables)["alignment"] | {"size_px": CROP_PX})
    photos, model = read_photos(root, asked.sets)
    people = read_people(load_detector(detector_of(root, tables)), alignment, model)
    drivers = drawn_drivers(photos, len(people.sources), asked.faces)
    check_files_apart([*people.sources, *drivers], people.probes)
    print(f"{len(people.sources)} people with a photo each, {len(people.probes)} other photos to name", end="")
    print(f" ({people.missed} more without a face); {asked.faces} faces of each with expressions of", end=" ")
    print(f"{', '.join(asked.sets)}", *warnings(generators, people), "", sep="\n")
    sources = [photo for photo in people.sources for _ in range(asked.faces)]
    rows = rows_of(sources, retargeted(sources, drivers, model), generators)
    done = measure(rows, people, asked.updates, asked.seeds)
    if asked.sheet:
        asked.sheet.write_bytes(encode_png(sheet(done)))


def sheet(rows: Sequence[Row]) -> Picture:
    """The first made faces of people far apart, a column for each row."""
    made = {row.name.removeprefix("and "): row.made for row in rows if row.made is not None}
    chosen = np.linspace(0, min(map(len, made.values())) - 1, _SHEET_ROWS).astype(int)
    return sample_grid([pictures[chosen] for pictures in made.values()], [name[:22] for name in made])


if __name__ == "__main__":
    main()
