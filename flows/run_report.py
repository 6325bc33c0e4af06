"""The report that each flow run leaves as an artifact: what came of it, for a reader of Prefect's pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from mien.flows.result import FlowResult
from mien.flows.wrapped import wrapped
from mien.tasks.runtime.run_artifacts import leave_report

P = ParamSpec("P")
R = TypeVar("R")


def reporting(name: str, flow: Callable[P, R]) -> Callable[P, R]:
    """The function of a flow; a run of it leaves the report on the outcome under the key `{name}-{set}`."""

    def run(*args: Any, **kwargs: Any) -> R:
        outcome = flow(*args, **kwargs)
        if isinstance(outcome, FlowResult):
            leave_report(name, outcome.report())
        return outcome

    return wrapped(flow, run)
