"""The Prefect tasks of this package: wrappers, and nothing else."""

from __future__ import annotations

from mien.tasks.runtime.prefect_tasks import retried
from mien.tasks.tracking.registry import fetch_model as _fetch_model

fetch_model = retried("fetch-generator")(_fetch_model)
