"""One settings file for the whole pipeline: each flow does as its sections say, and keeps what it was told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.open_gate import OPEN_GATE
from mien import storage
from mien.tasks.errors import UsageError
from tests.integration.flow_calls import quickly_evaluated
from tests.small_root import DETECTOR, draw_photos

pytestmark = pytest.mark.usefixtures("prefect_server", "shared_workers")

FILE = """
[alignment]
size_px = 64
margin_top = 0.4

[quality]
min_sharpness = 0.006

[heatmaps]
size_px = 32
sigma_px = 1.25

[train]
steps = 9

[train.generator]
size_px = 64
width = 8
blocks = 0
keeps_source = true

[promotion]
min_updates = 1
baselines = []

[planning]
max_sources = 1

[gate]
"""
GATE = OPEN_GATE | {"min_sharpness_ratio": 1000.0}


def about(root: str, table: str, name: str) -> Any:
    (manifest,) = (m for m in storage.list_manifests(storage.Root(root), table) if m.fingerprint in tables(root, name))
    return manifest.about


def tables(root: str, name: str) -> set[str]:
    return set(storage.read_set(storage.Root(root), name).tables.values())


def test_a_file_decides_what_no_parameter_does_in_every_flow(tmp_path: Path) -> None:
    from mlflow import MlflowClient

    from mien.flows.augment import augment_faces
    from mien.flows.prepare import prepare_faces
    from mien.flows.train import train_generator

    file, root = tmp_path / "settings.toml", str(tmp_path / "root")
    file.write_text(FILE + "\n".join(f"{name} = {limit}" for name, limit in GATE.items()))
    draw_photos(tmp_path / "photos")
    splits: dict[str, Any] = {"val_fraction": 0.2, "test_fraction": 0.0, "split_salt": "six-2", "workers": 1}
    prepare_faces([str(tmp_path / "photos")], set="three", root=root, faces=DETECTOR, **splits, settings=str(file))
    detected = about(root, "faces", "three")["settings"]
    assert detected["alignment"] == {"size_px": 64, "margin_top": 0.4, "margin_bottom": 0.12}
    assert (detected["limits"]["min_sharpness"], detected["limits"]["max_clipped"]) == (0.006, 0.5)
    assert about(root, "heatmaps", "three")["spec"] == {"size_px": 32, "sigma_px": 1.25, "form": "contours"}

    with pytest.raises(UsageError, match=r"there is no setting train\.step: did you mean train\.steps\?"):
        train_generator(sets=["three"], root=root, settings={"train": {"step": 2}})
    with quickly_evaluated():
        trained = train_generator(sets=["three"], root=root, steps=2, workers=1, recipe="patent", settings=str(file))
    client = MlflowClient(f"sqlite:///{root}/mlflow.db")
    run = client.get_run(trained.model.run_id)
    assert run.data.tags["mien.recipe"] == "patent"
    assert (run.data.params["steps"], run.data.params["optimizer"], run.data.params["generator.width"]) == (
        "2",
        "sgd",
        "8",
    )
    (tmp_path / "kept").mkdir()
    kept = client.download_artifacts(run.info.run_id, "settings.toml", str(tmp_path / "kept"))
    card = Path(client.download_artifacts(run.info.run_id, "model_card_full.md", str(tmp_path / "kept"))).read_text()
    assert "Recipe `patent`, changed in `train.generator.size_px = 64`, `train.generator.width = 8`" in card
    (config,) = Path(root).glob("models/*/config.json")
    assert json.loads(config.read_text())["provenance"]["settings"]["optimizer"] == "sgd"
    # What the run kept is a settings file that gives the same training.
    assert train_generator(sets=["three"], root=root, settings=kept).stopped == "found"

    done = augment_faces(
        identities="three", expressions="three", root=root, per_identity=2, workers=1, settings=str(file)
    )
    assert about(root, "transfers", "three-by-three")["settings"]["gate"] == GATE
    assert about(root, "pairs", "three-by-three")["settings"]["rules"]["planning"] == {
        "max_sources": 1,
        "max_source_share": 1.0,
        "clusters": 8,
        "look_similarity": None,
    }
    rows = storage.open_table(root, "transfers", done.set).to_table().to_pylist()
    assert {row["status"] for row in rows} == {"rejected"}
    assert any("sharpness of the face over the source's" in row["reason"] for row in rows)
    assert len({(row["identity"], row["identity_face_id"]) for row in rows}) == len({row["identity"] for row in rows})
