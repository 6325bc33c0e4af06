"""Which classes may be loaded by their name. A name comes from parameters and tables: from whoever may start a run.

A deployment's parameters can name a class, and so can the manifest of a set. Importing its module runs code, so the one
who runs the process decides, by what no parameter reaches: the environment of the process, and what is installed in it.
The command `mien` allows every class unless its environment says otherwise, since who types it may run any code anyway.
"""

from __future__ import annotations

import os
from importlib.metadata import entry_points

from mien.model.errors import DetectorError

VARIABLE = "MIEN_ALLOWED_CLASSES"
"""Names of classes, `module:Class`, with commas between them; `*` allows all."""
GROUP = "mien.detectors"
"""Of entry points: what a package declares there was installed on purpose."""


def allow_all_classes() -> None:
    """For a process whose user gives all parameters, and its workers; a variable that is set stays as it is."""
    os.environ.setdefault(VARIABLE, "*")


def check_allowed(spec: str) -> None:
    """Raises DetectorError unless the class may be loaded in this process. Nothing is imported to tell."""
    allowed = {name.strip() for name in os.environ.get(VARIABLE, "").split(",")}
    if not {spec, "*"} & allowed and spec not in _installed():
        raise DetectorError(
            f"{spec} is code, which a run does not load by name unless it is allowed: set {VARIABLE}={spec} for the "
            f"process that runs it (the Prefect worker, or your Python), or declare the class as an entry point {GROUP}"
        )


def _installed() -> set[str]:
    return {f"{entry.module}:{entry.attr}" for entry in entry_points(group=GROUP)}
