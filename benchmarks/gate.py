"""What the gate accepts: of copies, damaged pictures and real photos, by how much change was asked for.

python -m benchmarks.gate ROOT SET... [--pairs 200] [--washed FOLDER] [--generator FOLDER] [--sheet FILE]

The sets are prepared ones of ROOT. FOLDER holds an exported generator: `--washed` one of a training of 7 updates,
`--generator` one that was trained. Both must not know the people of the sets where it matters. Of each set the limits
are calibrated as a job does, then each way makes a picture of the same pairs of two people; `real photo` is another
photo of the source's person, judged as if its expression had been asked for. `--sheet` writes a picture of some pairs.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8

from mien.model.detection.load import load_detector
from mien.model.evaluation.pairs import same_person_pairs
from mien.model.expression.retargeting import Faces, RetargetSettings, neutrals_by_person, retarget
from mien.model.images.codec import encode_png, resize_rgb
from mien.model.images.contact_sheet import sample_grid
from mien.model.inference.baselines import spline_warped
from mien.model.inference.exported_generator import ExportedGenerator
from mien.model.inference.face_keypoints import Keypoints, asked_keypoints, of_one_scheme
from mien.model.landmarks.crop_units import to_px
from mien.model.quality.face_measures import Asked
from mien.model.quality.gate import GateSettings
from mien.model.quality.judge import Judgement, SourceView, TargetFace, judge_faces, view_sources
from mien.storage import Root
from mien.tasks.sets.face_columns import common_points, crop_of, embedding_of, landmarks_px, scheme_of
from mien.tasks.sets.faces import crop_size_px, detector_of, face_tables, read_faces, usable_faces
from mien.tasks.sets.people import people_of
from mien.tasks.sets.reasons import reason_kind
from mien.tasks.transfer.gate_limits import calibrate

SIDE_PX = 128
BLUR_PX = 1.5
SEED = 0
_BATCH = 16
_COLUMNS = ["identity", "crop", "landmarks_xy", "landmark_scheme", "embedding"]
_AMOUNTS: tuple[Asked, ...] = ("little", "middle", "large")
_SHEET_ROWS = 12

Pictures = UInt8[np.ndarray, "pairs side side 3"]
Points = Float[np.ndarray, "pairs 68 2"]


@dataclass(frozen=True)
class Pairs:
    """Sources and drivers by row, and the landmarks that are asked for."""

    sources: np.ndarray
    drivers: np.ndarray
    asked: Points


class LabelledSet:
    """The labelled faces of a prepared set."""

    def __init__(self, root: Root, name: str) -> None:
        self.root, self.tables = root, face_tables(root, name)
        self.side_px = crop_size_px(root, self.tables)
        self.detector = load_detector(detector_of(root, self.tables))
        rows = [row for row in usable_faces(root, [self.tables], ["face_id", "identity"]) if row["identity"]]
        found = read_faces(root, [self.tables], {row["face_id"] for row in rows}, _COLUMNS)
        faces = [found[row["face_id"]] for row in rows]
        self.labels = [str(face["identity"]) for face in faces]
        self.people = np.unique(np.array(self.labels), return_inverse=True)[1]
        self.points = np.stack([common_points(face, self.side_px) for face in faces]).astype(np.float64)
        self.embeddings = np.stack([embedding_of(face) for face in faces])
        self.neutrals = neutrals_by_person(self.points, self.people)[self.people]
        self._crops = [face["crop"] for face in faces]
        self._rows = faces
        self._views: dict[int, SourceView | None] = {}

    def crop(self, row: int, side_px: int = SIDE_PX) -> UInt8[np.ndarray, "side side 3"]:
        """The pixels of a face."""
        return resize_rgb(crop_of(self._rows[row]), side_px)

    def crops(self, rows: np.ndarray, side_px: int = SIDE_PX) -> Pictures:
        """Those of several."""
        return np.stack([self.crop(row, side_px) for row in rows.tolist()])

    def keypoints(self, row: int) -> Keypoints:
        """The landmarks of a face as the table has them."""
        return Keypoints(landmarks_px(self._rows[row]), scheme_of(self._rows[row]), self.side_px)

    def view(self, row: int) -> SourceView | None:
        """A face as the judge sees it."""
        if row not in self._views:
            self._views[row] = view_sources(self.detector, [self.crop(row)], [self.points[row]])[0]
        return self._views[row]

    def two_people(self, count: int) -> Pairs:
        """Seeded pairs of photos of two people, with the retargeted landmarks."""
        random = np.random.default_rng(SEED)
        sources, drivers = random.integers(len(self.people), size=(2, 4 * count))
        apart = np.flatnonzero(self.people[sources] != self.people[drivers])[:count]
        sources, drivers = sources[apart], drivers[apart]
        source, driver = (Faces(self.points[rows], self.neutrals[rows]) for rows in (sources, drivers))
        return Pairs(sources, drivers, retarget(source, driver, RetargetSettings()))

    def one_person(self, count: int) -> Pairs:
        """Pairs of photos of one person; the second shows what is asked for."""
        sources, targets = same_person_pairs(self.people, count, SEED)
        return Pairs(sources, targets, self.points[targets])


def pasted(faces: LabelledSet, pairs: Pairs) -> Pictures:
    """The sources with the drivers' inner faces in their place. Crops are aligned, so they lie where they should."""
    pictures: list[np.ndarray] = []
    for source, driver in zip(pairs.sources.tolist(), pairs.drivers.tolist(), strict=True):
        inner = np.rint(to_px(faces.points[driver, 17:], SIDE_PX)).astype(np.int32)
        mask = cv2.fillConvexPoly(np.zeros((SIDE_PX, SIDE_PX), np.uint8), cv2.convexHull(inner), 255)
        mask = cv2.dilate(mask, np.ones((9, 9), np.uint8))
        mask[[0, -1]] = mask[:, [0, -1]] = 0  # seamlessClone wants a border
        left, top, width, height = cv2.boundingRect(mask)
        middle = (left + width // 2, top + height // 2)
        clone = cv2.seamlessClone(faces.crop(driver), faces.crop(source), mask, middle, cv2.NORMAL_CLONE)
        pictures.append(np.asarray(clone, np.uint8))
    return np.stack(pictures)


def generated(faces: LabelledSet, pairs: Pairs, folder: Path) -> Pictures:
    """What an exported generator makes of the pairs."""
    generator, side_px = ExportedGenerator.load(folder), faces.side_px

    parts: list[np.ndarray] = []
    for start in range(0, len(pairs.sources), _BATCH):
        some = slice(start, start + _BATCH)
        own, asked = faces.points[pairs.sources[some]], pairs.asked[some]
        drawn = [
            _heatmaps(faces, generator, source, driver, points)
            for source, driver, points in zip(pairs.sources[some], pairs.drivers[some], asked, strict=True)
        ]
        parts.append(
            generator.generate(
                faces.crops(pairs.sources[some], side_px)[:, None],
                source_heatmaps=np.stack([of_source for of_source, _ in drawn])[:, None],
                target_heatmaps=np.stack([of_target for _, of_target in drawn]),
                source_points=own.astype(np.float32)[:, None],
                target_points=asked.astype(np.float32),
            )
        )
    return np.stack([resize_rgb(image, SIDE_PX) for image in np.concatenate(parts)])


def _heatmaps(
    faces: LabelledSet, generator: ExportedGenerator, source: int, driver: int, asked: Float[np.ndarray, "68 2"]
) -> tuple[np.ndarray, np.ndarray]:
    """Of a source and of what is asked of it, as a transfer draws them."""
    shown, expressed = of_one_scheme(faces.keypoints(source), faces.keypoints(driver), generator.scheme)
    spec = generator.heatmap_spec
    return shown.heatmap(spec), asked_keypoints(shown, expressed, asked).heatmap(spec)


def judged(
    faces: LabelledSet, pairs: Pairs, pictures: Pictures, gate: GateSettings, *, two_people: bool
) -> list[Judgement]:
    """What the gate says of the pictures."""
    people = people_of(faces.root, faces.tables, faces.detector)
    targets = [
        TargetFace(
            source_embedding=faces.embeddings[source],
            driver_embedding=faces.embeddings[driver] if two_people else None,
            source_points=faces.points[source],
            asked_points=pairs.asked[number],
            source=faces.view(source),
            person=faces.labels[source],
            people=people,
        )
        for number, (source, driver) in enumerate(zip(pairs.sources.tolist(), pairs.drivers.tolist(), strict=True))
    ]
    return judge_faces(faces.detector, list(pictures), targets, gate)


def ways(
    faces: LabelledSet, pairs: Pairs, washed: Path | None, generator: Path | None
) -> Iterator[tuple[str, Pictures]]:
    """What is made of pairs of two people, by name."""
    sources = faces.crops(pairs.sources)
    yield "unchanged copy", sources
    yield f"copy blurred by {BLUR_PX:g} px", np.stack([cv2.GaussianBlur(image, (0, 0), BLUR_PX) for image in sources])
    yield "driver's inner face pasted in", pasted(faces, pairs)
    if washed:
        yield "generator of 7 updates", generated(faces, pairs, washed)
    yield "training-free warp", spline_warped(sources, faces.points[pairs.sources], pairs.asked)
    if generator:
        yield "trained generator", generated(faces, pairs, generator)


def row(name: str, found: Sequence[Judgement]) -> str:
    """Accepted shares by asked change, and the most frequent reasons, as a row in markdown."""
    cells: list[str] = []
    for amount in _AMOUNTS:
        of_amount = [each.reason is None for each in found if each.asked == amount]
        cells.append(f"{np.mean(of_amount):.1%} of {len(of_amount)}" if of_amount else "–")
    asked = [each.reason is None for each in found if each.asked in ("middle", "large")]
    cells.append(f"**{np.mean(asked):.1%}** of {len(asked)}" if asked else "–")
    kinds = Counter(reason_kind(each.reason) for each in found if each.reason and each.asked != "little")
    why = ", ".join(f"{reason} {count}" for reason, count in kinds.most_common(3))
    return f"| {name} | {' | '.join(cells)} | {why} |"


def measure(root: Root, name: str, asked: argparse.Namespace) -> list[np.ndarray]:
    """Prints the table of a set; returns the columns of a sheet."""
    faces = LabelledSet(root, name)
    found = calibrate(root, faces.tables, size_px=SIDE_PX)
    print(f"\n### {name}: {found.faces} photos, {found.people} people\n")
    print("\n".join(found.lines()), end="\n\n")
    print("| picture | little asked | middle | large | a change is asked for | why not, where a change is asked for |")
    print("|---|---|---|---|---|---|")
    pairs = faces.two_people(asked.pairs)
    shown = [faces.crops(pairs.drivers)]
    for way, pictures in ways(faces, pairs, asked.washed, asked.generator):
        print(row(way, judged(faces, pairs, pictures, found.gate, two_people=True)), flush=True)
        shown.append(pictures)
    own = faces.one_person(asked.pairs)
    print(row("real photo", judged(faces, own, faces.crops(own.drivers), found.gate, two_people=False)), flush=True)
    return [pictures[:_SHEET_ROWS] for pictures in shown]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root")
    parser.add_argument("sets", nargs="+")
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--washed", type=Path)
    parser.add_argument("--generator", type=Path)
    parser.add_argument("--sheet", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    for name in asked.sets:
        columns = measure(Root(asked.root), name, asked)
        if asked.sheet:
            sheet = sample_grid(columns, [str(number) for number in range(len(columns))])
            asked.sheet.with_stem(f"{asked.sheet.stem}-{name}").write_bytes(encode_png(sheet))


if __name__ == "__main__":
    main()
