"""transfer_pair: the person of one photo or several with the expression of another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from mien.flows.at_work import at_work
from mien.flows.parameters import (
    CHAMPION,
    EXPRESSION,
    GATE,
    ROOT,
    Detector,
    Device,
    HeadPose,
    ModelUri,
    OutputPx,
    RootUrl,
    Text,
)
from mien.flows.result import FlowResult
from mien.flows.scrubbed_flow import flow
from mien.model.detection.choice import check_choice
from mien.model.devices import chosen_devices
from mien.model.expression.retargeting import RetargetKind, RetargetSettings
from mien.model.inference.photo_pair import check_sources
from mien.storage import Root, read_source
from mien.tasks.errors import checking_arguments
from mien.tasks.sets.photo_consent import check_photos
from mien.tasks.tracking.steps import fetch_model
from mien.tasks.transfer.photo_output import check_output
from mien.tasks.transfer.steps import transfer_photos


@dataclass(frozen=True)
class TransferredPair(FlowResult):
    """The picture that was written, and how the gate judges it."""

    out: str
    identity_similarity: float | None
    """None where no face is found on the picture, as `expression_error`."""
    expression_error: float | None
    reason: str | None
    """Why the gate would reject it; None where it is accepted."""
    left_out: tuple[str, ...] = ()
    """A line on each photo of the person that was left out."""

    def lines(self) -> list[str]:
        return [*self.left_out, self.summary()]

    def summary(self) -> str:
        """One line: how the gate judges the picture."""
        if self.identity_similarity is None or self.expression_error is None:
            return f"{self.out}: written, but {self.reason}"
        verdict = "accepted" if self.reason is None else f"would be rejected: {self.reason}"
        return (
            f"{self.out}: identity similarity {self.identity_similarity:.3f}, "
            f"expression error {self.expression_error:.3f}, {verdict}"
        )


def check_arguments(*, source: str, driver: str, out: str, sources: list[str] | None, faces: str, device: str) -> None:
    """Raises UsageError if these cannot be right. Cheap: it runs before any server or worker starts."""
    with checking_arguments():
        check_choice(faces)
        chosen_devices(device)
        photos = (source, *(sources or ()), driver)
        check_sources(len(photos) - 1)
        check_output(out, photos)
        for photo in photos:
            read_source(photo)


@flow(name="transfer-pair")
@at_work
def transfer_pair(
    source: Text,
    driver: Text,
    out: Text,
    *,
    sources: list[Text] | None = None,
    output_size: OutputPx | None = None,
    model: ModelUri = CHAMPION,
    root: RootUrl = ROOT,
    faces: Detector = "auto",
    retarget: Annotated[RetargetKind, EXPRESSION] = "offsets",
    head_pose: HeadPose = 1.0,
    require_consent: Annotated[bool, GATE] = False,
    device: Device = "auto",
) -> TransferredPair:
    """Give the person of one photo, or of several, the expression of another.

    Args:
        source: Photo of the person, which is followed in all else: place, light, pose where that is kept.
        driver: Photo of the expression.
        out: File to write, which ends in .png, .jpg or .webp.
        sources: Another photo of the person, which shows what the first does not, such as the teeth of a smile; seven
            at most. One that seems to show somebody else is left out, and a line says so.
        output_size: Side of the picture, in pixels, whatever the generator's; that of the crops that the generator
            learned from (256) if empty.
        model: Registered generator, models:/NAME@ALIAS or models:/NAME/VERSION.
        root: Root whose registry holds the generator: a folder or any fsspec URL such as s3://bucket/prefix.
        faces: {detectors} auto is that of the generator's training.
        retarget: offsets puts the driver's expression on the source's face shape, shape_model does so by the
            generator's shape model, none takes the driver's landmarks as they are.
        head_pose: 1 follows the driver's head pose, 0 keeps the source's.
        require_consent: Refuse photos unless a prepared set of the root says that consent was given for them.
        device: {devices} A single pair takes the first.
    """
    check_arguments(source=source, driver=driver, out=out, sources=sources, faces=faces, device=device)
    with checking_arguments():
        check_photos(Root(root), (source, *(sources or ()), driver), require_consent)
    opened_root, settings = Root(root), RetargetSettings(retarget, head_pose)
    registered = fetch_model(opened_root, model)
    person = [source, *(sources or ())]
    judged, left_out = transfer_photos(opened_root, registered, person, driver, out, faces, settings, output_size)
    return TransferredPair(out, judged.identity_similarity, judged.expression_error, judged.reason, left_out)
