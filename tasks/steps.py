"""The Prefect tasks: a flat list of wrappers around the functions of this package.

No result is cached by Prefect: its cache key does not see changes below the task function. Each function looks for
the artefact with its own fingerprint first, and that is the only cache. Steps that only read and write are tried
again; training is not, since it goes on from its last checkpoint when the flow is run again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from prefect import State, Task, task
from prefect.cache_policies import NO_CACHE

from model.errors import DetectorError
from tasks import (
    calibration,
    comparison,
    detect,
    evaluation,
    export,
    gallery,
    heatmaps,
    ingest,
    neutrals,
    pair,
    plan_shards,
    registration,
    report,
    reproduction,
    tracking,
    training,
    transfer,
    verification,
    videos,
)
from tasks.errors import AbandonedError, UsageError
from tasks.evaluation import page

P = ParamSpec("P")
R = TypeVar("R")


def _retried(name: str) -> Callable[[Callable[P, R]], Task[P, R]]:
    return task(name=name, retries=2, retry_delay_seconds=[1, 5], retry_condition_fn=_may_pass, cache_policy=NO_CACHE)


def _may_pass(_task: object, _run: object, state: State[Any]) -> bool:
    """What a user named wrongly stays wrong; a network or a killed process may be well the next time."""
    return not isinstance(state.result(raise_on_failure=False), UsageError | DetectorError | AbandonedError)


def _once(name: str) -> Callable[[Callable[P, R]], Task[P, R]]:
    return task(name=name, cache_policy=NO_CACHE)


video_frames = _retried("choose-frames")(videos.video_frames)
index_shard = _retried("index-images")(ingest.index_shard)
detect_shard = _retried("detect-and-align")(detect.detect_shard)
compare_faces = _retried("compare-faces")(comparison.compare_faces)
heatmap_shard = _retried("render-heatmaps")(heatmaps.heatmap_shard)
train = _once("train-gan")(training.train)
evaluate = _once("evaluate-generator")(evaluation.evaluate)
register = _once("register-generator")(registration.register)
fetch_model = _retried("fetch-generator")(tracking.fetch_model)
store_plan = _retried("store-plan")(plan_shards.store_parts)
keep_neutrals = _retried("find-neutrals")(neutrals.keep_neutrals)
transfer_shard = _retried("transfer-expressions")(transfer.transfer_shard)
transfer_photos = _once("transfer-photos")(pair.transfer_photos)
write_evaluation_page = _once("write-evaluation-page")(page.write_page)
build_gallery = _once("build-gallery")(gallery.build_gallery)
build_report = _once("build-report")(report.build_report)
calibrate = _once("calibrate-gate")(calibration.calibrate)
reproduce = _once("reproduce-face")(reproduction.reproduce)
export_part = _retried("export-part")(export.export_part)
verify = _once("verify-set")(verification.verify)
