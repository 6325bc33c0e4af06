"""A registered generator used by itself: measured on held-out people, and on one pair of photos."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mien.model.images.codec import decode_rgb, encode_png
from tests.integration.flow_calls import train

pytestmark = pytest.mark.usefixtures("prefect_server", "shared_workers")


def test_a_registered_model_is_evaluated_beside_what_needs_no_training(done, tmp_path: Path) -> None:
    from mien.flows.evaluate import evaluate_generator

    root, _ = done
    out = tmp_path / "page"
    told = "\n".join(evaluate_generator(set="six", root=str(root), pairs=4, gallery=str(out)).lines())
    assert told.endswith(f"gallery: {out}/evaluation.html")
    assert (out / "evaluation.md").read_text() in told
    found = json.loads((out / "evaluation.json").read_text())
    assert [(s["split"], s["kind"], s["people"]) for s in found["sections"]] == [
        ("val", "same", 1),
        ("test", "same", 1),
    ]
    means = found["sections"][0]["means"]
    assert list(means) == ["generated", "spline", "warp", "copy"]
    # Six steps draw mud; a copy is a photo, if of another expression.
    assert means["copy"]["sharpness_gap"]["value"] < means["generated"]["sharpness_gap"]["value"]
    assert means["copy"]["found"]["value"] == 1
    page = (out / "evaluation.html").read_text()
    sheets = sorted((out / "evaluation").glob("*.png"))
    assert sheets
    assert all(f"evaluation/{sheet.name}" in page for sheet in sheets)
    sheet = decode_rgb((out / "evaluation/val-l1-best.png").read_bytes())
    assert sheet.shape[1] // 64 == 5  # source, target, generated, from four photos, warped
    assert [(s["split"], s["pairs"]) for s in found["several"]] == [(s["split"], s["pairs"]) for s in found["sections"]]
    assert list(found["several"][0]["ratios"]) == ["generated", "sources_2", "sources_4", "sources_8", "warp", "copy"]
    assert "one person, from several photos: " in told


def test_an_unknown_model_is_told_with_what_there_is(done) -> None:
    from prefect.exceptions import ParameterTypeError

    from mien.flows.evaluate import evaluate_generator
    from mien.tasks.errors import UsageError

    root, _ = done
    with pytest.raises(UsageError, match=r"mien-generator@nobody is not in the registry \(it holds mien-generator/1\)"):
        evaluate_generator(set="six", model="models:/mien-generator@nobody", root=str(root))
    with pytest.raises(ParameterTypeError, match="no registered model"):
        evaluate_generator(set="six", model="generator.pt", root=str(root))


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


def test_a_training_begins_with_a_registered_generator_and_knows_its_people(done) -> None:
    from mien.model.networks.config import GeneratorConfig
    from mien.storage import Root
    from mien.tasks.errors import UsageError
    from mien.tasks.generator.trained_on import TrainedOn
    from mien.tasks.generator.weights import config_of, load_model, provenance_of

    folder, _ = done
    root = Root(str(folder))
    champion = "models:/mien-generator@champion"
    wide = {"train": {"generator": {"width": 8}}}
    with pytest.raises(UsageError, match=r"has another generator than these settings \(width 8, not \d+\): leave them"):
        train(["six"], folder, steps=1, from_=champion, settings=wide, workers=1)

    fewer_pairs = {"train": {"validation_pairs": 2, "pretrain_steps": 1}}
    tuned = train(["six"], folder, steps=1, from_=champion, settings=fewer_pairs, workers=1)
    about = provenance_of(root, tuned.model.sha256)
    before = about["began_with"]
    assert before["uri"].startswith("models:/mien-generator/")
    assert config_of(root, tuned.model.sha256) == config_of(root, before["sha256"]) != GeneratorConfig()
    own, first = TrainedOn.read(about), TrainedOn.read(provenance_of(root, before["sha256"]))
    assert own is not None
    assert own.before == (first,)
    weights = [load_model(root, sha256).generator.state_dict() for sha256 in (before["sha256"], tuned.model.sha256)]
    moved = max(float((weights[0][name] - weights[1][name]).abs().max()) for name in weights[0])
    assert 0 < moved < 0.05  # one update of the warming-up: fresh weights would be elsewhere
