"""write_gallery: a page of generated faces."""

from __future__ import annotations

from prefect import flow

from storage import Root, list_sets
from tasks import steps
from tasks.errors import UsageError
from tasks.gallery import Gallery


@flow(name="write-gallery")
def write_gallery(out: str, root: str = "./data", name: str | None = None, most: int = 96) -> Gallery:
    """Write a page of generated faces beside their sources and drivers.

    Args:
        out: Folder to write index.html into.
        root: Where the tables lie.
        name: Generated set; may be left out where the root holds only one.
        most: Faces to show at most.
    """
    place = Root(root)
    return steps.build_gallery(place, chosen_transfers(place, name), Root(out), most)


def chosen_transfers(root: Root, name: str | None) -> str:
    """The `transfers` table that is meant, by its fingerprint.

    Raises:
        UsageError: the root has none of that name, or several and no name is given.
    """
    generated = {s.name: s.tables["transfers"] for s in list_sets(root) if "transfers" in s.tables}
    if name is None and len(generated) == 1:
        return next(iter(generated.values()))
    if name not in generated:
        known = ", ".join(sorted(generated)) or "none yet: run mien augment"
        raise UsageError(f"choose a generated set with --name; {root.url} holds {known}")
    return generated[name]
