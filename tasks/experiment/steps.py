"""The Prefect tasks of this package: wrappers, and nothing else."""

from __future__ import annotations

from mien.tasks.experiment.expression import run_expression as _run_expression
from mien.tasks.experiment.page import write_page as _write_page
from mien.tasks.experiment.recognition import run_recognition as _run_recognition
from mien.tasks.experiment.tracking import log_experiment as _log_experiment
from mien.tasks.experiment.verification import run_verification as _run_verification
from mien.tasks.runtime.prefect_tasks import once

run_recognition = once("run-recognition")(_run_recognition)
run_verification = once("run-verification")(_run_verification)
run_expression = once("run-expression")(_run_expression)
write_experiment_page = once("write-experiment-page")(_write_page)
log_experiment = once("log-experiment")(_log_experiment)
