"""Changes of the champion: the alias moves, and the version that gets it says who moved it, when and why.

Each change is a tag of that version, `mien.champion.{time}`, so that the way back is known and nothing is lost when the
alias comes again. Free of torch: a change takes seconds.
"""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Literal

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from mien.storage import Root
from mien.tasks.errors import UsageError
from mien.tasks.generator.known_generators import is_kept, remember_generator
from mien.tasks.generator.registered import MODEL_NAME, RegisteredModel
from mien.tasks.tracking.connection import connect
from mien.tasks.tracking.embedded import registry_name
from mien.tasks.tracking.versions import CHAMPION, champion_version, find_version, known_versions, version_uri

CHANGE_TAG = "mien.champion."
"""With the time of the change behind it."""
PROMOTION_TAG = "mien.promotion"
"""Why a version became champion when it was registered, or why it did not."""
WEIGHTS_TAG = "mien.weights_sha256"

How = Literal["training", "by hand", "back"]
"""By the measures of a training; by a person; by a person, to the version that was champion before."""
UNNAMED = "no reason was given"


@dataclass(frozen=True)
class Change:
    """A version that became champion."""

    to: str
    """`models:/name/version`."""
    former: str | None
    """The version that was champion until then; None if there was none."""
    how: How
    why: str
    who: str
    """The user's name on the machine that it was done on."""
    when: str
    """ISO 8601, UTC."""


def make_champion(client: MlflowClient, version: ModelVersion, how: How, why: str) -> Change:
    """Moves the alias to a version, and says so in a tag of the version."""
    former = champion_version(client, version.name)
    change = Change(
        to=version_uri(version),
        former=version_uri(former) if former else None,
        how=how,
        why=why or UNNAMED,
        who=_user(),
        when=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    )
    number = str(version.version)
    client.set_registered_model_alias(version.name, CHAMPION, number)  # first: no tag says what did not happen
    client.set_model_version_tag(version.name, number, f"{CHANGE_TAG}{change.when}", json.dumps(asdict(change)))
    return change


def promote(root: Root, version: str, why: str) -> Change | None:
    """Makes a version champion, whatever its measures are; None if it is the champion already.

    Args:
        root: Whose registry it is.
        version: Its number, or `models:/NAME/NUMBER`.
        why: In one line.

    Raises:
        UsageError: the registry has no such version, or its registration was not finished.
    """
    client = connect(root)
    found = find_version(client, f"models:/{MODEL_NAME}/{version}" if version.isdecimal() else version)
    return _changed(root, client, found, "by hand", why)


def promote_back(root: Root, why: str) -> Change | None:
    """Makes the version champion that was it before the present one.

    Raises:
        UsageError: there is no champion, or none was before it, or that version is gone.
    """
    client = connect(root)
    present = champion_version(client, MODEL_NAME)
    if present is None:
        raise UsageError(f"there is no champion to go back from ({known_versions(client)})")
    # A way back is no way forward: after two of them the champion is the one before the one before.
    forward = [change for change in changes(present) if change.how != "back"]
    if not forward or forward[-1].former is None:
        raise UsageError(
            f"the registry does not say which version was champion before {version_uri(present)} "
            f"({known_versions(client)}): name one, as in mien promote 1"
        )
    return _changed(root, client, find_version(client, forward[-1].former), "back", why)


def changes(version: ModelVersion) -> list[Change]:
    """When a version became champion, the latest time last."""
    return sorted(_changes(version), key=lambda change: change.when)


def _changes(version: ModelVersion) -> Iterator[Change]:
    for name, value in version.tags.items():
        if name.startswith(CHANGE_TAG):
            yield Change(**json.loads(value))


def _changed(root: Root, client: MlflowClient, version: ModelVersion, how: How, why: str) -> Change | None:
    if version.status != "READY":
        raise UsageError(f"{version_uri(version)} cannot be champion: its registration was not finished")
    present = champion_version(client, version.name)
    if present is not None and str(present.version) == str(version.version):
        return None
    change = make_champion(client, version, how, why)
    model = RegisteredModel(change.to, version.run_id or "", version.tags.get(WEIGHTS_TAG, ""), champion=True)
    if is_kept(root, model.sha256):  # else the next job fetches it, and the root learns of it then
        remember_generator(root, model, registry_name())
    return change


def said_of(root: Root, uri: str) -> str:
    """Why a version became champion when it was registered, or why it did not; empty if nothing was said."""
    return find_version(connect(root), uri).tags.get(PROMOTION_TAG, "")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container may run under a number that no user has
        return "unknown"


def why_not_champion(root: Root, model: RegisteredModel) -> str:
    """What spoke against a version when it was registered; empty if it became champion then."""
    version = find_version(connect(root), model.uri)
    became = any(change.how == "training" for change in changes(version))
    return "" if became else version.tags.get(PROMOTION_TAG, "")
