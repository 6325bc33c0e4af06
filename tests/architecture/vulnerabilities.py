"""Asks whether the pinned packages have known vulnerabilities: `python -m tests.architecture.vulnerabilities`.

pip-audit ends well also where it could ask about no package: behind a mirror, each is "not found". So what it did is
counted here, and a run that could not ask says so. `make test-all` calls this last. With `AUDIT_REQUIRED=1` in the
environment packages that were not checked are a failure, too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.paths import REPOSITORY

LOCK = REPOSITORY / "constraints.txt"

WAIVED: dict[str, str] = {}
"""Why a known vulnerability does not matter here, by its id. None is waived."""

REQUIRED = "AUDIT_REQUIRED"
_TIMEOUT_S = 600


@dataclass(frozen=True)
class Audit:
    """What came of asking."""

    checked: int
    unchecked: tuple[str, ...]
    """Names of packages that could not be asked about."""
    found: tuple[str, ...]
    """A line for each vulnerability that is not waived."""
    why: str = ""
    """Why the first of `unchecked` was not."""

    @property
    def line(self) -> str:
        """One line on all of it."""
        if not self.checked:
            return (
                f"pip-audit: NOT CHECKED, it could not ask about any package ({self.why or 'no answer'}): "
                "run make audit where the package index answers"
            )
        left = f"; NOT CHECKED: {', '.join(self.unchecked)} ({self.why})" if self.unchecked else ""
        return f"pip-audit: {self.checked} packages checked, {len(self.found)} known vulnerabilities{left}"

    def failed(self, required: bool) -> bool:
        """Whether the check has not passed."""
        return bool(self.found) or (required and bool(self.unchecked or not self.checked))


def read_audit(report: str, error: str) -> Audit:
    """From what pip-audit wrote: its JSON, and what it said instead."""
    try:
        packages: list[dict[str, Any]] = json.loads(report)["dependencies"]
    except (ValueError, KeyError, TypeError):
        lines = [line.strip() for line in error.splitlines() if line.strip()]
        return Audit(0, (), (), lines[-1] if lines else "")
    skipped = [package for package in packages if "skip_reason" in package]
    found = [
        f"{package['name']} {package['version']}: {known['id']}, fixed in {', '.join(known['fix_versions']) or 'none'}"
        for package in packages
        for known in package.get("vulns", ())
        if not {known["id"], *known.get("aliases", ())} & WAIVED.keys()
    ]
    names = tuple(str(package["name"]) for package in skipped)
    return Audit(len(packages) - len(skipped), names, tuple(found), str(skipped[0]["skip_reason"]) if skipped else "")


def audit(command: Sequence[str] = (sys.executable, "-m", "pip_audit")) -> Audit:
    """Asks about the lock: no environment is made, nothing is installed."""
    options = (
        "--requirement",
        str(LOCK),
        "--no-deps",
        "--disable-pip",
        "--format",
        "json",
        "--progress-spinner",
        "off",
    )
    try:
        done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return Audit(0, (), (), f"no answer within {_TIMEOUT_S} s")
    return read_audit(done.stdout, done.stderr)


def main() -> int:
    """Prints what was found; the exit code."""
    result = audit()
    for line in result.found:
        print(line)
    print(result.line)
    return int(result.failed(os.environ.get(REQUIRED, "") not in ("", "0")))


if __name__ == "__main__":
    sys.exit(main())
