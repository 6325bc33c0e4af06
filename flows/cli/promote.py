"""`mien promote`: a person makes a version champion, or goes back to the one before. Seconds: nothing is measured."""

from __future__ import annotations

from mien.flows.parameters import ROOT, RootUrl, Text
from mien.flows.result import Shown
from mien.storage import Root
from mien.tasks.errors import UsageError, checking_arguments


def promote_version(
    version: Text | None = None, *, back: bool = False, reason: str = "", root: RootUrl = ROOT
) -> Shown:
    """Make a registered generator the champion, or go back to the champion before.

    Args:
        version: Number of the version, or models:/NAME/NUMBER.
        back: Go back to the version that was champion before the present one.
        reason: Why, in one line; the version keeps it, with your name and the time.
        root: Where the tables lie: a folder or any fsspec URL such as s3://bucket/prefix.
    """
    from mien.tasks.tracking.champion import promote, promote_back, said_of  # MLflow takes seconds to load

    if back == (version is not None):
        raise UsageError("name the version to promote, as in mien promote 3, or give --back alone")
    why = " ".join(reason.split())
    with checking_arguments():
        opened_root = Root(root)
    change = promote_back(opened_root, why) if version is None else promote(opened_root, version, why)
    if change is None:
        return Shown((f"version {version} is the champion already: nothing was changed",))
    before = f"{change.former} was it before" if change.former else "there was none before"
    lines = [f"{change.to} is the champion now; {before} ({change.who}, {change.when[:19]} UTC: {change.why})"]
    if change.how == "by hand" and (said := said_of(opened_root, change.to)):
        lines.append(f"when it was registered: {said}")
    return Shown(tuple(lines))
