"""Rows of `pairs` in, rows of `transfers` out: a batch goes through the generator while its neighbours are decoded and
encoded.

    decode n + 1 │ generator, judge n │ encode n − 1        three threads; images and networks leave Python's lock
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from mien.model.detection.detector import FaceDetector
from mien.model.detection.load import load_detector
from mien.model.images.provenance import encode_image
from mien.model.inference.exported_generator import ExportedGenerator
from mien.model.quality.face_measures import FaceMeasures, columns_of
from mien.model.quality.judge import Judgement, SourceView, TargetFace, judge_faces
from mien.storage import Root, Status
from mien.storage.consent import UNKNOWN, Consent, strongest
from mien.storage.errors import ErrorKind
from mien.storage.licence import together
from mien.storage.rows import PairRow, TransferRow
from mien.tasks.generator.inputs import FacePair, GeneratorInputs, HeatmapsFor, generator_inputs, retargeted_points
from mien.tasks.generator.neutrals import neutral_photos
from mien.tasks.generator.weights import load_model
from mien.tasks.runtime.attempts import begin_batch, done, lost_item
from mien.tasks.runtime.reports import tick
from mien.tasks.sets.consent import known_consents, pair_refusal
from mien.tasks.sets.face_columns import common_points, embedding_of
from mien.tasks.sets.face_rows import FaceWithHeatmap
from mien.tasks.sets.faces import photos_of
from mien.tasks.sets.own_mark import own_mark
from mien.tasks.sets.people import people_of
from mien.tasks.transfer.batches import filled, in_batches, span
from mien.tasks.transfer.former import FormerTransfers, Made
from mien.tasks.transfer.label_check import checked_labels
from mien.tasks.transfer.pair_faces import PairFaces, further_ids, read_pair_faces
from mien.tasks.transfer.pair_inputs import Asked, asked_of
from mien.tasks.transfer.settings import TransferSettings, settings_fingerprint
from mien.tasks.transfer.source_views import SourceViews

FACE_COLUMNS = [
    "image_id", "identity", "expression", "split", "crop", "landmarks_xy", "landmark_scheme", "embedding",
]  # fmt: skip


class PairFace(FaceWithHeatmap):
    """A face of a pair with the terms of its photo."""

    licence: str | None
    """Of sources alone."""
    consent: Consent


Faces = PairFaces[PairFace]


@dataclass(frozen=True)
class Batch:
    """Some pairs as the networks take them."""

    generator: GeneratorInputs
    """`BATCH` of them, whatever the number of pairs."""
    targets: list[TargetFace]
    """One for each pair."""


class PairGenerator:
    """Makes and judges the faces of pairs. What it makes follows from the settings and each pair alone."""

    def __init__(self, root: Root, settings: TransferSettings, former: FormerTransfers | None = None) -> None:
        """What `former` has is taken over; without it everything is made."""
        self.root, self.settings, self.former = root, settings, former
        self._views = SourceViews()

    @cached_property
    def made_with(self) -> str:
        """Fingerprint of the settings."""
        return settings_fingerprint(self.settings)

    @property
    def generator(self) -> ExportedGenerator:
        """Loaded once per process."""
        return load_model(self.root, self.settings.model.sha256, self.settings.compute)

    @property
    def size_px(self) -> int:
        """Side of the faces that it makes."""
        return self.settings.output.size_px or self.generator.size_px

    @property
    def detector(self) -> FaceDetector:
        """The judge; loaded once per process."""
        return load_detector(self.settings.faces)

    @cached_property
    def heatmaps(self) -> HeatmapsFor:
        """How heatmaps are drawn for the generator."""
        return HeatmapsFor.of(self.root, self.generator, self.settings.sets)

    def rows(self, pairs: Sequence[PairRow]) -> Iterator[TransferRow]:
        """The rows of `transfers` for rows of `pairs`, in their order.

        A row is a function of its pair and the settings: it does not matter which others are made with it.
        """
        faces = self.faces(pairs)
        asked = asked_of(self.root, pairs, faces, self.made_with, self.settings.neutrals)
        refused = {
            index: made for index, pair in enumerate(pairs) if (made := self._not_made(index, pair, asked, faces))
        }
        outcomes = (
            self._taken_over([index for index in range(len(pairs)) if index not in refused], pairs, asked) | refused
        )
        tick(len(outcomes))
        for index, made in self._made({i: pair for i, pair in enumerate(pairs) if i not in outcomes}, asked, faces):
            outcomes[index] = made
            tick()
        done()
        for index, pair in enumerate(pairs):
            yield self._row(pair, faces, outcomes[index])

    def faces(self, pairs: Sequence[PairRow]) -> Faces:
        """The faces of pairs, as far as there are any: a list may name a photo that cannot be read."""
        sets = self.settings
        faces = read_pair_faces(self.root, sets, pairs, FACE_COLUMNS)
        image_ids = {face["image_id"] for face in faces.sources.values()}
        photos = photos_of(self.root, [sets.source_set], image_ids, ["licence"])
        consents = known_consents(self.root, sets.sets)

        def with_terms(face: FaceWithHeatmap, licence: str | None) -> PairFace:
            return {**face, "licence": licence, "consent": consents.get((face["set"], face["image_id"]), UNKNOWN)}

        licences = {image_id: photo["licence"] for image_id, photo in photos.items()}
        return PairFaces(
            {key: with_terms(face, licences.get(face["image_id"])) for key, face in faces.sources.items()},
            {key: with_terms(face, None) for key, face in faces.drivers.items()},
        )

    def _taken_over(self, indices: Sequence[int], pairs: Sequence[PairRow], asked: Sequence[Asked]) -> dict[int, Made]:
        """What the set held already of some of the pairs, by index."""
        if self.former is None or not indices:
            return {}
        same = self.former.same(self.root, [asked[index].output_id for index in indices])
        others = [pairs[index]["pair_id"] for index in indices if asked[index].output_id not in same]
        older = self.former.of_older_generators(self.root, others)
        taken: dict[int, Made] = {}
        for index in indices:
            made = same.get(asked[index].output_id) or older.get(pairs[index]["pair_id"])
            if made is not None and made["inputs"] == asked[index].inputs:
                taken[index] = made
        return taken

    def _not_made(self, index: int, pair: PairRow, asked: Sequence[Asked], faces: Faces) -> Made | None:
        """The outcome of a pair that is not made."""
        if (refusal := self._refusal(pair, faces)) is not None:
            return self._unmade(asked[index], "rejected", refusal)
        lost = lost_item(index)
        return None if lost is None else self._unmade(asked[index], "failed", lost.reason, lost.kind)

    def _refusal(self, pair: PairRow, faces: Faces) -> str | None:
        """Why a pair must not be made, if so."""
        if pair["status"] != "ok":
            return pair["reason"]
        source, driver = faces.of(pair)
        consents = [face["consent"] for face in (source, *faces.further(pair))]
        return pair_refusal(consents, driver["consent"], self.settings.require_consent)

    def _made(self, pairs: Mapping[int, PairRow], asked: Sequence[Asked], faces: Faces) -> Iterator[tuple[int, Made]]:
        """(index of a pair, what became of it) for each pair, those with fewer sources first."""
        indices = in_batches(pairs)
        batches = [[pairs[index] for index in some] for some in indices]
        encoded: Future[list[Made]] | None = None
        if not batches:
            return
        generator, _ = self.generator, self.detector  # loaded before the time of the first batch counts
        begin_batch(span(indices[:1]))
        with ThreadPoolExecutor(1) as decoding, ThreadPoolExecutor(1) as encoding:
            read = [decoding.submit(self.batch, some, faces) for some in batches[:1]]
            for number, some in enumerate(batches):
                begin_batch(span(indices[max(0, number - 1) : number + 2]))
                batch = read.pop().result()
                read += [decoding.submit(self.batch, after, faces) for after in batches[number + 1 : number + 2]]
                images = generator.generate(**vars(batch.generator), side_px=self.size_px)
                judged = self.judge(images, batch.targets)
                if self.settings.label_check:
                    judged = checked_labels(self.root, self.settings, [faces.of(pair) for pair in some], judged)
                if encoded is not None:
                    yield from zip(indices[number - 1], encoded.result(), strict=True)
                asked_for = [asked[index] for index in indices[number]]
                encoded = encoding.submit(self.outcomes, some, asked_for, images, judged)
            if encoded is not None:
                yield from zip(indices[-1], encoded.result(), strict=True)

    def batch(self, pairs: Sequence[PairRow], faces: Faces) -> Batch:
        """Decodes the crops of at most `BATCH` pairs and puts together what is asked of the generator."""
        rows = [faces.of(pair) for pair in pairs]
        full, further = filled(rows), filled([faces.further(pair) for pair in pairs])
        strengths = [self.strength(pair) for pair in pairs]
        points = self.target_points(full, filled(strengths))
        seen = self._views.of([source for source, _ in rows], self.detector, self.size_px, self.settings.crop_size_px)
        targets = [
            self._target(*pair, seen[number], None if points is None else points[number])
            for number, pair in enumerate(rows)
        ]
        crop_px, parts = self.settings.crop_size_px, self.settings.retarget.parts
        return Batch(generator_inputs(self.heatmaps, full, crop_px, points, parts, further), targets)

    def strength(self, pair: PairRow | TransferRow) -> float:
        """How many times the expression is asked for of a pair."""
        return self.settings.retarget.strength.drawn(pair["seed"])

    def target_points(
        self, pairs: Sequence[FacePair], strengths: Sequence[float]
    ) -> Float[np.ndarray, "pairs 68 2"] | None:
        """The landmarks to reach for pairs (source, driver), in [-1, 1] over the crop; None: the drivers' own."""
        how, shape_model = self.settings.retarget, self.generator.shape_model
        crop_px = self.settings.crop_size_px
        return retargeted_points(self.root, self.settings.neutrals, how, shape_model, pairs, crop_px, strengths)

    def _target(
        self, source: PairFace, driver: PairFace, seen: SourceView | None, points: np.ndarray | None
    ) -> TargetFace:
        crop_px, sets = self.settings.crop_size_px, self.settings
        same = source["identity"] is not None and source["identity"] == driver["identity"]
        gazes = self.heatmaps.gazes((source, driver), crop_px, sets.retarget.parts)
        return TargetFace(
            source_embedding=embedding_of(source),
            driver_embedding=None if same and sets.source_set == sets.driver_set else embedding_of(driver),
            source_points=common_points(source, crop_px),
            asked_points=common_points(driver, crop_px) if points is None else points,
            source=seen,
            source_gaze=gazes[0],
            asked_gaze=gazes[1],
            person=source["identity"],
            people=people_of(self.root, sets.source_set, self.detector),
        )

    def judge(self, images: np.ndarray, targets: Sequence[TargetFace]) -> list[Judgement]:
        """What the gate says of the first images, one for each target."""
        return judge_faces(self.detector, list(images[: len(targets)]), targets, self.settings.gate)

    def outcomes(
        self, pairs: Sequence[PairRow], asked: Sequence[Asked], images: np.ndarray, judged: Sequence[Judgement]
    ) -> list[Made]:
        """What became of each pair, its image encoded."""
        made = zip(pairs, asked, images[: len(pairs)], judged, strict=True)
        return [self._outcome(*of_pair) for of_pair in made]

    def _outcome(self, pair: PairRow, asked: Asked, image: np.ndarray, judged: Judgement) -> Made:
        output, model = self.settings.output, self.settings.model
        faces = pair["identity_face_id"], pair["expression_face_id"]
        mark = own_mark(model.uri, model.sha256, *faces, asked.output_id, further_ids(pair))
        encoded = encode_image(image, output.image_format, mark, output.quality)
        return {
            **self._unmade(asked, "rejected" if judged.reason else "ok", judged.reason),
            "image": encoded if output.keep_rejected or not judged.reason else None,
            "image_format": output.image_format,
            "sha256": hashlib.sha256(encoded).hexdigest(),
            **columns_of(judged),
            "found_landmarks_xy": judged.landmarks_xy,
        }

    def _unmade(self, asked: Asked, status: Status, reason: str | None, failure: ErrorKind | None = None) -> Made:
        """Of a pair whose face is not there."""
        return {
            "output_id": asked.output_id,
            "inputs": asked.inputs,
            "neutrals": asked.neutrals,
            "settings": self.made_with,
            "model_uri": self.settings.model.uri,
            "model_sha256": self.settings.model.sha256,
            "run_id": self.settings.model.run_id,
            "image": None,
            "image_format": None,
            "sha256": None,
            **columns_of(FaceMeasures()),
            "found_landmarks_xy": None,
            "status": status,
            "reason": reason,
            "failure": failure,
        }

    def _row(self, pair: PairRow, faces: Faces, made: Made) -> TransferRow:
        """What was made, with what is said of the pair and its two faces now."""
        shown = faces.known_sources(pair)
        source = shown[0]
        driver = faces.drivers.get(pair["expression_face_id"])
        return {
            "pair_id": pair["pair_id"],
            "identity_face_id": pair["identity_face_id"],
            "expression_face_id": pair["expression_face_id"],
            "further_source_ids": further_ids(pair),
            "source_image_id": source["image_id"] if source else None,
            "driver_image_id": driver["image_id"] if driver else None,
            "further_image_ids": [face["image_id"] for face in shown[1:] if face],
            "identity": source["identity"] if source else None,
            "expression": driver["expression"] if driver else None,
            "split": source["split"] if source else None,
            "licence": together(face["licence"] if face else None for face in shown),
            "consent": strongest(face["consent"] if face else UNKNOWN for face in shown).text,
            "rank": pair["rank"],
            "source_rank": pair.get("source_rank"),  # plans of earlier versions have none
            "strength": self.strength(pair),
            "parts": ",".join(self.settings.retarget.parts),
            "neutral_photos": neutral_photos(self.root, self.settings.neutrals, driver) if driver else None,
            "seed": pair["seed"],
            "uri": None,
            "synthetic": True,
            **made,
        }
