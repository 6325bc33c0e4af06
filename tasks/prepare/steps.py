"""The Prefect tasks of this package: wrappers, and nothing else."""

from __future__ import annotations

from mien.tasks.prepare.compare import compare_faces as _compare_faces
from mien.tasks.prepare.detect import detect_shard as _detect_shard
from mien.tasks.prepare.heatmaps import heatmap_shard as _heatmap_shard
from mien.tasks.prepare.index import index_shard as _index_shard
from mien.tasks.prepare.video_frames import video_frames as _video_frames
from mien.tasks.runtime.prefect_tasks import retried

video_frames = retried("choose-frames")(_video_frames)
index_shard = retried("index-images")(_index_shard)
detect_shard = retried("detect-and-align")(_detect_shard)
compare_faces = retried("compare-faces")(_compare_faces)
heatmap_shard = retried("render-heatmaps")(_heatmap_shard)
