"""dlib's face embedding as a network that lets gradients through to the image, for an identity term in training.

The network is `anet_type` of dlib's dnn_face_recognition_ex.cpp: a ResNet of 29 convolutions (King, 2017), 0.99 on LFW.
Its residual blocks are 3 of 32 channels, 4 of 64, 3 of 128 and 4 of 256; the first of each greater width and the last
one halve the grid. Its weights are those of `dlib_detector.py`, in the public domain (CC0). No layer behaves
differently in training.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mien.model.graphs.dlib_weights import EMBEDDING, Convolution, DlibWeights, read_dlib_weights, weight_file

_PIXEL_UNIT = 256.0
Grid = Float[Tensor, "batch channels height width"]


class DlibEmbedder(nn.Module):
    """128-d embeddings; two of the same person are less than 0.6 apart.

    The weights are frozen. dlib's normalisation by constants is folded into the convolutions.

    Raises:
        DetectorError: the package with the weights is not installed.
        WeightsError: its file is damaged.
    """

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        weights = read_dlib_weights(weight_file(EMBEDDING))
        first, *others = weights.convolutions
        self.first = _conv(first)
        self.blocks = nn.ModuleList(_Block(*pair) for pair in zip(others[::2], others[1::2], strict=True))
        self.output = _output(weights)
        self.register_buffer("mean", torch.tensor(weights.mean_rgb).view(1, 3, 1, 1))
        self.requires_grad_(False).eval()
        # A tenth faster on a CPU.
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]  # not in torch's overloads

    def forward(self, chips: Float[Tensor, "batch 3 150 150"]) -> Float[Tensor, "batch 128"]:
        """Embeddings of aligned faces with values from 0 to 255, as `model/warping/face_chip.py` makes them."""
        x = F.relu(self.first((chips - self.mean) / _PIXEL_UNIT))
        x = F.max_pool2d(x, 3, 2)
        for block in self.blocks:
            x = block(x)
        return self.output(x.mean((2, 3)))


class _Block(nn.Module):
    """relu(conv(relu(conv(x))) + skip); where the first convolution has a stride, the skip is averaged as much."""

    def __init__(self, first: Convolution, second: Convolution) -> None:
        super().__init__()
        self.first, self.second = _conv(first), _conv(second)
        self.stride = first.stride

    def forward(self, x: Grid) -> Float[Tensor, "batch channels2 height2 width2"]:
        """At stride 2 half as high and wide, with as many channels as the convolutions have."""
        change = self.second(F.relu(self.first(x)))
        skip = F.avg_pool2d(x, self.stride) if self.stride > 1 else x
        return F.relu(_sum(change, skip))


def _sum(
    a: Grid, b: Float[Tensor, "batch channels2 height2 width2"]
) -> Float[Tensor, "batch channels3 height3 width3"]:
    """a + b where the smaller of each axis is followed by zeros, as dlib's `add_prev` has it.

    Channels grow, and of a grid of 8 (or 4) a convolution without padding leaves 3 (1), the mean 4 (2).
    """
    if a.shape == b.shape:
        return a + b
    sides = [max(pair) for pair in zip(a.shape[1:], b.shape[1:], strict=True)]
    return _zeros_after(a, sides) + _zeros_after(b, sides)


def _zeros_after(x: Grid, sides: list[int]) -> Float[Tensor, "batch channels2 height2 width2"]:
    missing = [want - have for want, have in zip(sides, x.shape[1:], strict=True)]
    return F.pad(x, (0, missing[2], 0, missing[1], 0, missing[0])) if any(missing) else x


def _conv(made_from: Convolution) -> nn.Conv2d:
    out_channels, in_channels, side_px, _ = made_from.weight.shape
    layer = nn.Conv2d(in_channels, out_channels, side_px, made_from.stride, made_from.padding_px)
    layer.load_state_dict({"weight": torch.from_numpy(made_from.weight), "bias": torch.from_numpy(made_from.bias)})
    return layer


def _output(weights: DlibWeights) -> nn.Linear:
    layer = nn.Linear(*weights.output.shape, bias=False)
    layer.load_state_dict({"weight": torch.from_numpy(weights.output.T.copy())})
    return layer
