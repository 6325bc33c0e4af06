"""What `mien doctor` finds of versions, disks and S3."""

from __future__ import annotations

from importlib.metadata import requires, version
from pathlib import Path

import pytest

from mien.flows.cli.doctor_machine import disks, s3, unmet, versions
from mien.storage import Root


def test_what_is_installed_meets_the_requirements() -> None:
    assert [finding.summary for finding in versions() if not finding.ok] == []
    assert list(unmet(requires("mien") or [])) == []


def test_a_requirement_that_is_not_met_is_told_with_what_to_do() -> None:
    required = ["numpy>=2", "numpy<1", "no-such-package>=3", "absent; extra == 'dlib'", "absent; python_version < '3'"]
    assert list(unmet(required)) == [
        f"numpy<1 is needed, and numpy {version('numpy')} is installed: pip install 'numpy<1'",
        "no-such-package>=3 is needed, and no-such-package is not installed: pip install 'no-such-package>=3'",
    ]


def test_a_full_disk_fails(tmp_path: Path) -> None:
    assert all(finding.ok for finding in disks(Root(str(tmp_path)), min_free_gib=0))
    root, temporary = disks(Root(str(tmp_path)), min_free_gib=2**40)
    for finding, advice in ((root, "choose another --root"), (temporary, "set TMPDIR")):
        assert finding.line().startswith("FAIL")
        assert advice in finding.summary
    assert str(tmp_path) in root.summary


def test_a_remote_root_needs_space_for_what_stays_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert f"free at {tmp_path}/data" in next(disks(Root("memory://x"))).summary


def test_s3_says_where_credentials_come_from_and_none_of_them(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    lacking = s3(root, {"HOME": str(tmp_path)})
    assert not lacking.ok
    assert not lacking.needed
    assert "set AWS_ACCESS_KEY_ID" in lacking.summary
    given = s3(root, {"AWS_ACCESS_KEY_ID": "planted", "AWS_ENDPOINT_URL": "http://me:planted@host"})
    assert given.ok
    assert "by AWS_ACCESS_KEY_ID" in given.summary
    assert "planted" not in given.summary
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text("[default]")
    assert s3(root, {"HOME": str(tmp_path)}).ok
