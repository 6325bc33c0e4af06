"""The losses of updates, left on the device until some of them are read at once.

To read a number is to wait until the device has computed it, and meanwhile the device gets nothing new to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mien.model.training.stopping import LEFT_OUT, LeftOutUpdates

READ_EVERY = 20
"""Updates whose losses are read at once."""


class Update(NamedTuple):
    """An update that was read."""

    step: int
    """Its number, from 1; updates of the discriminators before the generator starts have their own."""
    losses: dict[str, float]
    """By name; of one that was left out that it was."""


class _Unread(NamedTuple):
    step: int
    names: Sequence[str]
    values: Float[Tensor, " values"] | None
    """The losses, and last 1 if the update was taken. None where nothing was computed."""


class Readings:
    """What has not been read."""

    def __init__(self) -> None:
        self._unread: list[_Unread] = []
        self._left_out = LeftOutUpdates()

    def __len__(self) -> int:
        return len(self._unread)

    def add(self, step: int, names: Sequence[str], losses: Float[Tensor, " losses"], taken: Bool[Tensor, ""]) -> None:
        """An update whose losses are on their way."""
        self._unread.append(_Unread(step, names, torch.cat([losses, taken.to(losses.dtype)[None]])))

    def add_left_out(self, step: int) -> None:
        """An update of which nothing was computed."""
        self._unread.append(_Unread(step, (), None))

    def with_loss(self, name: str) -> int:
        """How many unread updates have this loss."""
        return sum(name in update.names for update in self._unread)

    def read(self) -> list[Update]:
        """All that was not read yet, in one transfer.

        Raises:
            TrainingError: too many updates in a row were left out.
        """
        unread, self._unread = self._unread, []
        computed = [update.values for update in unread if update.values is not None]
        numbers = iter(torch.cat(computed).tolist() if computed else ())
        return [
            self._read(update, [next(numbers) for _ in range(len(update.values))] if update.values is not None else [])
            for update in unread
        ]

    def _read(self, update: _Unread, values: list[float]) -> Update:
        taken = bool(values) and values[-1] == 1
        self._left_out.after_update(taken, update.step)
        losses = dict(zip(update.names, values[:-1], strict=True)) if taken else {LEFT_OUT: 1.0}
        return Update(update.step, losses)
