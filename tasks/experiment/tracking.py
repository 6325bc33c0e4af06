"""An experiment in MLflow: a run, and below it one for each arm and seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mien.storage import Root, TableRef
from mien.tasks.experiment.page import markdown
from mien.tasks.experiment.results import Experiment, metric_name
from mien.tasks.tracking import tracked_run


def log_experiment(
    root: Root,
    experiment: Experiment,
    settings: Mapping[str, Any],
    tables: Sequence[tuple[str, TableRef]],
) -> str:
    """Logs an experiment; the id of its run.

    Raises:
        RunError: MLflow does not answer.
    """
    with tracked_run(root, experiment.title) as run:
        run.tags({"mien.kind": "experiment"})
        run.settings(settings)
        run.data(tables, "experiment")
        run.metrics(experiment.metrics())
        run.description("\n".join(markdown(experiment)))
        for table in experiment.tables:
            for row in table.rows:
                for seed, value in enumerate(row.by_seed):
                    name = f"{table.key}: {row.arm}, seed {seed}"
                    run.child(name, {"arm": row.arm, "seed": seed}, {metric_name(table.unit): value})
        return run.run_id
