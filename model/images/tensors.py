"""Tensors of pictures, and their pixels."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor


def from_uint8(pixels: UInt8[Tensor, "batch 3 size size"]) -> Float[Tensor, "batch 3 size size"]:
    """Pixels as images in [-1, 1], in the memory layout and on the device that they have."""
    return pixels.float() / 127.5 - 1


def to_uint8(images: Float[Tensor, "batch 3 size size"]) -> UInt8[np.ndarray, "batch size size 3"]:
    """Images in [-1, 1] as pixels."""
    pixels = ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return pixels.permute(0, 2, 3, 1).contiguous().cpu().numpy()
