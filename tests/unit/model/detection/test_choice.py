"""Which detector `auto` is."""

from __future__ import annotations

import pytest

from mien.model.detection import choice
from mien.model.detection.choice import check_choice, chosen_detector
from mien.model.errors import DetectorError


@pytest.mark.parametrize(("installed", "detector"), [(True, "mediapipe"), (False, "dlib")])
def test_auto_is_what_is_installed(monkeypatch: pytest.MonkeyPatch, installed: bool, detector: str) -> None:
    monkeypatch.setattr(choice, "is_installed", lambda: installed)
    assert chosen_detector("auto") == detector
    assert chosen_detector("insightface:pack") == "insightface:pack"


def test_auto_is_a_name_and_others_are_checked() -> None:
    check_choice("auto")
    check_choice("dlib")
    with pytest.raises(DetectorError, match="unknown detector 'automatic'"):
        check_choice("automatic")
