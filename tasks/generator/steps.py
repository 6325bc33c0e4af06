"""The Prefect tasks of this package: wrappers, and nothing else."""

from __future__ import annotations

from mien.tasks.generator.neutrals import keep_neutrals as _keep_neutrals
from mien.tasks.runtime.prefect_tasks import retried

keep_neutrals = retried("find-neutrals")(_keep_neutrals)
