"""The second embedder of an evaluation must be one that the training does not learn from."""

from __future__ import annotations

from mien.model.detection.dlib_weights import EMBEDDING
from mien.model.detection.load import load_detector
from mien.model.errors import DetectorError
from mien.model.evaluation.promotion_settings import PromotionSettings
from mien.tasks.errors import UsageError


def check_embedder(settings: PromotionSettings) -> None:
    """Raises UsageError where the second embedder cannot be loaded, or is the one that training learns from."""
    if settings.embedder is None:
        return
    try:
        detector = load_detector(settings.embedder)
    except DetectorError as error:
        raise UsageError(f"promotion.embedder: {error}") from error
    if EMBEDDING in detector.weights_licences:
        raise UsageError(
            f"promotion.embedder is {settings.embedder}, whose embedding ({EMBEDDING}) is the one that training learns "
            "from: choose another, such as insightface: and a pack with a recognition model"
        )
