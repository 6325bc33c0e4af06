"""Labels are told to be reached where the results show them, and not where the source was merely copied."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pytest

from mien.model.expression.retargeting import Faces, RetargetSettings, retarget
from mien.model.quality.judge import Judgement
from mien.storage import Root, TableRef, commit, fingerprint, write_shard
from mien.storage.schemas import FACES, TRANSFERS
from mien.tasks.generator.neutrals import keep_neutrals, load_neutrals
from mien.tasks.generator.weights import RegisteredModel, keep_model
from mien.tasks.sets.faces import FaceTables
from mien.tasks.transfer.label_check import LabelReached, checked_labels, labels_reached
from mien.tasks.transfer.settings import TransferSettings, decisive
from mien.tasks.transfer.transfer_shards import faces_by_single_photos
from tests.drawn_set import DETECTOR, small_generator
from tests.shapes import closed_eyes, in_crop, narrow_mouth, neutral, opened_mouth

SIDE_PX = 128
PEOPLE = ("ann", "bob", "cyd")
SHOWN = {"calm": lambda shape: shape, "surprised": lambda shape: opened_mouth(shape, 0.35), "asleep": closed_eyes}


def shape_of(person: str, label: str) -> np.ndarray:
    own = narrow_mouth(neutral(), (1.0, 0.9, 0.8)[PEOPLE.index(person)])
    return in_crop(SHOWN[label](own))


def face_row(person: str, label: str, labelled: bool) -> dict[str, Any]:
    return {
        "face_id": f"{person} {label}",
        "image_id": f"photo of {person} {label}",
        "identity": person,
        "expression": label if labelled else None,
        "split": "test",
        "landmarks_xy": ((shape_of(person, label) + 1) / 2 * SIDE_PX).ravel().tolist(),
        "landmark_scheme": "ibug68",
        "status": "ok",
    }


class Job:
    """Results of a set of three people, each with three photos."""

    def __init__(self, root: Root, folder: Path, labelled: bool = True) -> None:
        self.root = root
        rows = [face_row(person, label, labelled) for person in PEOPLE for label in SHOWN]
        shard = write_shard(root, "faces", fingerprint(labelled), pa.Table.from_pylist(rows, FACES))
        about = {"settings": {"alignment": {"size_px": SIDE_PX}, "faces": DETECTOR}}
        faces = commit(root, "faces", [shard], about).fingerprint
        tables = FaceTables("three", faces, commit(root, "heatmaps", [], {"spec": {}}).fingerprint)
        sha256 = keep_model(root, small_generator(folder))
        kept = keep_neutrals(root, [tables], sha256, RetargetSettings())
        model = RegisteredModel("models:/g/1", "run", sha256, False)
        self.settings = TransferSettings(model, (tables,), SIDE_PX, DETECTOR, neutrals=kept)

    def asked(self, source: tuple[str, str], driver: tuple[str, str]) -> np.ndarray:
        """What a perfect generator would show."""
        known = load_neutrals(self.root, str(self.settings.neutrals))
        sides = [Faces(shape_of(*face)[None], known.of([("three", " ".join(face))])) for face in (source, driver)]
        return retarget(sides[0], sides[1], RetargetSettings())[0]

    def table(self, results: list[tuple[tuple[str, str], str, np.ndarray | None]], **values: Any) -> TableRef:
        rows = [
            {
                "output_id": f"{number}",
                "pair_id": f"{number}",
                "identity_face_id": " ".join(source),
                "expression_face_id": f"bob {label}",
                "expression": label,
                "model_uri": "models:/g/1",
                "model_sha256": "0" * 64,
                "settings": "settings",
                "seed": number,
                "sha256": "0" * 64,
                "found_landmarks_xy": None if found is None else found.ravel().tolist(),
                "synthetic": True,
                "status": "ok",
            }
            | values
            for number, (source, label, found) in enumerate(results)
        ]
        shard = write_shard(self.root, "transfers", uuid4().hex, pa.Table.from_pylist(rows, TRANSFERS))
        return commit(self.root, "transfers", [shard], {"pairs": "pairs", "settings": decisive(self.settings)})


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(Root(f"memory://{uuid4().hex}"), tmp_path / "generator")


def test_a_result_that_follows_its_driver_reaches_the_label_and_a_copy_does_not(job: Job) -> None:
    ann, cyd = ("ann", "calm"), ("cyd", "calm")
    results = [
        (source, label, found)
        for source in (ann, cyd)
        for label in ("surprised", "asleep")
        for found in (job.asked(source, ("bob", label)), shape_of(*source))
    ]
    found = labels_reached(job.root, job.table(results).fingerprint)
    assert found == [LabelReached("asleep", 4, 2), LabelReached("surprised", 4, 2)]
    assert found[0].line() == "asleep: 2 of 4 (50%) are nearer to it than to the source photo"


def test_another_label_is_not_the_one_that_was_asked_for(job: Job) -> None:
    source = ("ann", "calm")
    wrong = [(source, "asleep", job.asked(source, ("bob", "surprised")))]
    assert labels_reached(job.root, job.table(wrong).fingerprint) == [LabelReached("asleep", 1, 0)]


def test_faces_that_were_rejected_or_not_found_are_not_counted(job: Job) -> None:
    source = ("ann", "calm")
    shown = job.asked(source, ("bob", "asleep"))
    assert labels_reached(job.root, job.table([(source, "asleep", None)]).fingerprint) == []
    assert (
        labels_reached(
            job.root, job.table([(source, "asleep", shown)], status="rejected", reason="not sharp").fingerprint
        )
        == []
    )


def test_without_labels_nothing_is_said(tmp_path: Path) -> None:
    job = Job(Root(f"memory://{uuid4().hex}"), tmp_path / "generator", labelled=False)
    source = ("ann", "calm")
    assert labels_reached(job.root, job.table([(source, "asleep", shape_of(*source))]).fingerprint) == []


def test_faces_by_drivers_with_one_photo_are_counted(job: Job) -> None:
    results = [(("ann", "calm"), "asleep", None)] * 3
    for photos, count in ((1, 3), (2, 0), (None, 0)):
        assert faces_by_single_photos(job.root, job.table(results, neutral_photos=photos)) == count
    assert faces_by_single_photos(job.root, job.table(results, neutral_photos=1, sha256=None)) == 0


def test_who_misses_the_label_is_rejected_where_that_is_asked_for(job: Job) -> None:
    source, driver = (face_row("ann", "calm", True), face_row("bob", "asleep", True))
    shown, copied = job.asked(("ann", "calm"), ("bob", "asleep")), shape_of("ann", "calm")
    judged = [Judgement(landmarks_xy=points.ravel().tolist()) for points in (shown, copied)]
    judged += [Judgement(reason="not sharp", landmarks_xy=judged[1].landmarks_xy), Judgement(landmarks_xy=None)]
    unlabelled = face_row("bob", "asleep", False)
    faces = [(source, driver)] * 4
    found = checked_labels(job.root, job.settings, faces, judged)  # pyright: ignore[reportArgumentType]
    reason = "nearer to the source photo's expression than to the label asleep"
    assert [one.reason for one in found] == [None, reason, "not sharp", None]
    free = checked_labels(job.root, job.settings, [(source, unlabelled)] * 4, judged)  # pyright: ignore[reportArgumentType]
    assert free == judged
