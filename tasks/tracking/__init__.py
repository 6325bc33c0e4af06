"""MLflow: runs, metrics and the registry. The one package that imports mlflow."""

from __future__ import annotations

from mien.tasks.tracking.champion import PROMOTION_TAG, Change, promote, promote_back, why_not_champion
from mien.tasks.tracking.connection import check_connection, run_address, tracking_uri
from mien.tasks.tracking.registry import (
    TRAINING_TAG,
    Registration,
    champion,
    fetch_model,
    find_trained,
    newest_of_kind,
    register,
    tags_of,
)
from mien.tasks.tracking.runs import TrackedRun, tracked_run

__all__ = [
    "PROMOTION_TAG",
    "TRAINING_TAG",
    "Change",
    "Registration",
    "TrackedRun",
    "champion",
    "check_connection",
    "fetch_model",
    "find_trained",
    "newest_of_kind",
    "promote",
    "promote_back",
    "register",
    "run_address",
    "tags_of",
    "tracked_run",
    "tracking_uri",
    "why_not_champion",
]
