"""The Prefect tasks of this package: wrappers, and nothing else."""

from __future__ import annotations

from mien.tasks.prepare.compare import compare_faces as _compare_faces
from mien.tasks.prepare.video_frames import video_frames as _video_frames
from mien.tasks.runtime.prefect_tasks import retried

video_frames = retried("choose-frames", "choose frames of {video.uri}")(_video_frames)
compare_faces = retried("compare-faces")(_compare_faces)
