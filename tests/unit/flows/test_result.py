"""What the flows' results say at a terminal."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mien.flows.augmented_faces import AugmentedFaces
from mien.flows.export import ExportedFaces
from mien.flows.nightly import Night
from mien.flows.pipeline import check_champion
from mien.flows.prepare import PreparedFaces
from mien.flows.reproduce import ReproducedFace
from mien.flows.train import TrainedGenerator
from mien.flows.transfer import TransferredPair
from mien.flows.verify import VerifiedSet
from mien.storage import TableRef
from mien.tasks.errors import RunError
from mien.tasks.generator.weights import RegisteredModel
from mien.tasks.pages.gallery import Gallery
from mien.tasks.plan.counts import PlanSummary

PREPARED = PreparedFaces(
    set="team",
    root="./data",
    images=TableRef("./data", "images", "a" * 64),
    faces=TableRef("./data", "faces", "b" * 64),
    heatmaps=TableRef("./data", "heatmaps", "c" * 64),
    photos=11,
    unreadable=1,
    usable=9,
    rejected=1,
    failed=0,
    left_out=("2 left out: no face",),
    identities=("1 of 9 labelled faces disagree with their label",),
)


def test_a_prepared_set_says_what_became_of_its_photos_and_what_comes_next() -> None:
    assert PREPARED.lines() == [
        "team: 11 photos (1 unreadable), 9 faces usable, 1 rejected, 0 failed",
        "2 left out: no face",
        "1 of 9 labelled faces disagree with their label",
        "next: mien train --root ./data --set team --minutes 30",
    ]
    without_faces = replace(PREPARED, usable=0)
    assert without_faces.lines()[-1] == "no face is usable: mien report --root ./data --set team shows why"


def test_a_night_says_what_is_new_and_no_more_than_that() -> None:
    # All of a new champion's faces were rejected: work was done, and nothing came of it.
    rejected = AugmentedFaces(
        set="team-augmented",
        plan=PlanSummary(3, 5),
        rejected=5,
        transfers=TableRef("./data", "transfers", "d" * 64),
        gallery=Gallery("./g/index.html", ""),
    )
    night = Night(PREPARED, rejected, new_photos=0, new_faces=0, new_transfers=0, root="", generated="")
    assert night.lines()[-1] == "nothing new: no photo, usable face or accepted face that the last night did not have"
    assert "team-augmented: 5 faces asked for, 5 tried, 0 accepted, 5 rejected" in night.lines()
    assert replace(night, new_photos=2).lines()[-1] == "new: 2 photos, 0 usable faces, 0 generated faces"
    assert "| photos | 2 | 11 |" in replace(night, new_photos=2).table()


def test_a_job_says_what_became_of_its_list() -> None:
    planned = AugmentedFaces(set="x", plan=PlanSummary(3, 5))
    assert planned.lines() == ["x: 5 faces would be generated; nothing was written"]
    there = "x: 2 faces would be generated (3 of 5 pairs are in the set already); nothing was written"
    assert replace(planned, held=3).lines() == [there]
    made = AugmentedFaces(
        set="x",
        plan=PlanSummary(3, 5),
        accepted=3,
        rejected=2,
        transfers=TableRef("./data", "transfers", "d" * 64),
        gallery=Gallery("./g/index.html", ""),
    )
    assert made.lines() == [
        "x: 5 faces asked for, 5 tried, 3 accepted, 2 rejected",
        f"table:   ./data/transfers/manifests/{'d' * 64}.json",
        "gallery: ./g/index.html",
    ]


def test_a_training_that_was_done_before_says_so() -> None:
    model = RegisteredModel("models:/mien-generator/3", "run", "e" * 64, champion=False)
    (line,) = TrainedGenerator(model, "found").lines()
    assert line == "models:/mien-generator/3 came of this training before; the champion stays another"


def test_a_training_without_a_champion_does_not_speak_of_one() -> None:
    model = RegisteredModel("models:/mien-generator/3", "run", "e" * 64, champion=False)
    refused = TrainedGenerator(model, "found", promotion="it had 7 updates", champion="")
    assert refused.lines() == [
        "models:/mien-generator/3 came of this training before; it is not champion, and none is: it had 7 updates"
    ]
    other = replace(refused, champion="models:/mien-generator/1")
    assert "the champion stays models:/mien-generator/1" in other.lines()[0]
    with pytest.raises(RunError, match=r"no other is: .* mien promote 3 --root \./data --reason WHY, and start again"):
        check_champion("./data", refused)
    check_champion("./data", other)


def test_an_export_names_what_it_left_out() -> None:
    assert ExportedFaces("out", None).lines() == ["out holds it already"]
    assert ExportedFaces("out", 4).lines() == ["4 pictures in out"]
    assert ExportedFaces("out", 4, ("gone",)).lines() == ["4 pictures in out; 1 faces left out, e.g. gone"]


def test_a_pair_says_how_the_gate_judges_it() -> None:
    accepted = TransferredPair("out.png", 0.7124, 0.0312, None)
    numbers = "out.png: identity similarity 0.712, expression error 0.031"
    assert accepted.lines() == [f"{numbers}, accepted"]
    assert replace(accepted, reason="too unlike").lines() == [f"{numbers}, would be rejected: too unlike"]
    assert TransferredPair("out.png", None, None, "no face found").lines() == ["out.png: written, but no face found"]


def test_only_the_same_bytes_are_a_success() -> None:
    same = ReproducedFace("id", True, b"", "")
    assert (same.lines(), same.ok) == (["id: the same bytes"], True)
    other = replace(same, same=False, because="the code is another version")
    assert (other.lines(), other.ok) == (["id: other bytes: the code is another version"], False)


def test_only_a_set_without_faults_is_whole() -> None:
    whole = VerifiedSet("team", {"images": 3, "faces": 2}, 2, (), {"manifests": 3, "rows of images": 3})
    compared, verdict = "compared: 3 manifests, 3 rows of images", "3 images, 2 faces; 2 pictures decoded"
    assert (whole.lines(), whole.ok) == ([compared, f"team: whole; {verdict}"], True)
    broken = replace(whole, faults=("faces shard 1 is gone",))
    assert broken.lines() == ["faces shard 1 is gone", compared, f"team: 1 fault; {verdict}"]
    assert not broken.ok
    partly = replace(whole, left_out=("faces 1: its photo is away",))
    assert partly.lines()[0] == "not compared: faces 1: its photo is away"
    assert partly.lines()[-1] == f"team: no fault found, 1 comparisons left out; {verdict}"
    assert replace(whole, compared={}).lines()[-1] == f"team: nothing was compared; {verdict}"
