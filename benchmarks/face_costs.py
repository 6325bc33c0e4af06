"""What single steps of preparing cost for a face: all columns of `faces`, the heatmap cache, embeddings in batches."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mien.model.detection.crop import align_face
from mien.model.detection.dlib_embedding import DlibEmbedding
from mien.model.detection.load import load_detector
from mien.model.images.codec import decode_rgb, encode_png
from mien.model.landmarks.heatmap_spec import HeatmapSpec
from mien.model.landmarks.heatmaps import render_heatmaps
from mien.model.landmarks.schemes import POINTS
from mien.storage import Root, SourceItem, list_images, open_table, read_manifest, read_set, read_shard, read_source
from mien.tasks.prepare.detect import DetectSettings, _face_columns
from mien.tasks.prepare.looking import BATCH, Seen, look_at

SIZE_PX = 256
"""Of the crops: the default."""


def all_columns(source: str, faces: str, photos: int = 48) -> None:
    """Prints what the pipeline does to a photo beyond the plain loop's steps, in one process, in its batches."""
    detector, settings = load_detector(faces), DetectSettings(faces)
    items = list_images([source])
    chosen = items[:: max(1, len(items) // photos)][:photos]

    def steps(batch: Sequence[SourceItem], columns: bool) -> float:
        start = time.process_time()
        pictures = [decode_rgb(read_source(item.uri)) for item in batch]
        for seen in look_at(detector, pictures):
            assert isinstance(seen, Seen)
            if seen.faces and columns:
                _face_columns(seen.pixels, seen.faces[0], seen.embeddings[0], settings.alignment)
            elif seen.faces:
                encode_png(align_face(seen.pixels, seen.faces[0], settings.alignment).crop)
        return 1000 * (time.process_time() - start)

    batches = [chosen[first : first + BATCH] for first in range(0, len(chosen), BATCH)]
    for columns in (False, True):
        steps(batches[0], columns)  # loads the weights
    plain_ms, whole_ms = np.sum([[steps(batch, columns) for columns in (False, True)] for batch in batches], axis=0)
    count = len(chosen)
    print(
        f"\nof {count} photos, CPU ms a photo: plain steps {plain_ms / count:.1f}, all columns {whole_ms / count:.1f}"
    )


def heatmap_cache(root: Root, name: str = "set") -> None:
    """Prints size and speed of the cache, as it is and otherwise, against rendering."""
    shard = max(read_manifest(root, "heatmaps", read_set(root, name).tables["heatmaps"]).shards, key=lambda s: s.rows)
    stored = read_shard(root, "heatmaps", shard.fingerprint)
    faces = open_table(root, "faces", name).to_table(["face_id", "landmarks_xy", "landmark_scheme"]).to_pylist()
    wanted = {row["face_id"]: row for row in faces if row["landmarks_xy"] is not None}
    found = [wanted[name] for name in stored["face_id"].to_pylist() if name in wanted]
    scheme = found[0]["landmark_scheme"]
    landmarks = [row["landmarks_xy"] for row in found]
    points = np.array(landmarks, np.float32).reshape(len(found), POINTS[scheme], 2)
    spec, faces_in = HeatmapSpec(), stored.num_rows
    table, scratch = stored.select(["face_id", "heatmap"]), Path(tempfile.mkdtemp())
    print(f"\n| heatmaps of {faces_in} faces | bytes a face | CPU ms, best of 20 |\n|---|---|---|")
    render_ms = _best_ms(lambda: render_heatmaps(points, scheme, SIZE_PX, spec))
    print(f"| rendered from landmarks, vectorised | 0 | {render_ms:.1f} |")
    for name, codec in (("the cache: zstd", "zstd"), ("lz4", "lz4"), ("uncompressed", "none")):
        path = scratch / codec
        pq.write_table(table, path, compression=codec, use_dictionary=False)
        read_ms = _best_ms(lambda path=path: _arrays(pq.read_table(path, columns=["heatmap"])))
        size = path.stat().st_size / faces_in
        print(f"| {name} | {size:.0f} | {read_ms:.1f} ({render_ms / read_ms:.1f} times as fast) |")
    read_ms = _best_ms(lambda: _arrays(read_shard(root, "heatmaps", shard.fingerprint, ["heatmap"])))
    print(f"| the cache, by read_shard | | {read_ms:.1f} ({render_ms / read_ms:.1f} times as fast) |", flush=True)


def _arrays(table: pa.Table) -> np.ndarray:
    column = table["heatmap"].combine_chunks().drop_null()
    return np.frombuffer(b"".join(column.to_pylist()), np.uint8).reshape(len(column), -1, 64, 64)


def _best_ms(work: Any) -> float:
    times: list[float] = []
    for _ in range(20):
        start = time.process_time()
        work()
        times.append(1000 * (time.process_time() - start))
    return min(times)


def embedding_batches() -> None:
    """Prints what dlib's embedding costs alone and in batches, with the cutting of the chips."""
    detector, embedding = load_detector("dlib"), DlibEmbedding()
    photos = [decode_rgb(read_source(f"sample:orl/s{number}/1.pgm")) for number in range(1, 17)]
    landmarks = [detector.find(photo)[0].landmarks_xy for photo in photos]
    print("\n| dlib's embedding, faces at once | CPU ms a face |\n|---|---|")
    for size in (1, 4, 16):
        embedding.embed_each(photos[:size], landmarks[:size])

        def embed(size: int = size) -> None:
            for first in range(0, len(photos), size):
                embedding.embed_each(photos[first : first + size], landmarks[first : first + size])

        print(f"| {size} | {_best_ms(embed) / len(photos):.1f} |", flush=True)
