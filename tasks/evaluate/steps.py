"""The Prefect tasks of this package: wrappers, and nothing else."""

from __future__ import annotations

from mien.tasks.evaluate.evaluate import evaluate as _evaluate
from mien.tasks.evaluate.page import write_page as _write_page
from mien.tasks.runtime.prefect_tasks import once

evaluate = once("evaluate-generator")(_evaluate)
write_evaluation_page = once("write-evaluation-page")(_write_page)
