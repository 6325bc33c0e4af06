"""A receipt says everything but who; and what a table was called before is not lost."""

from __future__ import annotations

import json
from pathlib import Path

from mien.storage import Root
from mien.tasks.forget.journal import Journal
from mien.tasks.forget.receipt import ancestors, forgotten_before, write_receipt
from mien.tasks.forget.subject import Asked, Subject


def journal(person: str, **settings: object) -> Journal:
    made = Journal(Asked(person), subject=Subject(label=person))
    vars(made).update(settings)
    return made


def test_names_are_taken_out_and_nothing_else_is(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    changes = {f"exported/25/{n}": {"before": "x", "after": None} for n in ("25", "7")}
    path = write_receipt(
        root, journal("25", changes=changes, begun="2026-11-25T01:02:03+00:00"), ["25 was here"], False
    )
    content = json.loads(root.read_bytes(path))
    assert list(content["files"]) == ["exported/(forgotten)/(forgotten)", "exported/(forgotten)/7"]
    assert content["left"] == ["(forgotten) was here"]
    assert content["when"] == "2026-11-25T01:02:03+00:00"
    assert "name" not in content["who"]


def test_names_that_become_alike_are_all_kept(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    made = journal("anna", changes={f"{n}/anna": {"before": n, "after": None} for n in ("a" * 32, "b" * 32)})
    made.subject.faces |= {"a" * 32, "b" * 32}
    content = json.loads(root.read_bytes(write_receipt(root, made, [], keep_name=True)))
    assert list(content["files"]) == ["(forgotten)/(forgotten)", "(forgotten)/(forgotten) (2)"]
    assert content["who"]["name"] == "anna"


def test_who_was_forgotten_is_known_to_whoever_knows_the_name(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    path = write_receipt(root, journal("anna"), [], keep_name=False)
    assert forgotten_before(root, Asked("anna")) == path
    assert forgotten_before(root, Asked("ben")) is None


def test_a_run_of_before_two_forgettings_is_still_found(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    write_receipt(root, journal("anna", tables={"one": "faces"}, renamed={"one": "two"}), [], keep_name=False)
    write_receipt(root, journal("ben", tables={"two": "faces"}, renamed={"two": "three"}), [], keep_name=False)
    assert ancestors(root, {"three"}) == {"one", "two", "three"}
    assert ancestors(root, {"other"}) == {"other"}
