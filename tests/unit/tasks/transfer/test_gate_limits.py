"""Limits of the gate as they are found, kept and taken again."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from mien.model.quality.gate import GateSettings
from mien.storage import Root
from mien.tasks.errors import UsageError
from mien.tasks.sets.faces import FaceTables
from mien.tasks.transfer import gate_limits
from mien.tasks.transfer.calibration import Calibration
from mien.tasks.transfer.gate_limits import calibrate, gate_doubts, gate_for, keep_gate, named_gate, set_gate
from tests.drawn_set import SIDE_PX, drawn_set


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(str(tmp_path))


@pytest.fixture
def tables(root: Root) -> FaceTables:
    return drawn_set(root)


@pytest.fixture
def calibrated(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The sets that limits were found on, in turn."""
    done: list[str] = []

    def counting(root: Root, tables: FaceTables, *args: int, size_px: int | None = None) -> Calibration:
        done.append(tables.name)
        return calibrate(root, tables, *args, size_px=size_px)

    monkeypatch.setattr(gate_limits, "calibrate", counting)
    return done


def test_the_same_set_gives_the_same_limits(root: Root, tables: FaceTables) -> None:
    first = calibrate(root, tables)
    assert first == calibrate(root, tables)
    assert (first.faces, first.people, first.size_px) == (16, 4, SIDE_PX)
    GateSettings(**first.limits)
    assert any(line.startswith("limits: min_identity_similarity") for line in first.lines())


def test_limits_are_found_once_and_stay_while_the_set_grows(
    root: Root, tables: FaceTables, calibrated: list[str]
) -> None:
    first = set_gate(root, tables, SIDE_PX)
    assert set_gate(root, tables, SIDE_PX) == first
    assert calibrated == ["drawn"]
    assert first is not None
    keep_gate(root, "drawn", replace(first, faces=9, limits=first.limits | {"max_texture_error": 0.5}), SIDE_PX)
    assert set_gate(root, tables, SIDE_PX) != first  # 16 faces are fewer than twice 9
    keep_gate(root, "drawn", replace(first, faces=8), SIDE_PX)
    assert set_gate(root, tables, SIDE_PX) == first
    assert calibrated == ["drawn", "drawn"]


def test_a_job_says_where_the_embedder_cannot_tell_people_apart(root: Root, tables: FaceTables) -> None:
    assert gate_doubts(root, "drawn", SIDE_PX) == ()  # not calibrated
    found = replace(calibrate(root, tables), limits={"min_identity_similarity": 0.5}, confused=0)
    keep_gate(root, "drawn", replace(found, different_people=[0.1] * 96 + [0.6] * 4), SIDE_PX)
    assert gate_doubts(root, "drawn", SIDE_PX) == ()
    keep_gate(root, "drawn", replace(found, different_people=[0.1] * 80 + [0.6] * 20, confused=1), SIDE_PX)
    strangers, confused = gate_doubts(root, "drawn", SIDE_PX)
    assert strangers.startswith("20% of the photos of other people of drawn are as similar as photos of one person")
    assert confused.startswith("the embedder cannot tell 1 pair of people of drawn apart")


def test_another_judge_has_other_limits(root: Root, tables: FaceTables, calibrated: list[str]) -> None:
    first = set_gate(root, tables, SIDE_PX)
    assert first is not None
    keep_gate(root, "drawn", replace(first, detector="another"), SIDE_PX)
    assert set_gate(root, tables, SIDE_PX) == first
    assert len(calibrated) == 2


def test_a_limit_that_is_asked_for_wins_over_the_calibrated_one(root: Root, tables: FaceTables) -> None:
    asked = GateSettings(min_identity_similarity=0.1, min_detector_score=0.5)
    found = gate_for(root, tables, None, asked, SIDE_PX)
    assert (found.min_identity_similarity, found.min_detector_score) == (0.1, 0.5)
    assert found.max_texture_error == named_gate(root, "drawn", SIDE_PX).limits["max_texture_error"]
    assert gate_for(root, tables, "drawn", asked, SIDE_PX) == found


def test_without_two_photos_of_anybody_the_usual_limits_hold_and_the_log_says_so(
    root: Root, tables: FaceTables, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def nobody(*_: object, **__: object) -> Calibration:
        raise UsageError("drawn cannot be calibrated on: no person has two photos")

    monkeypatch.setattr(gate_limits, "calibrate", nobody)
    with caplog.at_level(logging.WARNING, "mien.tasks"):
        assert gate_for(root, tables, None, GateSettings(), SIDE_PX) == GateSettings()
    assert "drawn cannot be calibrated on: no person has two photos: the usual limits of the gate hold" in caplog.text
    assert not root.exists("gates/drawn.json")


def test_a_set_that_was_named_and_not_calibrated_is_an_error(root: Root, tables: FaceTables) -> None:
    with pytest.raises(UsageError, match="drawn was not calibrated"):
        gate_for(root, tables, "drawn", GateSettings(), SIDE_PX)


@pytest.mark.parametrize("content", [b"{", b'{"limits": {"no_limit": 1.0}}', b"[]"])
def test_a_damaged_file_is_told_in_one_line(root: Root, tables: FaceTables, content: bytes) -> None:
    root.write_bytes("gates/drawn.json", content)
    with pytest.raises(UsageError, match=r"drawn\.json is damaged \(.*\): run mien calibrate"):
        named_gate(root, "drawn", SIDE_PX)


@pytest.mark.parametrize("limits", [{"no_limit": 1.0}, {"max_texture_error": -1.0}])
def test_limits_that_are_none_are_told_where_they_were_named_and_found_anew_elsewhere(
    root: Root, tables: FaceTables, limits: dict[str, float], caplog: pytest.LogCaptureFixture
) -> None:
    good = calibrate(root, tables, size_px=SIDE_PX)
    keep_gate(root, "drawn", replace(good, limits=limits), SIDE_PX)
    with pytest.raises(UsageError, match=r"drawn\.json is damaged \(.*\): run mien calibrate"):
        named_gate(root, "drawn", SIDE_PX)
    assert set_gate(root, tables, SIDE_PX) == good
    assert "is damaged" in caplog.text


def test_each_side_of_the_faces_has_limits_of_its_own(root: Root, tables: FaceTables, calibrated: list[str]) -> None:
    own, larger = set_gate(root, tables, SIDE_PX), set_gate(root, tables, 2 * SIDE_PX)
    assert own is not None
    assert larger is not None
    assert (own.size_px, larger.size_px) == (SIDE_PX, 2 * SIDE_PX)
    assert own.limits != larger.limits
    assert set_gate(root, tables, SIDE_PX) == own == named_gate(root, "drawn", SIDE_PX)
    assert set_gate(root, tables, 2 * SIDE_PX) == larger == named_gate(root, "drawn", 2 * SIDE_PX)
    assert calibrated == ["drawn"] * 2
    told = r"at 64 px, and the faces are to have 96: run mien calibrate .* --output-size 96"
    with pytest.raises(UsageError, match=told):
        named_gate(root, "drawn", 96)


def test_limits_that_were_kept_for_another_side_are_found_anew(
    root: Root, tables: FaceTables, calibrated: list[str]
) -> None:
    of_before = calibrate(root, tables, size_px=2 * SIDE_PX)
    keep_gate(root, "drawn", of_before, 2 * SIDE_PX)  # as earlier versions kept them: at the generator's side
    found = set_gate(root, tables, SIDE_PX)
    assert found is not None
    assert found.size_px == SIDE_PX
    assert calibrated == ["drawn"]
