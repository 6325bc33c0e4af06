"""The whole pipeline on real faces, small: photos in, generated faces out, and what a second run finds."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from mien import storage
from mien.model.images.codec import decode_rgb
from mien.model.images.provenance import read_provenance
from tests.integration.flow_calls import HELD_OUT, SIX_PEOPLE, generated, prepare, run_pipeline, table_rows

pytestmark = pytest.mark.usefixtures("prefect_server", "shared_workers")


def shard_times(root: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in root.glob("*/shards/*.parquet")}


def test_every_photo_has_its_row(pipeline_root) -> None:
    root, _ = pipeline_root
    images = table_rows(root, "images", "six")
    assert len(images) == 60
    assert {row["status"] for row in images} == {"ok"}
    assert {(row["width_px"], row["height_px"]) for row in images} == {(92, 112)}
    faces = table_rows(root, "faces", "six")
    assert {row["image_id"] for row in faces} == {row["image_id"] for row in images}
    assert {(row["landmark_scheme"], row["commercial_use"]) for row in faces} == {("mediapipe478", True)}
    heatmaps = storage.open_table(str(root), "heatmaps", "six").to_table(columns=["face_id"])
    assert heatmaps["face_id"].to_pylist() == [row["face_id"] for row in faces]


def test_every_pair_has_a_generated_face_of_a_held_out_person_with_its_numbers(pipeline_root) -> None:
    root, augmentation = pipeline_root
    faces = {row["face_id"]: row for row in table_rows(root, "faces", "six")}
    pairs = table_rows(root, "pairs", "six-augmented")
    rows = table_rows(root, "transfers", "six-augmented")
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
        assert (row["gaze_reached"] is None) == (row["identity_similarity"] is None)
        assert row["model_uri"] == augmentation.trained.model.uri
        assert (row["status"] == "ok") == (row["reason"] is None)
        assert row["identity_similarity"] is not None or row["reason"] == "no face found on the result"


def test_the_registry_has_the_champion_and_serves_it(pipeline_root, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow

    root, augmentation = pipeline_root
    assert "MLFLOW_TRACKING_URI" not in os.environ
    assert (root / "mlartifacts").is_dir()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")  # which mlflow sets too: put back what was
    for point in (mlflow.set_tracking_uri, mlflow.set_registry_uri):  # an earlier job may have set both
        point(f"sqlite:///{root}/mlflow.db")
    client = mlflow.MlflowClient()
    version = client.get_model_version_by_alias("mien-generator", "champion")
    assert f"models:/mien-generator/{version.version}" == augmentation.trained.model.uri
    run = client.get_run(augmentation.trained.model.run_id)
    assert {d.dataset.name for d in run.inputs.dataset_inputs} == {"six.faces", "six.heatmaps"}
    assert run.data.params["generator.size_px"] == "64"
    names = ("loss/generator_l1", "loss/discriminator_identity", "learning_rate/generator", "speed/images_per_s")
    assert {*names, "validation/l1", "final/l1", "val/generated.l1", "val/warp.l1", "val/copy.l1"} <= set(
        run.data.metrics
    )
    assert {name for name in run.data.metrics if "/" not in name} == set()  # MLflow shows each group by itself
    assert (run.data.tags["mlflow.note.content"] or "").startswith(
        "Trains a motion generator of 64 px on `six`, for at most"
    )
    assert (
        f"({'#/models/mien-generator/versions/'}{version.version}) came of it and became the champion"
        in (run.data.tags["mlflow.note.content"])
    )
    served = mlflow.pyfunc.load_model("models:/mien-generator@champion")
    photos = [storage.read_source(f"sample:orl/{name}.pgm") for name in ("s1/1", "s2/3")]
    out = served.predict(pd.DataFrame([photos], columns=["source", "driver"]))
    assert decode_rgb(out["image"][0]).shape == (64, 64, 3)
    requirements = Path(mlflow.pyfunc.get_model_dependencies(served.metadata.get_model_info().model_uri)).read_text()
    assert {"torch", "onnxruntime", "face-recognition-models", "pillow", "pandas"} <= {
        line.partition("==")[0] for line in requirements.splitlines()
    }


def test_the_gallery_needs_nothing_but_itself(pipeline_root) -> None:
    root, augmentation = pipeline_root
    rows = generated(root, "six-augmented")
    page = Path(augmentation.augmented.gallery.uri).read_text()
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert json.loads(data)["rows"]["ids"] == [row["output_id"] for row in rows]
    assert json.loads(data)["pictures"]["result"]["count"] == sum(row["image"] is not None for row in rows)
    assert "http://" not in page
    assert "https://" not in page
    assert "data:image/jpeg;base64," in page
    assert [path.name for path in Path(augmentation.augmented.gallery.uri).parent.iterdir()] == ["index.html"]


def test_generated_faces_carry_lineage_labels_and_provenance(pipeline_root) -> None:
    root, augmentation = pipeline_root
    faces = {row["face_id"]: row for row in table_rows(root, "faces", "six")}
    for row in generated(root, "six-augmented"):
        source, driver = faces[row["identity_face_id"]], faces[row["expression_face_id"]]
        assert (row["source_image_id"], row["driver_image_id"]) == (source["image_id"], driver["image_id"])
        assert row["split"] == source["split"]
        further = [faces[face] for face in row["further_source_ids"]]
        assert len(further) <= 1  # two photos of the person, where two look alike
        assert row["further_image_ids"] == [face["image_id"] for face in further]
        assert {face["identity"] for face in further} <= {row["identity"]}
        assert (row["sharpness_ratio"] is None) == (row["found_landmarks_xy"] is None)
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
            **({"further_sources": " ".join(row["further_source_ids"])} if further else {}),
        }
    assert any(row["further_source_ids"] for row in generated(root, "six-augmented"))


def test_the_run_of_a_training_has_its_evaluation_and_why_it_was_promoted(pipeline_root) -> None:
    root, augmentation = pipeline_root
    run_id = augmentation.trained.model.run_id
    artefacts = root / "mlartifacts" / run_id / "artifacts"
    assert {"evaluation.md", "evaluation.json", "promotion.md"} <= {path.name for path in artefacts.iterdir()}
    said = (artefacts / "promotion.md").read_text()
    assert said.startswith(
        "Promoted: it is the first.\n\nNote: identity judged only by the embedding of dlib, which the"
    )
    assert (artefacts / "evaluation" / "val-l1-worst.png").exists()
    assert augmentation.trained.promotion.startswith("it is the first (identity judged only by the embedding of dlib,")


def test_a_second_run_finds_everything_done(done) -> None:
    root, first = done
    before = shard_times(root)
    second = run_pipeline(root)
    assert shard_times(root) == before
    assert second.trained.stopped == "found"
    assert second.trained.model == first.trained.model
    assert second.augmented.transfers == replace(
        first.augmented.transfers, root_url=second.augmented.transfers.root_url
    )


def test_more_photos_make_new_shards_only(done) -> None:
    root, _ = done
    before = shard_times(root)
    prepare([*SIX_PEOPLE, "sample:orl/s7"], "six", root, **HELD_OUT)
    after = shard_times(root)
    assert before.items() <= after.items()
    # One of each table; of the faces a second one, in the splits of the set.
    assert len(after) == len(before) + 4
    assert [row["identity"] for row in table_rows(root, "faces", "six")].count("s7") >= 10
