"""The whole pipeline on real faces, small: photos in, generated faces out, and what a second run finds."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import storage
from model.images import decode_rgb

pytestmark = pytest.mark.usefixtures("prefect_server")

PEOPLE = [f"sample:orl/s{n}" for n in (1, 2, 3, 4, 5, 6)]


def run(root: Path):
    from flows.pipeline import face_augmentation

    return face_augmentation(
        PEOPLE,
        "six",
        str(root),
        crop_size=64,
        size=64,
        steps=4,
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
    assert len(rows) == 5 * len(held_out)
    for row in rows:
        source, driver = faces[row["identity_face_id"]], faces[row["expression_face_id"]]
        assert row["identity"] == source["identity"] in held_out
        assert driver["identity"] != source["identity"]
        assert decode_rgb(row["image"]).shape == (64, 64, 3)
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
    _, augmentation = done
    page = Path(augmentation.augmented.gallery.uri).read_text()
    assert page.count("<article") == augmentation.augmented.planned
    assert "http://" not in page
    assert "https://" not in page
    assert page.count("data:image/png;base64,") >= 2 * augmentation.augmented.planned


def test_a_second_run_finds_everything_done(done) -> None:
    root, first = done
    before = shard_times(root)
    second = run(root)
    assert shard_times(root) == before
    assert second.trained.stopped == "found"
    assert second.trained.model == first.trained.model
    assert second.augmented.transfers == first.augmented.transfers


def test_more_photos_make_new_shards_only(done) -> None:
    from flows.prepare import prepare_faces

    root, _ = done
    before = shard_times(root)
    prepare_faces(
        [*PEOPLE, "sample:orl/s7"],
        "six",
        str(root),
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
