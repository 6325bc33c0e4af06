"""Progress of a step in its Prefect run: an artifact under the key of step and set, and lines in the log of the run."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    LogFilter,
    LogFilterFlowRunId,
)
from prefect.logging.handlers import APILogHandler

from mien.flows.scrubbed_flow import flow
from mien.tasks.runtime import run_progress
from mien.tasks.runtime.prefect_tasks import once
from mien.tasks.runtime.progress import progress

pytestmark = pytest.mark.usefixtures("prefect_server", "informed")


def work(done: int, of: int) -> None:
    with progress("detect and align", of, "photos") as advance:
        thread = threading.Thread(target=lambda: [advance(1) for _ in range(done)])
        thread.start()
        thread.join()


@flow(name="prepare-like")
def in_flow(*, set: str, done: int = 4, of: int = 4) -> None:
    work(done, of)


@flow(name="train-like")
def in_task(*, sets: list[str]) -> None:
    once("train-gan")(work)(2, 8)


@flow(name="failing")
def failing(*, set: str) -> None:
    with progress("detect and align", 4, "photos") as advance:
        advance(1)
        raise RuntimeError("in the middle")


def run(flow_of: Any, **settings: Any) -> Any:
    """The id of the run."""
    return flow_of(return_state=True, **settings).state_details.flow_run_id


def artifacts(run_id: Any) -> dict[str, Any]:
    with get_client(sync_client=True) as client:
        asked = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run_id]))
        return {each.key: each for each in client.read_artifacts(artifact_filter=asked)}


def log(run_id: Any) -> list[tuple[int, str]]:
    APILogHandler().flush()
    with get_client(sync_client=True) as client:
        found = client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run_id])))
    return [(each.level, each.message) for each in found]


def test_a_step_of_a_flow_has_an_artifact_and_lines_in_its_log() -> None:
    run_id = run(in_flow, set="Team_1.a")
    found = artifacts(run_id)["detect-and-align-team-1-a"]
    assert (found.type, found.data) == ("progress", 100.0)
    assert found.description.startswith("detect and align: 4/4 photos")
    assert any(level == logging.INFO and text.startswith("detect and align: 4/4 photos") for level, text in log(run_id))


def test_a_step_of_a_task_belongs_to_it(caplog: pytest.LogCaptureFixture) -> None:
    run_id = run(in_task, sets=["a", "b"])
    found = artifacts(run_id)["detect-and-align-a-b"]
    assert found.data == 25.0
    (task,) = {
        (record.task_run_id, record.task_run_name)  # type: ignore[attr-defined]
        for record in caplog.records
        if record.name == "prefect.task_runs"
    }
    assert task == (str(found.task_run_id), "train gan")


def test_a_step_that_fails_does_not_look_done() -> None:
    assert artifacts(run(failing, set="x"))["detect-and-align-x"].data == 25.0


def test_a_step_without_work_has_no_artifact() -> None:
    assert artifacts(run(in_flow, set="empty", done=0, of=0)) == {}


def test_an_api_that_is_away_is_one_warning_and_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise ConnectionError("refused: https://user:geheim12@host/api")

    monkeypatch.setattr(run_progress, "create_progress_artifact", away)
    state = in_flow(set="away", return_state=True)
    assert state.is_completed()
    (warning,) = [text for level, text in log(state.state_details.flow_run_id) if level == logging.WARNING]
    assert "detect-and-align-away" in warning
    assert "refused: https://***@host/api" in warning


def test_outside_of_a_run_the_log_of_the_process_has_it(caplog: pytest.LogCaptureFixture) -> None:
    work(3, 3)
    assert [record.getMessage().partition(",")[0] for record in caplog.records] == ["detect and align: 3/3 photos"]
