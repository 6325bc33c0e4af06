"""Who is champion, changed by hand: on a real registry, in the SQLite file of a root."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from mlflow import MlflowClient

from mien.flows.cli.promote import promote_version
from mien.storage import Root
from mien.tasks.errors import UsageError
from mien.tasks.generator.known_generators import known_generators, newest_champion, remember_generator
from mien.tasks.generator.registered import MODEL_NAME, RegisteredModel
from mien.tasks.tracking.champion import (
    PROMOTION_TAG,
    WEIGHTS_TAG,
    changes,
    make_champion,
    promote,
    promote_back,
    why_not_champion,
)
from mien.tasks.tracking.connection import connect
from mien.tasks.tracking.versions import champion_version, find_version

REFUSED = "it had 7 updates, and min_updates is 100"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Root:
    """Three versions: 1 and 2 have been champions, 3 was refused."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("LOGNAME", "ada")
    root = Root(str(tmp_path / "root"))
    client = connect(root)
    client.create_registered_model(MODEL_NAME)
    for number in (1, 2, 3):
        tags = {WEIGHTS_TAG: f"{number}" * 64, PROMOTION_TAG: REFUSED if number == 3 else "better"}
        version = client.create_model_version(MODEL_NAME, source=str(tmp_path), tags=tags)
        if number < 3:
            make_champion(client, version, "training", "better")
    return root


def champion(root: Root) -> int:
    version = champion_version(connect(root), MODEL_NAME)
    return 0 if version is None else int(version.version)


def said(root: Root, number: int) -> list[tuple[str | None, str, str, str]]:
    version = find_version(connect(root), f"models:/{MODEL_NAME}/{number}")
    return [(change.former, change.how, change.why, change.who) for change in changes(version)]


def test_a_version_that_was_refused_is_promoted_by_hand_with_who_when_why_and_from_which(root: Root) -> None:
    lines = promote_version("3", reason="sharper\n teeth", root=root.url).lines()
    assert champion(root) == 3
    assert said(root, 3) == [("models:/mien-generator/2", "by hand", "sharper teeth", "ada")]
    assert lines[0].startswith(
        "models:/mien-generator/3 is the champion now; models:/mien-generator/2 was it before (ada"
    )
    assert lines[0].endswith("UTC: sharper teeth)")
    assert lines[1] == f"when it was registered: {REFUSED}"
    (tag,) = [v for k, v in find_version(connect(root), "models:/mien-generator/3").tags.items() if "champion." in k]
    assert set(json.loads(tag)) == {"to", "former", "how", "why", "who", "when"}


def test_what_spoke_for_a_former_champion_is_no_reason_against_it(root: Root) -> None:
    former, refused = (
        RegisteredModel(f"models:/{MODEL_NAME}/{number}", "run", f"{number}" * 64, champion=False) for number in (1, 3)
    )
    assert why_not_champion(root, former) == ""
    assert why_not_champion(root, refused) == REFUSED
    promote(root, refused.uri, "sharper teeth")
    promote(root, former.uri, "no, it is not")
    assert why_not_champion(root, refused) == REFUSED


def test_the_way_back_leads_back_and_farther_back(root: Root) -> None:
    promote(root, "models:/mien-generator/3", "try it")
    lines = promote_version(back=True, reason="smears", root=root.url).lines()
    assert lines == [lines[0]]
    assert lines[0].startswith("models:/mien-generator/2 is the champion now; models:/mien-generator/3 was it before")
    assert said(root, 2)[-1] == ("models:/mien-generator/3", "back", "smears", "ada")
    assert promote_back(root, "") is not None  # not to 3 again
    assert champion(root) == 1
    assert said(root, 1)[-1][2] == "no reason was given"
    with pytest.raises(UsageError, match=r"which version was champion before models:/mien-generator/1 \(it holds"):
        promote_back(root, "")
    assert champion(root) == 1


def test_nothing_is_changed_where_nothing_can_be(root: Root) -> None:
    assert promote(root, "2", "again") is None
    assert promote_version("2", root=root.url).lines() == ["version 2 is the champion already: nothing was changed"]
    assert len(said(root, 2)) == 1
    for wrong in ("9", "models:/mien-generator/9", "models:/other/1", "two"):
        with pytest.raises(UsageError, match=r"it holds mien-generator/1, mien-generator/2|no registered model"):
            promote(root, wrong, "")
    for arguments in ({}, {"version": "1", "back": True}):
        with pytest.raises(UsageError, match="name the version to promote"):
            promote_version(**arguments, root=root.url)  # pyright: ignore[reportArgumentType]
    assert champion(root) == 2


def test_without_a_champion_there_is_no_way_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(UsageError, match=r"there is no champion to go back from \(it is empty\)"):
        promote_back(Root(str(tmp_path / "empty")), "")


def test_an_alias_that_somebody_moved_in_mlflow_is_not_guessed_at(root: Root) -> None:
    MlflowClient().set_registered_model_alias(MODEL_NAME, "champion", "3")
    with pytest.raises(UsageError, match="does not say which version was champion before models:/mien-generator/3"):
        promote_back(root, "")
    assert promote(root, "1", "known to be good") is not None
    assert said(root, 1)[-1][0] == "models:/mien-generator/3"


def test_a_version_that_is_gone_is_not_gone_back_to(root: Root) -> None:
    connect(root).delete_model_version(MODEL_NAME, "1")
    with pytest.raises(UsageError, match="models:/mien-generator/1 is not in the registry"):
        promote_back(root, "")
    assert champion(root) == 2


def test_a_root_without_its_registry_goes_on_with_the_champion_chosen_by_hand(root: Root) -> None:
    kept: dict[int, str] = {}
    for number in (2, 3):
        weights = b"weights %d" % number
        sha256 = kept[number] = hashlib.sha256(weights).hexdigest()
        root.write_bytes(f"models/{sha256}/generator.safetensors", weights)
        config = {"weights_sha256": sha256, "shape_model_sha256": None}
        root.write_bytes(f"models/{sha256}/config.json", json.dumps(config).encode())
        connect(root).set_model_version_tag(MODEL_NAME, str(number), WEIGHTS_TAG, sha256)
        remember_generator(
            root, RegisteredModel(f"models:/mien-generator/{number}", "run", sha256, number == 2), "embedded"
        )
    promote(root, "3", "")
    found = newest_champion(root)
    assert found is not None
    assert (found.uri, found.sha256) == ("models:/mien-generator/3", kept[3])
    assert [known.champion for known in known_generators(root)] == [False, True]


def test_it_takes_no_torch(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys, mien.flows.cli.promote as p, mien.tasks.tracking.champion\n"
        "assert 'torch' not in sys.modules and 'prefect' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
