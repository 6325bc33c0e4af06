"""The whole pipeline on real faces, small: photos in, generated faces out, and what a second run finds."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from mien import storage
from mien.model.images.codec import decode_rgb, encode_png
from mien.model.images.provenance import read_provenance

pytestmark = pytest.mark.usefixtures("prefect_server")

PEOPLE = [f"sample:orl/s{n}" for n in (1, 2, 3, 4, 5, 6)]


def run(root: Path):
    from mien.flows.pipeline import face_augmentation

    return face_augmentation(
        PEOPLE,
        set="six",
        root=str(root),
        crop_size=64,
        size=64,
        steps=6,
        per_identity=5,
        val_fraction=0.2,
        test_fraction=0.2,
        split_salt="six-2",
        workers=2,
    )


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, prefect_server: None):
    root = tmp_path_factory.mktemp("root")
    return root, run(root)


def shard_times(root: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in root.glob("*/shards/*.parquet")}


def test_every_photo_has_its_row(done) -> None:
    root, _ = done
    images = storage.open_table(str(root), "images", "six").to_table().to_pylist()
    assert len(images) == 60
    assert {row["status"] for row in images} == {"ok"}
    assert {(row["width_px"], row["height_px"]) for row in images} == {(92, 112)}
    faces = storage.open_table(str(root), "faces", "six").to_table().to_pylist()
    assert {row["image_id"] for row in faces} == {row["image_id"] for row in images}
    heatmaps = storage.open_table(str(root), "heatmaps", "six").to_table(columns=["face_id"])
    assert heatmaps["face_id"].to_pylist() == [row["face_id"] for row in faces]


def test_every_pair_has_a_generated_face_of_a_held_out_person_with_its_numbers(done) -> None:
    root, augmentation = done
    faces = {row["face_id"]: row for row in storage.open_table(str(root), "faces", "six").to_table().to_pylist()}
    pairs = storage.open_table(str(root), "pairs", "six-augmented").to_table().to_pylist()
    rows = storage.open_table(str(root), "transfers", "six-augmented").to_table().to_pylist()
    held_out = {row["identity"] for row in faces.values() if row["split"] != "train"}
    assert [row["pair_id"] for row in rows] == [pair["pair_id"] for pair in pairs]
    # What is rejected is replaced: of two updates comes no good generator.
    assert Counter(row["identity"] for row in rows if row["status"] == "ok") == dict.fromkeys(held_out, 5)
    for row in rows:
        source, driver = faces[row["identity_face_id"]], faces[row["expression_face_id"]]
        assert row["identity"] == source["identity"] in held_out
        assert driver["identity"] != source["identity"]
        assert (row["image"] is None) == (row["status"] == "rejected")
        assert row["image"] is None or decode_rgb(row["image"]).shape == (64, 64, 3)
        assert row["synthetic"] is True
        assert row["model_uri"] == augmentation.trained.model.uri
        assert (row["status"] == "ok") == (row["reason"] is None)
        assert row["identity_similarity"] is not None or row["reason"] == "no face found on the result"


def test_the_registry_has_the_champion_and_serves_it(done, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow

    root, augmentation = done
    assert "MLFLOW_TRACKING_URI" not in os.environ
    assert (root / "mlartifacts").is_dir()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")  # which mlflow sets too: put back what was
    mlflow.set_tracking_uri(f"sqlite:///{root}/mlflow.db")
    client = mlflow.MlflowClient()
    version = client.get_model_version_by_alias("mien-generator", "champion")
    assert f"models:/mien-generator/{version.version}" == augmentation.trained.model.uri
    run = client.get_run(augmentation.trained.model.run_id)
    assert {d.dataset.name for d in run.inputs.dataset_inputs} == {"six.faces", "six.heatmaps"}
    assert run.data.params["generator.size_px"] == "64"
    assert {"generator_l1", "discriminator_identity", "discriminator_expression", "val.generated.l1"} <= set(
        run.data.metrics
    )
    served = mlflow.pyfunc.load_model("models:/mien-generator@champion")
    landmarks = np.random.default_rng(0).uniform(8, 56, (2, 68, 2)).astype(np.float32)
    batch = {
        "source": np.zeros((2, 64, 64, 3), np.uint8),
        "source_landmarks": landmarks,
        "target_landmarks": landmarks[::-1].copy(),
    }
    out = served.predict(batch)
    assert out.shape == (2, 64, 64, 3)
    assert out.dtype == np.uint8


def test_the_gallery_needs_nothing_but_itself(done) -> None:
    root, augmentation = done
    rows = rows_of(root, "six-augmented")
    page = Path(augmentation.augmented.gallery.uri).read_text()
    assert page.count("<article") == len(rows)
    assert "http://" not in page
    assert "https://" not in page
    assert page.count("picture not kept") == sum(row["image"] is None for row in rows)
    assert page.count("data:image/png;base64,") == 2 * len(rows) + sum(row["image"] is not None for row in rows)


def test_a_second_run_finds_everything_done(done) -> None:
    root, first = done
    before = shard_times(root)
    second = run(root)
    assert shard_times(root) == before
    assert second.trained.stopped == "found"
    assert second.trained.model == first.trained.model
    assert second.augmented.transfers == first.augmented.transfers


def test_more_photos_make_new_shards_only(done) -> None:
    from mien.flows.prepare import prepare_faces

    root, _ = done
    before = shard_times(root)
    prepare_faces(
        [*PEOPLE, "sample:orl/s7"],
        set="six",
        root=str(root),
        crop_size=64,
        val_fraction=0.2,
        test_fraction=0.2,
        split_salt="six-2",
        workers=1,
    )
    after = shard_times(root)
    assert before.items() <= after.items()
    assert len(after) == len(before) + 3
    rows = storage.open_table(str(root), "faces", "six").to_table(columns=["identity"])["identity"].to_pylist()
    assert rows.count("s7") >= 10


def augment(root: Path, **settings: object):
    from mien.flows.augment import augment_faces

    return augment_faces(identities="six", expressions="six", root=str(root), workers=1, **settings)


def test_a_dry_run_counts_and_writes_nothing(done) -> None:
    root, _ = done
    before = sorted(root.rglob("*"))
    planned = augment(root, per_identity=2, dry_run=True)
    people = storage.open_table(str(root), "faces", "six").to_table(columns=["identity"])["identity"].unique()
    assert (planned.planned, planned.transfers) == (2 * len(people), None)
    assert sorted(root.rglob("*")) == before


def test_a_list_of_pairs_is_made_exactly_in_its_order(done, tmp_path: Path) -> None:
    root, _ = done
    wanted = [("s3/4", "s1/2"), ("s1/1", "s2/9"), ("s3/4", "s1/2")]
    lines = [f"sample:orl/{source}.pgm,sample:orl/{driver}.pgm" for source, driver in wanted]
    listed = tmp_path / "pairs.csv"
    listed.write_text("\n".join(["identity_image,expression_image", *lines]))
    made = augment(root, pairs=str(listed), set="listed")
    rows = storage.open_table(str(root), "transfers", "listed").to_table().to_pylist()
    faces = {row["face_id"]: row for row in storage.open_table(str(root), "faces", "six").to_table().to_pylist()}
    images = {row["image_id"]: row for row in storage.open_table(str(root), "images", "six").to_table().to_pylist()}

    def uri(face_id: str) -> str:
        return images[faces[face_id]["image_id"]]["uri"]

    assert made.planned == 3
    assert [f"{uri(row['identity_face_id'])},{uri(row['expression_face_id'])}" for row in rows] == lines
    assert rows[0]["image"] == rows[2]["image"]


def test_the_way_of_retargeting_decides_the_faces(done, tmp_path: Path) -> None:
    root, _ = done
    listed = tmp_path / "pairs.csv"
    listed.write_text("identity_image,expression_image\nsample:orl/s1/1.pgm,sample:orl/s2/3.pgm\n")
    images, known = [], set((root / "neutrals").iterdir())
    for retarget, head_pose in (("none", 1.0), ("offsets", 1.0), ("offsets", 0.0), ("shape_model", 1.0)):
        augment(root, pairs=str(listed), set="ways", retarget=retarget, head_pose=head_pose, keep_rejected=True)
        images += storage.open_table(str(root), "transfers", "ways").to_table()["image"].to_pylist()
    assert None not in images
    assert len(set(images)) == 4
    # One set of people, one shape model: found once for all jobs.
    assert len(set((root / "neutrals").iterdir()) - known) <= 1


def rows_of(root: Path, name: str) -> list[dict[str, Any]]:
    return storage.open_table(str(root), "transfers", name).to_table().to_pylist()


def test_what_is_rejected_is_replaced_by_the_next_candidate_until_none_is_left(done) -> None:
    root, _ = done
    found = [row["identity_similarity"] for row in rows_of(root, "six-augmented")]
    ordered = sorted(similarity for similarity in found if similarity is not None)
    (root / "gates").mkdir(exist_ok=True)
    (root / "gates" / "half.json").write_text(json.dumps({"min_identity_similarity": ordered[len(ordered) // 2]}))
    again = augment(root, per_identity=5, candidates=9, identity_splits=["val", "test"], gate="half", set="strict")
    rows = rows_of(root, "strict")
    assert again.tally is not None
    for person in {row["identity"] for row in rows}:
        its = [row for row in rows if row["identity"] == person]
        accepted = [row for row in its if row["status"] == "ok"]
        assert sorted(row["rank"] for row in its) == list(range(len(its)))
        assert len(accepted) == 5 or len(its) == 9
        # Nobody went on after the last that was needed.
        assert len(accepted) <= 5
        assert again.tally.accepted.get(person, 0) == len(accepted)
    assert any(row["status"] != "ok" for row in rows)
    assert all(row["image"] is None and row["sha256"] for row in rows if row["status"] != "ok")
    assert (
        augment(
            root, per_identity=5, candidates=9, identity_splits=["val", "test"], gate="half", set="strict"
        ).transfers
        == again.transfers
    )


def test_a_face_is_reproduced_from_its_lineage_byte_for_byte(done) -> None:
    from mien.flows.reproduce import reproduce_face
    from mien.tasks.errors import UsageError

    root, _ = done
    rows = [row for row in rows_of(root, "six-augmented") if row["image"]]
    for row in (rows[0], rows[len(rows) // 2], rows[-1]):
        again = reproduce_face(row["output_id"], set="six-augmented", root=str(root))
        assert again.same
        assert again.image == row["image"]
        assert again.lines() == [f"{row['output_id']}: the same bytes"]
    with pytest.raises(UsageError, match="no generated face nothing"):
        reproduce_face("nothing", root=str(root))


def test_generated_faces_carry_lineage_labels_and_provenance(done) -> None:
    root, augmentation = done
    faces = {row["face_id"]: row for row in storage.open_table(str(root), "faces", "six").to_table().to_pylist()}
    for row in rows_of(root, "six-augmented"):
        source, driver = faces[row["identity_face_id"]], faces[row["expression_face_id"]]
        assert (row["source_image_id"], row["driver_image_id"]) == (source["image_id"], driver["image_id"])
        assert row["split"] == source["split"]
        assert row["sharpness_ratio"] > 0
        if row["image"] is None:
            assert row["status"] == "rejected"
            continue
        assert hashlib.sha256(row["image"]).hexdigest() == row["sha256"]
        told = read_provenance(row["image"])
        assert told == {
            "synthetic": "true",
            "generator": augmentation.trained.model.uri,
            "weights": row["model_sha256"],
            "source": row["identity_face_id"],
            "driver": row["expression_face_id"],
            "output": row["output_id"],
        }


def test_formats_change_the_bytes_and_consent_is_asked_for(done, tmp_path: Path) -> None:
    root, _ = done
    listed = tmp_path / "pairs.csv"
    listed.write_text("identity_image,expression_image\nsample:orl/s1/1.pgm,sample:orl/s2/3.pgm\n")
    augment(root, pairs=str(listed), set="small", image_format="webp", quality=60, keep_rejected=True)
    (row,) = rows_of(root, "small")
    assert row["image"][8:12] == b"WEBP"
    assert row["image_format"] == "webp"
    augment(root, pairs=str(listed), set="asked", require_consent=True)
    (row,) = rows_of(root, "asked")
    assert (row["status"], row["reason"]) == ("rejected", "the source's photo came without consent")
    assert row["image"] is None


def test_calibrated_limits_are_kept_for_the_next_job(done) -> None:
    from mien.flows.calibrate import calibrate_gate

    root, _ = done
    told = "\n".join(calibrate_gate(set="six", root=str(root), pairs=30).lines())
    gate = json.loads((root / "gates" / "six.json").read_text())
    assert f"{gate['min_identity_similarity']:.3f}" in told
    assert 0.2 < gate["min_identity_similarity"] < 0.8
    assert 0.01 < gate["max_expression_error"] < 0.1
    made = augment(root, per_identity=1, gate="six", set="judged")
    assert made.transfers is not None
    about: Any = storage.read_manifest(storage.Root(str(root)), "transfers", made.transfers.fingerprint).about
    assert about["settings"]["gate"] == gate


def test_exports_hold_every_accepted_face_and_go_on_after_a_kill(done, tmp_path: Path) -> None:
    from mien.flows.export import export_faces
    from mien.tasks.errors import UsageError

    root, _ = done
    accepted = {row["output_id"]: row for row in rows_of(root, "six-augmented") if row["status"] == "ok"}
    first = export_faces(set="six-augmented", out=str(tmp_path / "a"), format="images", root=str(root), workers=1)
    files = {path.stem: path for path in (tmp_path / "a" / "images").rglob("*.png")}
    assert first.pictures == len(files) == len(accepted)
    assert all(files[name].read_bytes() == row["image"] for name, row in accepted.items())
    assert all(files[name].parent.name == row["identity"] for name, row in accepted.items())
    assert (
        export_faces(set="six-augmented", out=str(tmp_path / "a"), format="images", root=str(root), workers=1).pictures
        is None
    )
    with pytest.raises(UsageError, match="holds another export"):
        export_faces(set="six-augmented", out=str(tmp_path / "a"), format="webdataset", root=str(root), workers=1)

    export_faces(set="six-augmented", out=str(tmp_path / "b"), format="webdataset", root=str(root), workers=2)
    whole = {path.name: path.read_bytes() for path in (tmp_path / "b").rglob("*") if path.is_file()}
    (tmp_path / "b" / "mien-export.json").unlink()  # as if killed before the end
    next((tmp_path / "b").glob("*.tar")).unlink()
    export_faces(set="six-augmented", out=str(tmp_path / "b"), format="webdataset", root=str(root), workers=1)
    assert {path.name: path.read_bytes() for path in (tmp_path / "b").rglob("*") if path.is_file()} == whole


def test_faces_go_back_into_their_photos(done, tmp_path: Path) -> None:
    from mien.flows.export import export_faces

    root, _ = done
    made = export_faces(
        set="six-augmented", out=str(tmp_path), format="images", root=str(root), paste_back=True, workers=1
    )
    pasted = sorted((tmp_path / "images").rglob("*.png"))
    assert made.pictures == len(pasted) > 0
    rows = {row["output_id"]: row for row in rows_of(root, "six-augmented")}
    images = {row["image_id"]: row for row in storage.open_table(str(root), "images", "six").to_table().to_pylist()}
    for path in pasted[:5]:
        row = rows[path.stem]
        photo = decode_rgb(storage.read_source(images[row["source_image_id"]]["uri"]))
        result = decode_rgb(path.read_bytes())
        assert result.shape == photo.shape
        assert (result != photo).any()
        assert read_provenance(path.read_bytes())["output"] == path.stem


def test_a_photo_that_is_gone_is_told_when_faces_are_pasted_back(done, tmp_path: Path) -> None:
    from mien.flows.export import export_faces
    from mien.flows.prepare import prepare_faces

    root, _ = done
    photos = [tmp_path / "photos" / person / "1.png" for person in ("a", "b")]
    for number, photo in enumerate(photos, start=1):
        photo.parent.mkdir(parents=True)
        cv2.imwrite(str(photo), decode_rgb(storage.read_source(f"sample:orl/s{number}/1.pgm"))[..., ::-1])
    prepare_faces([str(tmp_path / "photos")], set="gone", root=str(root), crop_size=64, workers=1)
    listed = tmp_path / "pairs.csv"
    listed.write_text("identity_image,expression_image\n" + "".join(f"{a},{b}\n" for a, b in (photos, photos[::-1])))
    from mien.flows.augment import augment_faces

    augment_faces(
        identities="gone", expressions="gone", root=str(root), pairs=str(listed), keep_rejected=True, workers=1
    )
    photos[0].unlink()
    out = tmp_path / "out"
    made = export_faces(
        set="gone-by-gone", out=str(out), format="images", root=str(root), paste_back=True, rejected=True, workers=1
    )
    assert (made.pictures, len(made.left_out)) == (1, 1)
    assert made.lines()[0].startswith(f"1 pictures in {out}; 1 faces left out, e.g. not pasted back: ")


def test_verification_finds_what_is_wrong(done, tmp_path: Path) -> None:
    from mien.flows.verify import verify_set

    root, _ = done
    whole = verify_set(set="six-augmented", root=str(root))
    assert whole.faults == ()
    assert set(whole.rows) == {"pairs", "transfers", "faces", "heatmaps", "images"}
    assert whole.lines()[-1].startswith("six-augmented: whole; ")
    deep = verify_set(set="six", root=str(root), deep=3)
    assert deep.faults == ()
    assert deep.compared["faces detected again from their photos"] == 3

    copy = tmp_path / "root"
    shutil.copytree(root, copy, ignore=shutil.ignore_patterns("checkpoints", "mlartifacts"))
    place = storage.Root(str(copy))
    about = storage.read_manifest(place, "transfers", storage.read_set(place, "six-augmented").tables["transfers"])
    shard = copy / "transfers" / "shards" / f"{about.shards[0].fingerprint}.parquet"
    pq.write_table(pq.read_table(shard), shard)
    told = verify_set(set="six-augmented", root=str(copy))
    assert any("is damaged" in fault for fault in told.faults)
    assert not any("whole" in line for line in told.lines())
    shard.unlink()
    (fault,) = [
        line for line in verify_set(set="six-augmented", root=str(copy)).faults if line.startswith("transfers shard")
    ]
    assert "is gone" in fault
    faces = storage.read_manifest(place, "faces", storage.read_set(place, "six").tables["faces"]).shards[0]
    (copy / "faces" / "shards" / f"{faces.fingerprint}.parquet").write_bytes(b"PAR1 not really PAR1")
    assert any(fault.startswith("faces shard") for fault in verify_set(set="six", root=str(copy)).faults)


def test_a_list_with_an_unknown_image_names_it(done, tmp_path: Path) -> None:
    from mien.tasks.errors import UsageError

    root, _ = done
    listed = tmp_path / "pairs.csv"
    listed.write_text("identity_image,expression_image\nsample:orl/s1/1.pgm,elsewhere.jpg\n")
    with pytest.raises(UsageError, match=r"line 2 .*elsewhere\.jpg is no image of the set six"):
        augment(root, pairs=str(listed), set="listed")
    listed.write_text("identity_image,other\n")
    with pytest.raises(UsageError, match="lacks the column expression_image"):
        augment(root, pairs=str(listed), set="listed")


def test_one_pair_from_file_to_file(done, tmp_path: Path) -> None:
    from mien.flows.transfer import transfer_pair
    from mien.tasks.errors import RunError

    root, _ = done
    out = tmp_path / "new" / "out.png"
    told = transfer_pair("sample:orl/s1/1.pgm", "sample:orl/s2/3.pgm", str(out), root=str(root)).lines()[0]
    assert decode_rgb(out.read_bytes()).shape == (64, 64, 3)
    assert str(out) in told
    (tmp_path / "blank.png").write_bytes(encode_png(np.full((80, 80, 3), 90, np.uint8)))
    with pytest.raises(RunError, match=r"no face found in .*blank\.png"):
        transfer_pair(str(tmp_path / "blank.png"), "sample:orl/s2/3.pgm", str(out), root=str(root))


def test_a_registered_model_is_evaluated_beside_what_needs_no_training(done, tmp_path: Path) -> None:
    from mien.flows.evaluate import evaluate_generator

    root, _ = done
    out = tmp_path / "page"
    told = "\n".join(evaluate_generator(set="six", root=str(root), pairs=4, workers=1, gallery=str(out)).lines())
    assert told.endswith(f"gallery: {out}/evaluation.html")
    assert (out / "evaluation.md").read_text() in told
    found = json.loads((out / "evaluation.json").read_text())
    assert [(s["split"], s["kind"], s["people"]) for s in found["sections"]] == [
        ("val", "same", 1),
        ("test", "same", 1),
    ]
    means = found["sections"][0]["means"]
    assert list(means) == ["generated", "tps", "copy"]
    # Six steps draw mud; a copy is a face, if of another expression.
    assert means["copy"]["ssim"]["value"] > means["generated"]["ssim"]["value"]
    assert means["copy"]["found"]["value"] == 1
    page = (out / "evaluation.html").read_text()
    sheets = sorted((out / "evaluation").glob("*.png"))
    assert sheets
    assert all(f"evaluation/{sheet.name}" in page for sheet in sheets)
    sheet = decode_rgb((out / "evaluation/val-l1-best.png").read_bytes())
    assert sheet.shape[1] // 64 == 4  # source, target, generated, warped


def test_the_run_of_a_training_has_its_evaluation_and_why_it_was_promoted(done) -> None:
    root, augmentation = done
    run_id = augmentation.trained.model.run_id
    artefacts = root / "mlartifacts" / run_id / "artifacts"
    assert {"evaluation.md", "evaluation.json", "promotion.md"} <= {path.name for path in artefacts.iterdir()}
    assert (artefacts / "promotion.md").read_text() == "Promoted: it is the first."
    assert (artefacts / "evaluation" / "val-l1-worst.png").exists()
    assert augmentation.trained.promotion == "it is the first"


def test_an_unknown_model_is_told_with_what_there_is(done) -> None:
    from prefect.exceptions import ParameterTypeError

    from mien.flows.evaluate import evaluate_generator
    from mien.tasks.errors import UsageError

    root, _ = done
    with pytest.raises(UsageError, match=r"mien-generator@nobody is not in the registry \(it holds mien-generator/1\)"):
        evaluate_generator(set="six", model="models:/mien-generator@nobody", root=str(root))
    with pytest.raises(ParameterTypeError, match="no registered model"):
        evaluate_generator(set="six", model="generator.pt", root=str(root))
