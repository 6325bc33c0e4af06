"""transfer_pair: one photo with the expression of another."""

from __future__ import annotations

from prefect import flow

from mien.model.expression.retargeting import RetargetKind, RetargetSettings
from mien.storage import Root
from mien.tasks.errors import checking_arguments
from mien.tasks.tracking.steps import fetch_model
from mien.tasks.transfer.steps import transfer_photos


@flow(name="transfer-pair")
def transfer_pair(
    source: str,
    driver: str,
    out: str,
    model: str = "models:/mien-generator@champion",
    root: str = "./data",
    faces: str = "dlib",
    retarget: RetargetKind = "offsets",
    head_pose: float = 1.0,
) -> str:
    """Give the person of one photo the expression of another; returns a line that says what became of it.

    Args:
        source: Photo of the person.
        driver: Photo of the expression.
        out: PNG file to write.
        model: Registered generator, models:/NAME@ALIAS or models:/NAME/VERSION.
        root: Root whose registry holds the generator.
        faces: Detector: `dlib`, or `insightface:` and a pack name or the folder of a pack.
        retarget: offsets puts the driver's expression on the source's face shape, shape_model does so by the
            generator's shape model, none takes the driver's landmarks as they are.
        head_pose: 1 follows the driver's head pose, 0 keeps the source's.
    """
    with checking_arguments():
        settings = RetargetSettings(retarget, head_pose)
    place = Root(root)
    registered = fetch_model(place, model)
    return transfer_photos(place, registered, source, driver, out, faces, settings)
