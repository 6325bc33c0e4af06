"""Shards in a row without a usable photo cost the set nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from mien.flows.prepare import SHARD_IMAGES
from tests.integration.flow_calls import prepare, table_rows, verify
from tests.integration.person_to_forget import OWN, draw_photos

pytestmark = pytest.mark.usefixtures("prefect_server", "shared_workers")

MANY = 2 * SHARD_IMAGES + 2
"""Two whole shards of them, before the photos that can be used."""


def test_unreadable_files_are_failed_rows_and_the_rest_is_prepared(tmp_path: Path) -> None:
    draw_photos(tmp_path / "photos", {"zoe": 1})
    (tmp_path / "photos/anna").mkdir()
    for number in range(MANY):
        (tmp_path / f"photos/anna/{number:03d}.jpg").write_bytes(b"\0\0\0\x18ftypheic" + str(number).encode())
    for _ in range(2):  # again over what is there
        done = prepare([tmp_path / "photos"], "bad", tmp_path / "root", faces=OWN, max_failed=1)
        assert (done.unreadable, done.usable) == (MANY, 4)
    assert len(table_rows(tmp_path / "root", "images", "bad")) == MANY + 4
    assert verify("bad", tmp_path / "root").ok


def test_names_that_fit_no_pattern_are_rejected_rows(tmp_path: Path) -> None:
    draw_photos(tmp_path / "photos", {"zoe": 1})
    data = (tmp_path / "photos/zoe/0.png").read_bytes()
    (tmp_path / "photos/anna").mkdir()
    for number in range(MANY):
        (tmp_path / f"photos/anna/x{number:03d}.png").write_bytes(data)
    done = prepare([tmp_path / "photos"], "pat", tmp_path / "root", faces=OWN, pattern="{identity}/?.png")
    assert done.usable == 4
    assert any(line.startswith(f"{MANY} left out: its path does not fit the pattern") for line in done.lines())
    assert verify("pat", tmp_path / "root").ok


def test_a_set_without_a_single_usable_photo_has_all_its_rows(tmp_path: Path) -> None:
    (tmp_path / "photos/anna").mkdir(parents=True)
    for number in range(MANY):
        (tmp_path / f"photos/anna/{number:03d}.jpg").write_bytes(b"\0\0\0\x18ftypheic" + str(number).encode())
    done = prepare([tmp_path / "photos"], "none", tmp_path / "root", faces=OWN, max_failed=1)
    assert (done.unreadable, done.usable) == (MANY, 0)
    assert done.lines()[-1] == f"no face is usable: mien report --root {tmp_path}/root --set none shows why"
    assert verify("none", tmp_path / "root").ok
