"""A prepared set of drawn faces and a generator for it, in a second: no photo, no detector, no training."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from mien.model.images.codec import encode_png
from mien.model.inference.exported_generator import ExportedGenerator
from mien.model.landmarks.heatmap_spec import HeatmapSpec
from mien.model.landmarks.reference import AlignmentSettings
from mien.model.landmarks.schemes import PARTS, LandmarkScheme
from mien.model.networks.generator import GeneratorConfig, build_generator
from mien.storage import Root, commit, fingerprint, write_shard
from mien.storage.schemas import FACES, IMAGES, heatmaps_schema
from mien.tasks.sets.faces import FaceTables
from tests.drawn_faces import HEATMAP_PX, dense_faces, drawn_faces

DETECTOR = "tests.own_detector:DarkSquares"
SIDE_PX = 64


def drawn_set(root: Root, name: str = "drawn", scheme: LandmarkScheme = "ibug68") -> FaceTables:
    """Drawn faces as a prepared set: half of the people for training, half held out."""
    faces = dense_faces(drawn_faces(people=4, each=4, size_px=SIDE_PX), scheme, HeatmapSpec(HEATMAP_PX))
    rows, heatmaps = [], []
    for n, person in enumerate(faces.identities.tolist()):
        crop = np.ascontiguousarray(faces.images[n].transpose(1, 2, 0))
        rows.append(
            {
                "face_id": fingerprint([name, n]),
                "image_id": f"{n:064d}",
                "identity": f"person {person}",
                "split": "train" if person < 2 else "val",
                "landmarks_xy": ((faces.landmarks[n] + 1) * SIDE_PX / 2).ravel(),
                "landmark_scheme": scheme,
                "embedding": [1.0, person / 4, n / 40],
                "sharpness": 10.0,
                "perceptual_hash": bytes(32) if n < 2 else np.random.default_rng(n).bytes(32),
                "crop": encode_png(crop),
                "status": "ok",
            }
        )
        heatmaps.append({"face_id": rows[-1]["face_id"], "heatmap": faces.heatmaps[n].tobytes(), "status": "ok"})
    photos = [
        {key: row[key] for key in ("image_id", "identity", "status")} | {"uri": f"drawn/{n}.png", "version": "1"}
        for n, row in enumerate(rows)
    ]
    listed = write_shard(root, "images", fingerprint([name, "images"]), pa.Table.from_pylist(photos, schema=IMAGES))
    images = commit(root, "images", [listed], {})
    settings = {"alignment": {"size_px": SIDE_PX}, "faces": DETECTOR}
    about = {"settings": settings, "images": images.fingerprint, "weights": {}}
    shard = write_shard(root, "faces", fingerprint([name, "faces"]), pa.Table.from_pylist(rows, schema=FACES))
    schema = heatmaps_schema(PARTS, HEATMAP_PX, 1.5, SIDE_PX)
    drawn = write_shard(root, "heatmaps", fingerprint([name, "maps"]), pa.Table.from_pylist(heatmaps, schema=schema))
    spec = asdict(HeatmapSpec(HEATMAP_PX))
    tables = commit(root, "faces", [shard], about), commit(root, "heatmaps", [drawn], {"spec": spec})
    return FaceTables(name, tables[0].fingerprint, tables[1].fingerprint)


def small_generator(folder: Path) -> Path:
    """Saves an untrained generator that fits the set; the folder."""
    torch.manual_seed(0)
    network = build_generator(GeneratorConfig(size_px=SIDE_PX, width=16, blocks=1))
    ExportedGenerator(network, AlignmentSettings(size_px=SIDE_PX), HeatmapSpec(size_px=HEATMAP_PX), {}).save(folder)
    return folder
