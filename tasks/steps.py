"""The Prefect tasks: a flat list of wrappers around the functions of this package.

No result is cached by Prefect: its cache key does not see changes below the task function. Each function looks for
the artefact with its own fingerprint first, and that is the only cache. Steps that only read and write are tried
again; training is not, since it goes on from its last checkpoint when the flow is run again.
"""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks import detect, evaluation, gallery, heatmaps, ingest, models, pair, planning, training, transfer

_IO = {"retries": 2, "retry_delay_seconds": [1, 5], "cache_policy": NO_CACHE}
_ONCE = {"cache_policy": NO_CACHE}

index_shard = task(ingest.index_shard, name="index-images", **_IO)
detect_shard = task(detect.detect_shard, name="detect-and-align", **_IO)
heatmap_shard = task(heatmaps.heatmap_shard, name="render-heatmaps", **_IO)
train = task(training.train, name="train-gan", **_ONCE)
evaluate = task(evaluation.evaluate, name="evaluate-generator", **_ONCE)
register = task(training.register, name="register-generator", **_ONCE)
fetch_model = task(models.fetch_model, name="fetch-generator", **_IO)
pairs_shard = task(planning.pairs_shard, name="store-plan", **_IO)
transfer_shard = task(transfer.transfer_shard, name="transfer-expressions", **_IO)
transfer_photos = task(pair.transfer_photos, name="transfer-photos", **_ONCE)
build_gallery = task(gallery.build_gallery, name="build-gallery", **_ONCE)
