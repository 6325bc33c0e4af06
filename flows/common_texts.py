"""What the help of several flows says in the same words. A docstring names it in braces."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from mien.model import devices
from mien.model.detection import load

P = ParamSpec("P")
R = TypeVar("R")

TEXTS = {
    "detectors": f"Detector: auto, {load.CHOICES}.",
    "devices": (
        f"What networks compute on: {devices.CHOICES}. They have a process for each GPU, or for each name of a list; "
        "auto is cuda where there is a GPU, else cpu, which all workers share."
    ),
    "executor": (
        "Where the workers run: local is this machine, ray the nodes of a Ray cluster, which have to reach the root "
        "and the photos. On these there are as many as workers says, or as have room, each with one shard in hand."
    ),
    "rank": (
        "Which of several runs of this command this is, from 0: they share the shards, each begins with its own. "
        "If empty SLURM_ARRAY_TASK_ID or JOB_COMPLETION_INDEX tells."
    ),
    "ray_address": (
        "Of the Ray cluster: auto for the one that this machine belongs to, or HOST:PORT; if empty RAY_ADDRESS tells, "
        "else a cluster of this machine alone is made."
    ),
    "world_size": "How many runs there are; if empty SLURM_ARRAY_TASK_COUNT or MIEN_WORLD_SIZE tells.",
    "workers": "Worker processes; one per core if empty. Networks on GPUs have processes of their own: see device.",
}


def filled_in(text: str) -> str:
    """The text with what it names."""
    for name, said in TEXTS.items():
        text = text.replace(f"{{{name}}}", said)
    return text


def with_common_texts(function: Callable[P, R]) -> Callable[P, R]:
    """The same function; its docstring says the texts that it names, for the help and for Prefect."""
    function.__doc__ = filled_in(function.__doc__ or "")
    return function
