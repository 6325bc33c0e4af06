"""The processes that train together, as a trainer sees them: it is alone, unless `together.py` says otherwise."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from mien.model.training.batches import UpdateKind


class Group:
    """A process that trains alone. It is the base of those that do not."""

    number: int = 0
    """Of this process; the first one leads."""
    size: int = 1

    def lead(self, kind: UpdateKind, elapsed_s: float) -> None:
        """The first process begins an update, and all others with it."""

    def all_usable(self, usable: bool) -> bool:
        """Whether what was drawn is usable in every process."""
        return usable

    def sum(self, tensors: Sequence[Tensor]) -> None:
        """Puts the sum over all processes in the place of each tensor. No process waits for its device."""
