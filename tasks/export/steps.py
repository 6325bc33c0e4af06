"""The Prefect tasks of this package: wrappers, and nothing else."""

from __future__ import annotations

from mien.tasks.export.export import export_part as _export_part
from mien.tasks.runtime.prefect_tasks import retried

export_part = retried("export-part", "export part {source.position}")(_export_part)
