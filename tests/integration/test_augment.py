"""Transfer jobs on a root that went through the pipeline: plans, lists, ways, gates, forms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.open_gate import OPEN_GATE
from mien import storage
from mien.model.images.codec import decode_rgb, resize_rgb
from tests.integration.flow_calls import UNJUDGED, augment, generated, table_rows, verify, write_pairs

pytestmark = pytest.mark.usefixtures("prefect_server", "shared_workers")


def test_a_dry_run_counts_and_writes_nothing(done) -> None:
    root, _ = done
    before = sorted(root.rglob("*"))
    planned = augment("six", root, per_identity=2, dry_run=True)
    people = storage.open_table(str(root), "faces", "six").to_table(columns=["identity"])["identity"].unique()
    assert (planned.planned, planned.transfers) == (2 * len(people), None)
    assert sorted(root.rglob("*")) == before


def test_a_list_of_pairs_is_made_exactly_in_its_order(done, tmp_path: Path) -> None:
    root, _ = done
    pairs = [("s3/4", "s1/2"), ("s1/1", "s2/9"), ("s3/4", "s1/2")]
    uris = [(f"sample:orl/{source}.pgm", f"sample:orl/{driver}.pgm") for source, driver in pairs]
    made = augment("six", root, pairs=write_pairs(tmp_path, *uris), set="listed")
    rows = table_rows(root, "transfers", "listed")
    faces = {row["face_id"]: row for row in table_rows(root, "faces", "six")}
    images = {row["image_id"]: row for row in table_rows(root, "images", "six")}

    def uri(face_id: str) -> str:
        return images[faces[face_id]["image_id"]]["uri"]

    assert made.planned == 3
    assert [(uri(row["identity_face_id"]), uri(row["expression_face_id"])) for row in rows] == uris
    assert rows[0]["image"] == rows[2]["image"]


def test_the_way_of_retargeting_decides_the_faces(done, tmp_path: Path) -> None:
    root, _ = done
    listed = write_pairs(tmp_path, ("sample:orl/s1/1.pgm", "sample:orl/s2/3.pgm"))
    images, known = [], set((root / "neutrals").iterdir())
    settings: dict[str, Any] = {"pairs": listed, "set": "ways", "keep_rejected": True, "replace": True}
    for retarget, head_pose in (("none", 1.0), ("offsets", 1.0), ("offsets", 0.0), ("shape_model", 1.0)):
        augment("six", root, retarget=retarget, head_pose=head_pose, **settings)
        images += storage.open_table(str(root), "transfers", "ways").to_table()["image"].to_pylist()
    assert None not in images
    assert len(set(images)) == 4
    # One set of people, one shape model: found once for all jobs.
    assert len(set((root / "neutrals").iterdir()) - known) <= 1


def test_what_is_rejected_is_replaced_by_the_next_candidate_until_none_is_left(done) -> None:
    root, _ = done
    found = [row["identity_similarity"] for row in generated(root, "six-augmented")]
    ordered = sorted(similarity for similarity in found if similarity is not None)
    limits = OPEN_GATE | {"min_identity_similarity": ordered[len(ordered) // 2]}
    settings: dict[str, Any] = {"per_identity": 5, "candidates": 9, "settings": {"gate": limits}, "set": "strict"}
    again = augment("six", root, identity_splits=["val", "test"], **settings)
    rows = generated(root, "strict")
    for person in {row["identity"] for row in rows}:
        tried = [row for row in rows if row["identity"] == person]
        accepted = [row for row in tried if row["status"] == "ok"]
        assert sorted(row["rank"] for row in tried) == list(range(len(tried)))
        assert len(accepted) == 5 or len(tried) == 9
        # Nobody went on after the last that was needed.
        assert len(accepted) <= 5
        assert again.outcome.accepted.get(person, 0) == len(accepted)
    assert any(row["status"] != "ok" for row in rows)
    assert all(row["image"] is None and row["sha256"] for row in rows if row["status"] != "ok")
    assert augment("six", root, identity_splits=["val", "test"], **settings).transfers == again.transfers


def test_formats_change_the_bytes_and_consent_is_asked_for(done, tmp_path: Path) -> None:
    root, _ = done
    listed = write_pairs(tmp_path, ("sample:orl/s1/1.pgm", "sample:orl/s2/3.pgm"))
    augment("six", root, pairs=listed, set="small", image_format="webp", quality=60, keep_rejected=True)
    (row,) = generated(root, "small")
    assert row["image"][8:12] == b"WEBP"
    assert row["image_format"] == "webp"
    augment("six", root, pairs=listed, set="asked", require_consent=True)
    (row,) = generated(root, "asked")
    assert (row["status"], row["reason"]) == ("rejected", "the source's photo came without consent")
    assert row["image"] is None


def test_faces_have_the_side_that_is_asked_for_and_are_made_again_with_it(done, tmp_path: Path) -> None:
    from mien.flows.reproduce import reproduce_face

    root, _ = done
    listed = write_pairs(tmp_path, ("sample:orl/s1/1.pgm", "sample:orl/s2/3.pgm"))
    pictures = {}
    for side_px, asked in ((64, {}), (128, {"output_size": 128}), (96, {"settings": {"output": {"size_px": 96}}})):
        made = augment("six", root, pairs=listed, set=f"of-{side_px}", keep_rejected=True, **asked)
        assert made.transfers is not None
        about: Any = storage.read_manifest(storage.Root(str(root)), "transfers", made.transfers.fingerprint).about
        assert about["settings"]["output"]["size_px"] == side_px
        (row,) = generated(root, f"of-{side_px}")
        pictures[side_px] = decode_rgb(row["image"])
        assert pictures[side_px].shape == (side_px, side_px, 3)
        assert row["sharpness_ratio"] is not None
        assert reproduce_face(row["output_id"], set=f"of-{side_px}", root=str(root)).same
        assert verify(f"of-{side_px}", root).faults == ()
    # It is the same face, put together anew at each side.
    smaller = resize_rgb(pictures[128], 64).astype(int)
    assert 0 < np.abs(smaller - pictures[64]).mean() < 10


def test_calibrated_limits_are_kept_for_the_next_job(done) -> None:
    from mien.flows.calibrate import calibrate_gate

    root, _ = done
    told = "\n".join(calibrate_gate(set="six", root=str(root), pairs=30).lines())
    path = root / "gates" / "six.json"
    limits = json.loads(path.read_text())["limits"]
    assert f"similarity {limits['min_identity_similarity']:.3f} lets" in told
    assert 0.2 < limits["min_identity_similarity"] < 0.8
    before = path.read_bytes()
    made = augment("six", root, per_identity=1, set="judged", settings={"gate": {"max_expression_error": 0.3}})
    assert path.read_bytes() == before
    assert made.transfers is not None
    about: Any = storage.read_manifest(storage.Root(str(root)), "transfers", made.transfers.fingerprint).about
    used = {name: value for name, value in about["settings"]["gate"].items() if value is not None}
    assert used == limits | {"max_expression_error": 0.3}
    # Nothing of a generator of six updates is worth keeping.
    rows = generated(root, "judged")
    assert {row["status"] for row in rows} == {"rejected"}


def test_a_list_with_an_unknown_image_names_it(done, tmp_path: Path) -> None:
    from mien.tasks.errors import UsageError

    root, _ = done
    listed = write_pairs(tmp_path, ("sample:orl/s1/1.pgm", "elsewhere.jpg"))
    with pytest.raises(UsageError, match=r"line 2 .*elsewhere\.jpg is no image of the set six"):
        augment("six", root, pairs=listed, set="listed")
    Path(listed).write_text("identity_image,other\n")
    with pytest.raises(UsageError, match="lacks the column expression_image"):
        augment("six", root, pairs=listed, set="listed")


def test_faces_from_several_photos_are_whole_and_made_again(done, tmp_path: Path) -> None:
    from mien.flows.reproduce import reproduce_face

    root, _ = done
    made: dict[int, list[dict[str, Any]]] = {}
    for count in (1, 3):
        name = f"of-{count}"
        anyone = UNJUDGED | {"planning": {"look_similarity": -1.0}}
        wanted = {"sources": count, "settings": anyone, "keep_rejected": True}
        augment("six", root, per_identity=2, candidates=2, set=name, **wanted)
        made[count] = generated(root, name)
        assert verify(name, root).faults == ()
    people = {row["face_id"]: row["identity"] for row in table_rows(root, "faces", "six")}
    for one, three in zip(made[1], made[3], strict=True):
        assert one["pair_id"] == three["pair_id"]
        assert (one["further_source_ids"], len(three["further_source_ids"])) == ([], 2)
        shown = [three["identity_face_id"], *three["further_source_ids"]]
        assert len({*shown, three["expression_face_id"]}) == 4
        assert {people[face] for face in shown} == {three["identity"]}
        assert one["sha256"] != three["sha256"]
    again = reproduce_face(made[3][-1]["output_id"], set="of-3", root=str(root))
    assert again.same
    listed = tmp_path / "several.csv"
    photos = [f"sample:orl/s1/{n}.pgm" for n in (1, 3, 5)]
    listed.write_text(
        "identity_image,expression_image,identity_image_2,identity_image_3\n"
        f"{photos[0]},sample:orl/s2/2.pgm,{photos[1]},{photos[2]}\n"
        f"{photos[0]},sample:orl/s2/2.pgm,,\n"
        f"{photos[0]},sample:orl/s2/2.pgm,sample:orl/s4/1.pgm,\n"
    )
    augment("six", root, pairs=str(listed), set="several-listed", keep_rejected=True)
    rows = generated(root, "several-listed")
    assert [len(row["further_source_ids"]) for row in rows] == [2, 0, 1]
    assert rows[2]["reason"] == "identity 2: shows another person than the source"
    assert len({row["sha256"] for row in rows}) == 3
    assert verify("several-listed", root).faults == ()
    for row in rows[:2]:
        assert reproduce_face(row["output_id"], set="several-listed", root=str(root)).same
