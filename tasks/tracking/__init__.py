"""MLflow: runs, metrics and the registry. The one package that imports mlflow."""

from __future__ import annotations

from mien.tasks.tracking.connection import check_connection, run_address, tracking_uri
from mien.tasks.tracking.registry import (
    PROMOTION_TAG,
    TRAINING_TAG,
    Registration,
    champion,
    fetch_model,
    find_trained,
    newest_of_kind,
    register,
)
from mien.tasks.tracking.runs import TrackedRun, tracked_run

__all__ = [
    "PROMOTION_TAG",
    "TRAINING_TAG",
    "Registration",
    "TrackedRun",
    "champion",
    "check_connection",
    "fetch_model",
    "find_trained",
    "newest_of_kind",
    "register",
    "run_address",
    "tracked_run",
    "tracking_uri",
]
