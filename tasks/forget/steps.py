"""The Prefect tasks of this package: wrappers, and nothing else."""

from __future__ import annotations

from mien.tasks.forget.forget import dry_run as _dry_run
from mien.tasks.forget.forget import forget as _forget
from mien.tasks.runtime.prefect_tasks import once

forget = once("forget-person")(_forget)
dry_run = once("look-for-person")(_dry_run)
