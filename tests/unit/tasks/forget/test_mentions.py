"""A person is found in texts by ids, by names of photos and by the label as a word, and by nothing less."""

from __future__ import annotations

from mien.tasks.forget.mentions import GONE, Mentions, renamed
from mien.tasks.forget.subject import Subject

FACE = "0123456789abcdef" * 2
ANNA = Subject(label="anna", names={"/photos/x/1.jpg", "tar://p.tar#x/2.jpg"}, faces={FACE})


def test_a_label_is_found_as_a_word_only() -> None:
    found = Mentions(ANNA)
    assert found.in_text("looks like anna (similarity 0.9)")
    assert found.in_text("/photos/anna/1.jpg")
    assert not found.in_text("joanna and annabel")


def test_ids_and_names_of_photos_are_found_within_texts() -> None:
    found = Mentions(ANNA)
    assert found.in_text(f"crop-{FACE}.png")
    assert found.in_text("cannot read /photos/x/1.jpg: no such file")
    assert found.in_json({"shown": [{"members": ["x/2.jpg"]}]})
    assert not found.in_text(FACE[:-1] + "0")
    assert not found.in_json(["1", 2, None, {"x": "7"}])


def test_entries_that_name_the_person_go_and_other_texts_lose_the_name() -> None:
    told = {"people": 3, "doubts": [{"first": {"name": "anna"}}, {"first": {"name": "ben"}}], "note": "ben, anna"}
    assert Mentions(ANNA).without(told) == {
        "people": 3,
        "doubts": [{"first": {"name": "ben"}}],
        "note": f"ben, {GONE}",
    }


def test_a_photo_that_is_forgotten_alone_leaves_the_name() -> None:
    assert not Mentions(Subject(photos={"a" * 64: None})).in_text("anna")


def test_fingerprints_are_renamed_anywhere() -> None:
    assert renamed({"a": ["x", {"b": "y"}], "x": 1}, {"x": "z"}) == {"a": ["z", {"b": "y"}], "x": 1}
