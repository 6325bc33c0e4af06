"""What another version of the code made is found by the manifests alone, and nothing heavy is loaded for it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mien.flows.cli.browse import describe_root
from mien.storage import Root, TableName, commit, list_sets, read_manifest, read_set, source_digest, write_set
from mien.tasks.generator.weights import RegisteredModel
from mien.tasks.plan.counts import PlanOutcome
from mien.tasks.plan.pair_list import PairList
from mien.tasks.plan.pair_shards import commit_pairs
from mien.tasks.prepare.compare import Compared, CompareSettings, commit_faces
from mien.tasks.prepare.detect import DETECT, DetectSettings
from mien.tasks.prepare.heatmaps import HEATMAPS, HeatmapSettings, commit_heatmaps
from mien.tasks.prepare.index import INDEX
from mien.tasks.sets.faces import FaceTables
from mien.tasks.sets.versions import MAKERS, Maker, is_outdated, recomputed
from mien.tasks.transfer.settings import TransferSettings
from mien.tasks.transfer.transfer_shards import TRANSFER, commit_transfers
from tests.paths import REPOSITORY

OTHER = "0" * 32


@pytest.fixture
def root(tmp_path: Path) -> Root:
    """A prepared set and a generated one, both without rows, as the flows commit them."""
    root = Root(str(tmp_path))
    settings = DetectSettings("tests.own_detector:DarkSquares")
    images = INDEX.commit(root, [], {})
    faces = commit_faces(root, images, Compared([], {"people": None, "check": None}), CompareSettings(settings))
    heatmaps = commit_heatmaps(root, faces, [], HeatmapSettings(64))
    write_set(root, "team", {ref.table: ref.fingerprint for ref in (images, faces, heatmaps)})
    tables = FaceTables("team", faces.fingerprint, heatmaps.fingerprint)
    pairs = commit_pairs(root, PairList([]), PlanOutcome(), tables, tables)
    model = RegisteredModel("models:/g/1", "run", "0" * 64, False)
    made = commit_transfers(root, pairs, [], TransferSettings(model, (tables,), 64, settings.faces))
    write_set(root, "team-by-team", {"pairs": pairs.fingerprint, "transfers": made.fingerprint})
    return root


def made_otherwise(root: Root, name: str, table: TableName, key: str = "code") -> None:
    """As if an older version had made that table of the set."""
    tables = dict(read_set(root, name).tables)
    manifest = read_manifest(root, table, tables[table])
    tables[table] = commit(root, table, manifest.shards, {**manifest.about, key: OTHER}).fingerprint
    write_set(root, name, tables)


def test_what_the_present_code_made_is_not_older(root: Root) -> None:
    assert recomputed(root, list_sets(root)) == {}
    assert "version of the code" not in "\n".join(describe_root(root.url))
    assert "rerun" not in "\n".join(describe_root(root.url))


@pytest.mark.parametrize(
    ("table", "key", "again"),
    [
        ("images", "code", {"team": ["images"]}),
        ("faces", "code", {"team": ["faces", "heatmaps"], "team-by-team": ["transfers"]}),
        ("faces", "compare_code", {"team": ["faces", "heatmaps"], "team-by-team": ["transfers"]}),
        ("heatmaps", "code", {"team": ["heatmaps"], "team-by-team": ["transfers"]}),
        ("pairs", "code", {"team-by-team": ["pairs", "transfers"]}),
        ("transfers", "code", {"team-by-team": ["transfers"]}),
    ],
)
def test_an_older_table_is_shown_with_all_that_is_made_from_it(
    root: Root, table: TableName, key: str, again: dict[str, list[str]]
) -> None:
    name = "team" if "team" in again else "team-by-team"
    made_otherwise(root, name, table, key)
    assert recomputed(root, list_sets(root)) == again
    lines = describe_root(root.url)
    (shown,) = [line for line in lines if "made by another version of the code" in line]
    assert shown.split()[0] == table
    assert lines[-1] == "with this version a rerun recomputes " + "; ".join(
        f"{', '.join(tables)} of {each}" for each, tables in again.items()
    )


def test_a_table_that_does_not_say_counts_as_older(root: Root) -> None:
    manifest = read_manifest(root, "images", commit(root, "images", [], {}).fingerprint)
    assert is_outdated(manifest)
    assert not is_outdated(replace(manifest, about={"code": INDEX.code}))


def test_every_stage_is_among_the_makers() -> None:
    for stage in (INDEX, DETECT, HEATMAPS, TRANSFER):
        assert Maker(stage.table, stage.module) in MAKERS
    assert {maker.table for maker in MAKERS} == {"images", "faces", "heatmaps", "pairs", "transfers"}
    assert len({source_digest(maker.module) for maker in MAKERS}) == len(MAKERS)


def test_a_root_is_shown_without_loading_what_made_it(root: Root) -> None:
    script = (
        "import json, sys; from mien.flows.cli.browse import describe_root; describe_root(sys.argv[1]); "
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    command = [sys.executable, "-c", script, root.url]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY)
    loaded = set(json.loads(done.stdout))
    assert not loaded & {"torch", "cv2", "mlflow", "prefect", "onnxruntime", "insightface", "sklearn", "skimage"}
