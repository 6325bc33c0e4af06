"""Batches drawn while the device computes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import torch

from mien.model.training.batches import UpdateKind
from mien.model.training.negatives import Part


class Draw(NamedTuple):
    """What the batch of an update follows from, beside the seed and the faces."""

    kind: UpdateKind
    update: int
    cross: bool
    """Whether its pairs are of two people."""
    alone: bool
    """Whether the generator learns without the discriminators."""


class DrawnAhead:
    """Draws batches, each while the one before is computed with.

    A batch follows from its `Draw`: which thread drew it, and when, decides nothing. What was drawn ahead and is not
    what is wanted (since the discriminators come in with this update) is drawn anew.
    """

    def __init__(self, draw: Callable[[Draw], list[Part]], ahead: bool) -> None:
        """`ahead`: beside a CPU that computes the networks there is no core to draw on, and it is False. The thread has
        the CUDA device of this one."""
        self._draw = draw
        device = torch.cuda.current_device() if ahead and torch.cuda.is_available() else None
        begin = None if device is None else partial(torch.cuda.set_device, device)
        self._thread = ThreadPoolExecutor(1, "draws-batches", begin) if ahead else None
        self._next: tuple[Draw, Future[list[Part]]] | None = None

    def take(self, wanted: Draw, following: Draw) -> list[Part]:
        """The parts of a batch. `following` is likely to be wanted next.

        Raises:
            Exception: its faces cannot be read; of the kind that reading them raises. That of a batch that is not
                wanted is not raised.
        """
        if self._thread is None:
            return self._draw(wanted)
        drawn, self._next = self._next, None
        if drawn is not None and drawn[0] == wanted:
            parts = drawn[1].result()
        else:
            if drawn is not None:
                drawn[1].exception()  # it has come to its end: two that draw would share one random generator
            parts = self._thread.submit(self._draw, wanted).result()
        self._next = following, self._thread.submit(self._draw, following)
        return parts
