"""What the log of a Prefect run says of a failure, read from Prefect's API."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterParentFlowRunId,
    LogFilter,
    LogFilterFlowRunId,
)
from prefect.logging.handlers import APILogHandler

from mien.flows.scrubbed_flow import flow
from mien.tasks.errors import RunError, UsageError
from mien.tasks.runtime.prefect_tasks import once, retried

pytestmark = pytest.mark.usefixtures("prefect_server", "informed")


class Line(NamedTuple):
    level: int
    text: str


def fail_at_the_server() -> None:
    try:
        raise ConnectionError("nobody listens; password=hunter2secret")
    except ConnectionError as error:
        raise RunError("MLflow does not answer: start it") from error


@flow(name="of-a-step")
def of_a_step() -> None:
    once("read-photos")(fail_at_the_server)()


@flow(name="around")
def around() -> None:
    of_a_step()


@flow(name="of-a-bug")
def of_a_bug() -> None:
    once("read-photos")(lambda: {}["bug"])()


@flow(name="of-a-flow")
def of_a_flow() -> None:
    raise UsageError("there is no set called x")


@flow(name="of-a-step-that-is-not-tried-again")
def hopeless() -> None:
    def wrong() -> None:
        raise UsageError("there is no set called x")

    retried("look-up")(wrong)()


def logged(of: Any, *, nested: bool = False) -> list[Line]:
    """What the log of the run has, and those of the flow runs below it."""
    state = of(return_state=True)
    assert state.is_failed()
    APILogHandler().flush()
    with get_client(sync_client=True) as client:
        ids = [state.state_details.flow_run_id]
        if nested:
            parent = FlowRunFilterParentFlowRunId(any_=ids)
            ids += [run.id for run in client.read_flow_runs(flow_run_filter=FlowRunFilter(parent_flow_run_id=parent))]
            assert len(ids) > 1
        found = client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=ids)))
    return [Line(each.level, each.message) for each in found]


def errors(lines: list[Line]) -> list[str]:
    return [line.text for line in lines if line.level >= logging.ERROR]


def test_a_failing_step_logs_one_line_with_the_cause() -> None:
    lines = logged(of_a_step)
    (line,) = errors(lines)
    cause = "(cause: ConnectionError: nobody listens; password=***)"
    assert line.endswith(f"MLflow does not answer: start it {cause}")
    assert "\n" not in line
    assert not any("Traceback" in each.text for each in lines)
    assert any("Finished in state Failed" in each.text for each in lines)


def test_flows_around_it_add_none() -> None:
    lines = logged(around, nested=True)
    assert len(errors(lines)) == 1
    assert not any("Traceback" in each.text for each in lines)


@pytest.mark.parametrize("failing", [of_a_flow, hopeless])
def test_a_wrong_argument_is_one_line(failing: Any) -> None:
    lines = logged(failing)
    (line,) = errors(lines)
    assert line.endswith("there is no set called x")
    assert not any("Traceback" in each.text for each in lines)


def test_a_bug_keeps_one_stack_trace() -> None:
    lines = logged(of_a_bug)
    assert sum(text.count("Traceback (most recent call last)") for _, text in lines) == 1
    assert any(text.startswith("Task run failed") and "KeyError: 'bug'" in text for text in errors(lines))


def test_at_debug_the_stack_trace_is_there() -> None:
    logging.getLogger("prefect").setLevel(logging.DEBUG)
    lines = logged(of_a_step)
    assert len(errors(lines)) == 1
    assert any(line.level == logging.DEBUG and "Traceback" in line.text for line in lines)
