"""What an item may take in a worker process: one that hangs a library or fills the memory must not block the set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import psutil

from mien.model.configuration.bounds import Count, NotNegative, Positive, check_bounds

Step = Literal["item", "batch"]
"""What a stage has in hand at once: a photo or a face, or a batch of pairs."""

USUAL_MIB = 4096
_SHARED = 0.9
"""Share of the machine's memory that the workers divide."""
_MIB = 2**20


@dataclass(frozen=True)
class WorkLimits:
    """Limits of the worker processes. They decide no content, so that other limits recompute nothing."""

    item_seconds: Positive = 60.0
    """For a photo or a face; for a video from one frame to the next. Waiting for a source does not count."""
    batch_seconds: Positive = 600.0
    """For a batch of pairs, which go through the generator together."""
    worker_mib: Count | None = None
    """Memory of a worker process in MiB; if empty 4096, or an equal share of the machine's where that is more."""
    ray_cpus: Positive = 1.0
    """With the executor ray: CPUs of its node that each worker takes."""
    ray_gpus: NotNegative = 0.0
    """With the executor ray: GPUs of its node that each worker takes; several share one at 0.25."""

    def __post_init__(self) -> None:
        check_bounds(self)

    def seconds(self, step: Step) -> float:
        """The time for a step."""
        return self.item_seconds if step == "item" else self.batch_seconds

    def max_mib(self, workers: int) -> int:
        """The memory for each of so many workers."""
        return self.worker_mib or max(USUAL_MIB, int(psutil.virtual_memory().total * _SHARED / _MIB / workers))


_in_force = WorkLimits()


def limits_in_force() -> WorkLimits:
    """The limits of the worker pool of this process, or of the pool that this worker belongs to."""
    return _in_force


def put_in_force(limits: WorkLimits) -> WorkLimits:
    """Makes these the limits in force; returns the former ones."""
    global _in_force
    former, _in_force = _in_force, limits
    return former
