"""What the help of several flows says stands once."""

from __future__ import annotations

import pytest

from mien.flows.cli.build import Target, descriptions
from mien.flows.cli.commands import COMMANDS
from mien.flows.common_texts import TEXTS, with_common_texts


def test_a_docstring_says_what_it_names() -> None:
    def made(device: str) -> None:
        """Make it for {set}.

        Args:
            device: {devices} More of it.
        """

    assert descriptions(with_common_texts(made)) == {"device": f"{TEXTS['devices']} More of it."}
    assert (made.__doc__ or "").startswith("Make it for {set}.")


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_describe_detector_and_device_in_these_words(name: str) -> None:
    told = descriptions(Target.load(COMMANDS[name].target).function)
    assert told.get("faces", TEXTS["detectors"]).startswith(TEXTS["detectors"])
    assert told.get("device", TEXTS["devices"]).startswith(TEXTS["devices"])
    assert "device" not in told or told.get("workers", TEXTS["workers"]) == TEXTS["workers"]


def test_the_detectors_are_all_named() -> None:
    for spec in (
        "mediapipe",
        "dlib",
        "insightface:PACK_OR_FOLDER",
        "insightface:PACK_OR_FOLDER+mediapipe",
        "module:Class",
    ):
        assert spec in TEXTS["detectors"]
