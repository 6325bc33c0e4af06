"""Tensors of pictures as pixels."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor


def to_uint8(images: Float[Tensor, "batch 3 size size"]) -> UInt8[np.ndarray, "batch size size 3"]:
    """Images in [-1, 1] as pixels."""
    pixels = ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return pixels.permute(0, 2, 3, 1).contiguous().cpu().numpy()
