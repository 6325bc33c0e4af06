"""Artifacts of Prefect runs: what a person sees of a run in Prefect's pages, kept under a key with its versions.

An artifact is a report, and not the work: where Prefect's API does not take one, the run goes on, and its log says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from prefect.artifacts import create_markdown_artifact
from prefect.context import FlowRunContext
from prefect.exceptions import MissingContextError
from prefect.logging import get_run_logger
from pydantic import SecretStr

from mien.model.errors import first_line
from mien.storage.secrets import scrubbed

R = TypeVar("R")

_MAX_KEY = 120
_OTHER = re.compile(r"[^a-z0-9]+")


def in_a_run() -> bool:
    """Whether this is inside of a flow run."""
    return FlowRunContext.get() is not None


def artifact_key(what: str) -> str:
    """`what` and the set that the flow run is about, as Prefect allows it: lowercase letters, digits and dashes."""
    run = FlowRunContext.get()
    parts = (what, subject_of(run.parameters or {}) if run else "")
    return "-".join(filter(None, (_OTHER.sub("-", part.lower()).strip("-") for part in parts)))[:_MAX_KEY].rstrip("-")


def subject_of(parameters: Mapping[str, Any]) -> str:
    """The set that a run is about, by the names that flows give it; empty where it is about none.

    A run with a secret among its parameters is not named for any: the forgetting of a person names sets, too.
    """
    if any(isinstance(value, SecretStr) for value in parameters.values()):
        return ""
    if named := parameters.get("set"):
        return str(named)
    if parameters.get("identities") and parameters.get("expressions"):
        return f"{parameters['identities']}-by-{parameters['expressions']}"
    return "-".join(map(str, parameters.get("sets") or ()))


def leave_report(what: str, markdown: str, description: str | None = None) -> bool:
    """Leaves a report under the key of `what` and the set; False where Prefect's API did not take it.

    Outside of a run there is nobody to leave it for, and nothing is done.
    """
    if not in_a_run():
        return True
    key, about = artifact_key(what), scrubbed(description or "") or None
    return attempted(key, lambda: create_markdown_artifact(scrubbed(markdown), key=key, description=about)) is not None


def attempted(key: str, send: Callable[[], R]) -> R | None:
    """What `send` gives; None where it fails, of which the log of the run says one line."""
    try:
        return send()
    except Exception as error:  # of httpx, of Prefect, of its SQLite: whatever keeps the API from answering
        warn(f"the artifact {key} was not kept, since Prefect's API did not take it: {type(error).__name__}: ", error)
        return None


def warn(text: str, error: Exception) -> None:
    """A warning in the log of the run."""
    try:
        get_run_logger().warning("%s", scrubbed(text + first_line(error)))
    except MissingContextError:  # the run has ended
        return
