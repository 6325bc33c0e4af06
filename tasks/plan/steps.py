"""The Prefect tasks of this package: wrappers, and nothing else."""

from __future__ import annotations

from mien.tasks.plan.pair_shards import store_round as _store_round
from mien.tasks.runtime.prefect_tasks import retried

store_round = retried("store-plan")(_store_round)
