"""Prefect flows whose runs keep no secret among their parameters.

Prefect stores the parameters of a run in its database and shows them to whoever may read it. A run that is begun here
(by a command or a program) computes with what it was given, and what is stored of it is scrubbed. Parameters of a
deployment's run are stored by whoever starts it, before any code of the flow is loaded: give its worker credentials by
environment (docs/security.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

from prefect import Flow

from mien.flows.common_texts import with_common_texts
from mien.flows.run_report import reporting
from mien.storage.secrets import scrubbed
from mien.tasks.runtime.failure_lines import shorten_failures

P = ParamSpec("P")
R = TypeVar("R")


class ScrubbedFlow(Flow[P, R]):
    """A flow that scrubs the parameters which are stored of its runs."""

    def serialize_parameters(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """The parameters as JSON has them, without secrets."""
        return {name: _scrubbed(value) for name, value in super().serialize_parameters(parameters).items()}


def flow(**options: Any) -> Callable[[Callable[P, R]], Flow[P, R]]:
    """Prefect's decorator, for flows of this kind; the options are those of `prefect.Flow`.

    Their runs leave a report as an artifact, and log a failure in one line.
    """
    shorten_failures()
    return lambda function: ScrubbedFlow(reporting(options["name"], with_common_texts(function)), **options)


def _scrubbed(value: Any) -> Any:
    if isinstance(value, str):
        return scrubbed(value)
    if isinstance(value, Mapping):
        return {key: _scrubbed(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType]
    return [_scrubbed(item) for item in value] if isinstance(value, list) else value  # pyright: ignore[reportUnknownVariableType]
