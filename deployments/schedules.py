"""A step of `prefect deploy`: the schedules that are there stay as they are (`flows/cli/kept_schedules.py`).

`prefect.yaml` names this file as its `build`, and Prefect loads it as a script.
"""

from __future__ import annotations

from mien.flows.cli.deployment_file import FILE, deployments_of
from mien.flows.cli.kept_schedules import keep_schedules

__all__ = ["FILE", "deployments_of", "keep_schedules"]
