"""What the tests of runs share."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture
def informed() -> Iterator[None]:
    """What a run logs at INFO goes to the API, as it does by default."""
    logger = logging.getLogger("prefect")
    former = logger.level
    logger.setLevel(logging.INFO)
    yield
    logger.setLevel(former)
