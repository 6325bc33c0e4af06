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
            report = outcome.report()
            if leave_report(name, report, headline(report)):
                outcome.reported()
        return outcome

    return wrapped(flow, run)


def headline(report: str) -> str | None:
    """The first line that is text, for the list of artifacts."""
    lines = (line.replace("*", "").strip() for line in report.splitlines())
    return next((line for line in lines if line and not line.startswith(("|", "`", "#", "-"))), None)
