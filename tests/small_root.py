"""A root with a prepared and a generated set, made in a second: photos of dark squares, the detector that finds them,
and transfers whose pictures no network drew."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa

from mien.model.images.provenance import encode_image
from mien.model.landmarks.heatmap_spec import HeatmapSpec
from mien.model.landmarks.reference import AlignmentSettings
from mien.model.pair_planning import planned_pair
from mien.model.plan_rules import PlanRules
from mien.storage import LabelRule, Root, TableRef, commit, fingerprint, list_images, open_table, write_set, write_shard
from mien.storage.schemas import PAIRS, TRANSFERS
from mien.tasks.generator.weights import RegisteredModel
from mien.tasks.plan.pair_shards import CODE as PLAN_CODE
from mien.tasks.plan.plan import PlanSettings
from mien.tasks.prepare.compare import CompareSettings, commit_faces, compare_faces
from mien.tasks.prepare.detect import DETECT, DetectSettings
from mien.tasks.prepare.heatmaps import HEATMAPS, HeatmapSettings, commit_heatmaps
from mien.tasks.prepare.index import INDEX, IndexSettings, plan_index
from mien.tasks.runtime.stage import make_shard
from mien.tasks.sets.faces import FaceTables
from mien.tasks.sets.own_mark import own_mark
from mien.tasks.sets.splits import SplitSettings
from mien.tasks.transfer.settings import TransferSettings, output_id, settings_fingerprint
from mien.tasks.transfer.transfer_shards import commit_transfers

DEFAULT_SPLITS, HEATMAPS_DRAWN = SplitSettings(), HeatmapSpec(size_px=16)
PREPARED, GENERATED = "six", "six-made"
DETECTOR = "tests.own_detector:DarkSquares"
CROP_PX, PEOPLE, EACH, SHARD_IMAGES, SHARD_PAIRS, FURTHER = 64, 3, 4, 6, 6, 2


def draw_photos(folder: Path, people: int = PEOPLE, each: int = EACH) -> None:
    """{person}/{expression}.png: a dark square of many small ones on a light ground, another one in each photo."""
    for person in range(people):
        for number in range(each):
            random = np.random.default_rng([person, number])
            photo = np.full((200, 200, 3), 230, np.uint8)
            texture = random.integers(30, 100, (16, 16, 3)).astype(np.uint8)
            photo[45:155, 50 + number : 160 + number] = cv2.resize(texture, (110, 110), interpolation=cv2.INTER_NEAREST)
            path = folder / f"person{person}" / f"mood{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), photo)


def prepare(
    root: Root,
    photos: Path,
    name: str = PREPARED,
    splits: SplitSettings = DEFAULT_SPLITS,
    heatmaps: HeatmapSpec = HEATMAPS_DRAWN,
) -> dict[str, TableRef]:
    """The steps of `prepare_faces`, without Prefect and worker processes."""
    settings = DetectSettings(DETECTOR, AlignmentSettings(size_px=CROP_PX))
    rule = LabelRule("{identity}/{expression}.png", "source")
    listed = list_images([str(photos)], rule, root)
    indexed = [make_shard(INDEX, root, part, IndexSettings()) for part in plan_index(root, name, listed, SHARD_IMAGES)]
    images = INDEX.commit(root, indexed, {})
    detected = [make_shard(DETECT, root, shard.fingerprint, settings) for shard in indexed]
    compare = CompareSettings(settings, splits)
    compared = compare_faces(root, name, detected, compare)
    faces = commit_faces(root, images, compared, compare, detected)
    drawn = HeatmapSettings(CROP_PX, heatmaps)
    rendered = [make_shard(HEATMAPS, root, shard.fingerprint, drawn) for shard in compared.shards]
    refs = {"images": images, "faces": faces, "heatmaps": commit_heatmaps(root, faces, rendered, drawn)}
    write_set(root, name, {table: ref.fingerprint for table, ref in refs.items()})
    return refs


def generate(root: Root, refs: dict[str, TableRef]) -> dict[str, TableRef]:
    """Each person with the expressions of the next one, as a job would store them."""
    tables = FaceTables(PREPARED, refs["faces"].fingerprint, refs["heatmaps"].fingerprint)
    faces = rows_of(root, "faces", refs["faces"].fingerprint)
    photos = {row["image_id"]: row for row in rows_of(root, "images", refs["images"].fingerprint)}
    people = sorted({face["identity"] for face in faces})
    settings = TransferSettings(RegisteredModel("models:/g/1", "run", "a" * 64, False), (tables,), CROP_PX, DETECTOR)
    pairs, made = [], []
    for number, person in enumerate(people):
        source, *others = [face for face in faces if face["identity"] == person]
        further = others[:FURTHER]
        drivers = [face for face in faces if face["identity"] == people[(number + 1) % len(people)]]
        for rank, driver in enumerate(drivers):
            pair = planned_pair(source["face_id"], driver["face_id"], seed=0)
            planned = vars(pair) | {"rank": rank, "further_source_ids": [face["face_id"] for face in further]}
            labels = {"identity": person, "expression": driver["expression"]}
            pairs.append(planned | labels | {"expression_group": driver["expression"], "status": "ok"})
            beside = {"further_image_ids": [face["image_id"] for face in further]}
            made.append(_transfer(planned | labels | beside, source, driver, photos[source["image_id"]], settings))
    shards = [
        (
            write_shard(
                root, "pairs", fingerprint(["pairs", first]), _table(pairs[first : first + SHARD_PAIRS], PAIRS)
            ),
            write_shard(root, "transfers", fingerprint(first), _table(made[first : first + SHARD_PAIRS], TRANSFERS)),
        )
        for first in range(0, len(pairs), SHARD_PAIRS)
    ]
    planned_by = asdict(PlanSettings(EACH, rules=PlanRules(0, sources=1 + FURTHER)))
    about = {"identities": asdict(tables), "expressions": asdict(tables), "code": PLAN_CODE, "settings": planned_by}
    plan = commit(root, "pairs", [pair for pair, _ in shards], about)
    transfers = commit_transfers(root, plan, [transfer for _, transfer in shards], settings)
    write_set(root, GENERATED, {"pairs": plan.fingerprint, "transfers": transfers.fingerprint})
    return {"pairs": plan, "transfers": transfers}


def _transfer(planned: dict[str, Any], source: Any, driver: Any, photo: Any, settings: TransferSettings) -> Any:
    made_with = settings_fingerprint(settings)
    made_from = made_with, "faces", "neutrals"
    model = settings.model
    faces, made = (source["face_id"], driver["face_id"]), output_id(planned["pair_id"], *made_from)
    provenance = own_mark(model.uri, model.sha256, *faces, made, planned["further_source_ids"])
    image = encode_image(np.full((16, 16, 3), planned["seed"] % 255, np.uint8), "png", provenance, 95)
    return planned | {
        "output_id": made,
        "settings": made_with,
        "inputs": "faces",
        "neutrals": "neutrals",
        "source_image_id": source["image_id"],
        "driver_image_id": driver["image_id"],
        "split": source["split"],
        "licence": photo["licence"],
        "consent": photo["consent"],
        "model_uri": model.uri,
        "model_sha256": model.sha256,
        "run_id": model.run_id,
        "image": image,
        "image_format": "png",
        "sha256": hashlib.sha256(image).hexdigest(),
        "synthetic": True,
        "status": "ok",
    }


def _table(rows: list[Any], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist([{name: row.get(name) for name in schema.names} for row in rows], schema=schema)


def rows_of(root: Root, table: Any, name: str) -> list[dict[str, Any]]:
    """All rows of a table."""
    return open_table(root, table, name).to_table().to_pylist()


def small_root(folder: Path) -> Root:
    """The root in `folder/root`, of the photos in `folder/photos`."""
    draw_photos(folder / "photos")
    root = Root(str(folder / "root"))
    generate(root, prepare(root, folder / "photos"))
    return root
