"""forget_person: find → rewrite tables and sets → remove pages, exports, sheets → receipt."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, SecretStr

from mien.flows.parameters import ROOT, RUN, RootUrl, SetName
from mien.flows.result import FlowResult, as_rows
from mien.flows.scrubbed_flow import flow
from mien.storage import Root
from mien.tasks.errors import UsageError, checking_arguments
from mien.tasks.forget.steps import dry_run as look_for
from mien.tasks.forget.steps import forget
from mien.tasks.forget.subject import Asked

Person = Annotated[SecretStr, Field(min_length=1)]
"""A name that no server keeps: Prefect stores the parameters of runs, and of this one only asterisks."""
ImageId = Annotated[SecretStr, Field(min_length=64, max_length=64)]


@dataclass(frozen=True)
class ForgottenPerson(FlowResult):
    """What was found and removed."""

    photos: int
    faces: int
    generated: int
    sets: tuple[str, ...]
    receipt: str | None
    """None after a dry run."""
    done: tuple[str, ...]
    left: tuple[str, ...]
    """What could not be removed; the command then ends with exit code 1."""

    def lines(self) -> list[str]:
        counts = f"{self.photos} photos, {self.faces} faces, {self.generated} generated faces"
        where = f"in {', '.join(self.sets) or 'no set'}"
        if self.receipt is None:
            return [*self.done, f"{counts} {where} would be removed; nothing was written"]
        left = [f"left: {line}" for line in self.left]
        return [*self.done, *left, f"{counts} {where} removed", f"receipt: {self.receipt}"]

    def report(self) -> str:
        """Numbers alone: Prefect keeps them, and a path or a set may be named for the person."""
        counts = [("photos", self.photos), ("faces", self.faces), ("generated faces", self.generated)]
        done = f"receipt: `{self.receipt}`" if self.receipt else "nothing was written"
        return f"{as_rows(['of the person', 'rows'], counts)}\n\n{done}; {len(self.left)} places could not be cleared"

    @property
    def ok(self) -> bool:
        return not self.left


def _asked(person: SecretStr | None, image: SecretStr | None, sets: list[str] | None) -> Asked:
    if (person is None) == (image is None):
        raise UsageError("who is to be forgotten? give --person NAME or --image ID, and not both")
    return Asked(_text(person), _text(image), tuple(sets or ()))


def _text(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def check_arguments(
    *, person: SecretStr | None, image: SecretStr | None, sets: list[str] | None, root: str, dry_run: bool, yes: bool
) -> None:
    """Raises UsageError where the flow cannot go well with these; at a terminal it asks once whether it shall go on."""
    _asked(person, image, sets)
    with checking_arguments():
        Root(root)
    if sys.stdin.isatty() and not (dry_run or yes):
        answer = input(f"Remove the person from {root} for good? Nothing brings it back. [y/N] ")
        if answer.strip().lower() not in ("y", "yes"):
            raise UsageError("nothing was removed")


@flow(name="forget-person", flow_run_name="forget a person")
def forget_person(
    *,
    person: Person | None = None,
    image: ImageId | None = None,
    sets: list[SetName] | None = None,
    root: RootUrl = ROOT,
    keep_name: Annotated[bool, RUN] = False,
    dry_run: Annotated[bool, RUN] = False,
    yes: Annotated[bool, RUN] = False,
) -> ForgottenPerson:
    """Remove a person from everything that a root holds, with a receipt.

    Args:
        person: Label of the person.
        image: Id of a photo instead: what was made from it is removed, and not the other photos of the person.
        sets: Sets in which the label means this person, if it means another one elsewhere; all if empty.
        root: Where the tables lie: a folder or any fsspec URL such as s3://bucket/prefix.
        keep_name: Write the name into the receipt, and not only a hash of it.
        dry_run: Only show what would be removed; write nothing.
        yes: Do not ask at a terminal.
    """
    asked = _asked(person, image, sets)
    with checking_arguments():
        opened_root = Root(root)
    found = look_for(opened_root, asked) if dry_run else forget(opened_root, asked, keep_name)
    return ForgottenPerson(**vars(found))
