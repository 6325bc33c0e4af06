"""How a function of this package becomes a Prefect task.

No result is cached by Prefect: its cache key does not see changes below the task function. Each function looks for
the artefact with its own fingerprint first, and that is the only cache.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from prefect import State, Task, task
from prefect.cache_policies import NO_CACHE

from mien.model.errors import DetectorError
from mien.tasks.errors import AbandonedError, HopelessError, UsageError

P = ParamSpec("P")
R = TypeVar("R")


def retried(name: str, run_name: str | None = None) -> Callable[[Callable[P, R]], Task[P, R]]:
    """A step that only reads and writes: tried again where the network or a killed process may be the cause.

    `run_name` is a template of the parameters for the names of its runs; without it they are named as the step.
    """
    return task(
        name=name,
        task_run_name=run_name or _work(name),
        retries=2,
        retry_delay_seconds=[1, 5],
        retry_condition_fn=_may_pass,
        cache_policy=NO_CACHE,
    )


def _may_pass(_task: object, _run: object, state: State[Any]) -> bool:
    """What a user named wrongly stays wrong; a network or a killed process may work the next time."""
    hopeless = UsageError | DetectorError | HopelessError | AbandonedError
    return not isinstance(state.result(raise_on_failure=False), hopeless)


def once(name: str) -> Callable[[Callable[P, R]], Task[P, R]]:
    """A step that is not tried again: it goes on from what it has kept when the flow is run again."""
    return task(name=name, task_run_name=_work(name), cache_policy=NO_CACHE)


def _work(name: str) -> str:
    """`train gan` of `train-gan`: Prefect would add a random suffix to the name."""
    return name.replace("-", " ")
