"""calibrate_gate: the limits that generated faces are judged by, from the real photos of a set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from mien.flows.at_work import at_work
from mien.flows.parameters import GATE, ROOT, Device, OutputPx, RootUrl, SetName
from mien.flows.result import FlowResult
from mien.flows.scrubbed_flow import flow
from mien.model.devices import chosen_devices
from mien.storage import Root
from mien.tasks.errors import checking_arguments
from mien.tasks.runtime.workers import worker_pool
from mien.tasks.sets.consent import with_consent
from mien.tasks.sets.faces import crop_size_px, face_tables
from mien.tasks.transfer.calibration import Calibration
from mien.tasks.transfer.gate_limits import PAIRS, keep_gate
from mien.tasks.transfer.steps import calibrate


@dataclass(frozen=True)
class CalibratedGate(FlowResult):
    """The limits of a set, what they were read from, and where they are kept."""

    set: str
    calibration: Calibration
    uri: str
    left_out: tuple[str, ...] = ()
    """A line on photos that consent left out."""

    def lines(self) -> list[str]:
        return [
            *self.left_out,
            *self.calibration.lines(),
            "",
            f"kept in {self.uri}; mien augment --gate {self.set} judges by it",
        ]


def check_arguments(*, set: str, root: str, device: str) -> None:
    """Raises UsageError if these cannot be right. Cheap: it runs before any server or worker starts."""
    with checking_arguments():
        chosen_devices(device)
        face_tables(Root(root), set)


@flow(name="calibrate-gate", flow_run_name="calibrate on {set}")
@at_work
def calibrate_gate(
    *,
    set: SetName,
    root: RootUrl = ROOT,
    pairs: Annotated[int, Field(ge=10)] = PAIRS,
    output_size: Annotated[OutputPx | None, GATE] = None,
    require_consent: Annotated[bool, GATE] = False,
    device: Device = "auto",
) -> CalibratedGate:
    """Measure what real photos reach, and keep it as the limits that generated faces are judged by.

    Args:
        set: Prepared set with several photos of each person.
        root: Where the tables lie: a folder or any fsspec URL such as s3://bucket/prefix.
        pairs: Pairs of photos to compare.
        output_size: Side of the generated faces that the limits are for, in pixels; that of the crops of the set if
            empty. Sharpness and texture depend on it, so each side has limits of its own.
        require_consent: Compare photos only for which consent was given.
        device: {devices}
    """
    check_arguments(set=set, root=root, device=device)
    opened_root = Root(root)
    consenting = with_consent(opened_root, [face_tables(opened_root, set)], require_consent)
    with worker_pool(1):
        calibration = calibrate(opened_root, consenting.sets[0], pairs, output_size)
    kept = keep_gate(opened_root, set, calibration, crop_size_px(opened_root, consenting.sets[0]))
    return CalibratedGate(set, calibration, kept, tuple(consenting.lines()))
