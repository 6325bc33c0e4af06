"""Calibrated limits, beside those of a settings file."""

from __future__ import annotations

from uuid import uuid4

import pytest

from mien.model.quality.gate import GateSettings
from mien.storage import Root
from mien.tasks.errors import UsageError
from mien.tasks.transfer.gate_limits import Calibration, keep_gate, load_gate

FILE = GateSettings(min_identity_similarity=0.1, max_expression_error=0.2, min_sharpness_ratio=0.5)


@pytest.fixture
def root() -> Root:
    return Root(f"memory://{uuid4().hex}")


def test_without_a_calibrated_set_the_settings_hold(root: Root) -> None:
    assert load_gate(root, None, FILE) == FILE


def test_calibrated_limits_win_and_the_settings_hold_where_there_are_none(root: Root) -> None:
    keep_gate(root, "actors", Calibration(GateSettings(0.6, 0.03), 2, (), (), (), ()))
    assert load_gate(root, "actors", FILE) == GateSettings(0.6, 0.03, min_sharpness_ratio=0.5)


def test_a_set_that_was_not_calibrated_is_named(root: Root) -> None:
    with pytest.raises(UsageError, match="actors was not calibrated"):
        load_gate(root, "actors", FILE)


@pytest.mark.parametrize("content", [b"{", b'{"no_limit": 1.0}', b"[]", b'{"max_expression_error": NaN}'])
def test_a_damaged_file_is_told_in_one_line(root: Root, content: bytes) -> None:
    root.write_bytes("gates/actors.json", content)
    with pytest.raises(UsageError, match=r"actors\.json is damaged \(.*\): run mien calibrate again"):
        load_gate(root, "actors", FILE)
