"""A check for known vulnerabilities that could not ask must not look like one that found none."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.architecture.vulnerabilities import Audit, audit, read_audit

FINE = {"name": "fine", "version": "1", "vulns": []}
SKIPPED = {"name": "gone", "skip_reason": "Dependency not found on PyPI and could not be audited: gone (1)"}
BAD = {"name": "bad", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"], "aliases": ["CVE-1"]}]}


def read(*packages: object) -> Audit:
    return read_audit(json.dumps({"dependencies": packages}), "")


def test_a_vulnerability_fails_the_check_and_names_the_package() -> None:
    found = read(FINE, BAD)
    assert found.failed(required=False)
    assert found.found == ("bad 2: PYSEC-1, fixed in 3",)
    assert found.line == "pip-audit: 2 packages checked, 1 known vulnerabilities"


def test_a_mirror_that_knows_no_vulnerabilities_is_told() -> None:
    found = read(SKIPPED, SKIPPED)
    assert found.line.startswith("pip-audit: NOT CHECKED, it could not ask about any package")
    assert not found.failed(required=False)
    assert found.failed(required=True)


def test_packages_that_were_left_out_are_named() -> None:
    found = read(FINE, SKIPPED)
    assert "1 packages checked, 0 known vulnerabilities; NOT CHECKED: gone" in found.line
    assert found.failed(required=True)
    assert not read(FINE).failed(required=True)


@pytest.mark.parametrize(
    ("writes", "says"), [("raise SystemExit('no route to host')", "no route to host"), ("", "no answer")]
)
def test_without_an_answer_nothing_counts_as_checked(tmp_path: Path, writes: str, says: str) -> None:
    script = tmp_path / "stands_in.py"
    script.write_text(writes)
    found = audit((sys.executable, str(script)))
    assert found.checked == 0
    assert says in found.line
    assert "NOT CHECKED" in found.line
