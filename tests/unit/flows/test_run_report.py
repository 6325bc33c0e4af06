"""The report that a flow run leaves in Prefect: under the key of flow and set, without secrets, never in the way."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from pydantic import SecretStr

from mien.flows.result import MAX_LINES, FlowResult, as_block, as_link, as_rows
from mien.flows.run_report import headline
from mien.flows.scrubbed_flow import flow
from mien.tasks.runtime import run_artifacts


@dataclass(frozen=True)
class Counted(FlowResult):
    """Some lines."""

    text: tuple[str, ...]

    def lines(self) -> list[str]:
        return list(self.text)


@flow(name="count-faces")
def count_faces(*, set: str | None = None, sets: list[str] | None = None, person: SecretStr | None = None) -> Counted:
    """Count.

    Args:
        set: A set.
    """
    return Counted(("3 faces", "read from https://user:geheim12@host/a.png"))


def reports(**settings: Any) -> dict[str, str]:
    state = count_faces(return_state=True, **settings)
    assert state.is_completed()
    asked = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[state.state_details.flow_run_id]))
    with get_client(sync_client=True) as client:
        return {each.key: each.data for each in client.read_artifacts(artifact_filter=asked)}


@pytest.mark.usefixtures("prefect_server")
def test_a_run_leaves_a_report_for_its_set_without_secrets() -> None:
    assert reports(set="Team_1") == {
        "count-faces-team-1": "````\n3 faces\nread from https://***@host/a.png\n````",
    }
    assert list(reports(sets=["a", "b"])) == ["count-faces-a-b"]
    assert list(reports()) == ["count-faces"]


@pytest.mark.usefixtures("prefect_server")
def test_a_run_with_a_secret_is_named_for_no_set() -> None:
    assert list(reports(set="anna", person=SecretStr("anna"))) == ["count-faces"]


@pytest.mark.usefixtures("prefect_server")
def test_an_api_that_does_not_take_it_fails_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise ConnectionError("refused")

    monkeypatch.setattr(run_artifacts, "create_markdown_artifact", away)
    assert reports(set="x") == {}


def test_the_list_of_artifacts_shows_the_first_line_that_is_text() -> None:
    assert (
        headline("| a |\n|---|\n\n**3 of 4 faces accepted**, 2 identities\n\nmore")
        == "3 of 4 faces accepted, 2 identities"
    )
    assert headline("````\nsome lines\n````") == "some lines"
    assert headline("") is None


def test_the_flow_looks_as_it_was_written() -> None:
    assert list(inspect.signature(count_faces.fn).parameters) == ["set", "sets", "person"]
    assert count_faces.fn.__name__ == "count_faces"
    assert count_faces.fn().lines()[0] == "3 faces"  # outside of a run there is nothing to report to


def test_markdown_holds_what_data_says() -> None:
    assert as_rows(["why not", "rows"], [("a|b <b>\nc", 2)]) == "| why not | rows |\n|---|---|\n| a b &lt;b> c | 2 |"
    assert len(as_block([str(n) for n in range(1000)]).splitlines()) == MAX_LINES + 3
    assert as_link("Gallery", "/tmp/index.html") == "Gallery: `/tmp/index.html`"
    assert as_link("Run", "https://a/#/runs/b") == "Run: [https://a/#/runs/b](https://a/#/runs/b)"
