"""transfer_pair: one photo with the expression of another."""

from __future__ import annotations

from prefect import flow

from storage import Root
from tasks import steps


@flow(name="transfer-pair")
def transfer_pair(
    source: str,
    driver: str,
    out: str,
    model: str = "models:/mien-generator@champion",
    root: str = "./data",
    faces: str = "dlib",
) -> str:
    """Give the person of one photo the expression of another; returns a line that says what became of it.

    Args:
        source: Photo of the person.
        driver: Photo of the expression.
        out: PNG file to write.
        model: Registered generator, models:/NAME@ALIAS or models:/NAME/VERSION.
        root: Root whose registry holds the generator.
        faces: Detector: `dlib`, or `insightface:` and a pack name or the folder of a pack.
    """
    place = Root(root)
    registered = steps.fetch_model(place, model)
    return steps.transfer_photos(place, registered, source, driver, out, faces)
