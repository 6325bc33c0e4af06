"""write_gallery: a page of generated faces."""

from __future__ import annotations

from prefect import flow

from mien.storage import Root, list_sets, newest_first
from mien.tasks.errors import UsageError
from mien.tasks.pages.gallery import Gallery
from mien.tasks.pages.steps import build_gallery


@flow(name="write-gallery")
def write_gallery(out: str, root: str = "./data", name: str | None = None, most: int = 96) -> Gallery:
    """Write a page of generated faces beside their sources and drivers.

    Args:
        out: Folder to write index.html into.
        root: Where the tables lie.
        name: Generated set; the newest if empty.
        most: Faces to show at most.
    """
    place = Root(root)
    return build_gallery(place, chosen_transfers(place, name), Root(out), most)


def chosen_transfers(root: Root, name: str | None) -> str:
    """The `transfers` table that is meant (without a name the newest), by its fingerprint.

    Raises:
        UsageError: the root has none, or none of that name.
    """
    generated = {s.name: s.tables["transfers"] for s in list_sets(root) if "transfers" in s.tables}
    if name is None and generated:
        return generated[newest_first(root, generated)[0]]
    if name not in generated:
        known = ", ".join(sorted(generated)) or "none yet: run mien augment"
        raise UsageError(f"there is no generated set {name or ''} in {root.url}; it holds {known}")
    return generated[name]
