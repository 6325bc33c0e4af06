"""The Prefect tasks of this package: wrappers, and nothing else."""

from __future__ import annotations

from mien.tasks.plan.pair_shards import store_parts as _store_parts
from mien.tasks.runtime.prefect_tasks import retried

store_plan = retried("store-plan")(_store_parts)
