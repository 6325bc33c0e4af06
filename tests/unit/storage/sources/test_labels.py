"""Labels from paths."""

from __future__ import annotations

import pytest

from mien.storage import LabelRule, StorageError


@pytest.mark.parametrize(
    ("pattern", "path", "identity", "expression"),
    [
        ("{identity}/{expression}_*.jpg", "anna/happy_01.jpg", "anna", "happy"),
        ("{identity}/{expression}_*.jpg", "deep/below/anna/very_sad_01.jpg", "anna", "very"),
        ("{identity}/*", "anna/1.png", "anna", None),
        ("{identity}_{expression}.*", "x/anna_calm.webp", "anna", "calm"),
        ("{identity}/**/{expression}.jpg", "anna/a/b/sad.jpg", "anna", "sad"),
        ("{identity}/**/{expression}.jpg", "anna/sad.jpg", "anna", "sad"),
        ("{identity}/{identity}_?.jpg", "anna/anna_1.jpg", "anna", None),
        ("{identity}+(1).jpg", "ann.a+(1).jpg", "ann.a", None),
        ("{identity}/*.jpg", "an\nna/é 1.jpg", "an\nna", None),
    ],
)
def test_a_pattern_is_held_against_the_end_of_the_path(
    pattern: str, path: str, identity: str, expression: str | None
) -> None:
    labels = LabelRule(pattern).of(path, "folder")
    assert (labels.status, labels.identity, labels.expression) == ("ok", identity, expression)


@pytest.mark.parametrize("path", ["happy_01.jpg", "anna/happy_01.png", "anna/happy.jpg"])
def test_a_path_that_does_not_fit_is_rejected_with_the_pattern(path: str) -> None:
    labels = LabelRule("{identity}/{expression}_*.jpg").of(path, "folder")
    assert labels.status == "rejected"
    assert "{identity}/{expression}_*.jpg" in str(labels.reason)


def test_the_same_label_twice_must_agree() -> None:
    assert LabelRule("{identity}/{identity}_?.jpg").of("anna/ben_1.jpg", None).status == "rejected"


@pytest.mark.parametrize("pattern", ["*/*.jpg", "{person}/*.jpg", "{}/*.jpg"])
def test_a_pattern_without_a_known_label_is_refused(pattern: str) -> None:
    with pytest.raises(StorageError, match=r"\{identity\}"):
        LabelRule(pattern).check()


def test_an_unknown_kind_of_identity_is_refused() -> None:
    with pytest.raises(StorageError, match="source, image, cluster"):
        LabelRule(identity="other").check()  # pyright: ignore[reportArgumentType]


def test_without_labels_photos_have_no_identity_and_frames_that_of_their_video() -> None:
    rule = LabelRule("{identity}/{expression}_*", identity="image")
    assert rule.of("anna/sad_1.jpg", "anna").identity is None
    assert rule.of("anna/sad_1.jpg", "anna").expression == "sad"
    assert rule.of("anna/sad_1.mp4", "anna", video="/clips/anna/sad_1.mp4").identity == "/clips/anna/sad_1.mp4"
