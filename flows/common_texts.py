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
    "workers": "Worker processes; one per core if empty. Networks on GPUs have processes of their own: see device.",
}


def with_common_texts(function: Callable[P, R]) -> Callable[P, R]:
    """The same function; its docstring says the texts that it names, for the help and for Prefect."""
    for name, text in TEXTS.items():
        function.__doc__ = (function.__doc__ or "").replace(f"{{{name}}}", text)
    return function
