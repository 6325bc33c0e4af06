"""A compact recogniser, trained from nothing: what generated faces are for (`benchmarks.purpose`)."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

SIDE_PX = 96
"""Of the pictures that it sees."""
BATCH = 32
LEARNING_RATE, WEIGHT_DECAY = 3e-3, 0.05
WIDTHS = (8, 16, 32, 64)

_SCALE, _SHIFT, _TURN_DEGREES = 0.15, 0.08, 10.0
_CONTRAST, _BRIGHTNESS = 0.3, 0.3
"""Of the usual augmentation: at most so much either way; shifts are shares of the side, brightness is in [-1, 1]."""

GreyFaces = UInt8[np.ndarray, "faces side side"]
Images = Float[Tensor, "batch 1 side side"]


class Recogniser(nn.Module):
    """Four strided convolutions, the mean over the picture, and a likelihood for each person."""

    def __init__(self, people: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in zip((1, *WIDTHS[:-1]), WIDTHS, strict=True):
            layers += [
                nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(),
            ]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(WIDTHS[-1] * 9, people)

    def forward(self, images: Images) -> Float[Tensor, "batch people"]:
        """Logits."""
        return self.head(F.adaptive_avg_pool2d(self.body(images), 3).flatten(1))


def usual_augmentation(images: Images, random: torch.Generator) -> Images:
    """What is customary without a generator: mirrored, scaled, shifted, turned; contrast and brightness changed."""
    count = len(images)

    def drawn(most: float) -> Float[Tensor, " batch"]:
        return (torch.rand(count, generator=random) * 2 - 1) * most

    angle, scale = drawn(math.radians(_TURN_DEGREES)), 1 + drawn(_SCALE)
    mirror = torch.where(torch.rand(count, generator=random) < 0.5, -1.0, 1.0)
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    shift = torch.stack([drawn(2 * _SHIFT), drawn(2 * _SHIFT)], dim=1)
    linear = torch.stack([torch.stack([cos * mirror, -sin], 1), torch.stack([sin * mirror, cos], 1)], 1)
    grid = F.affine_grid(torch.cat([linear, shift[:, :, None]], 2), list(images.shape), align_corners=False)
    moved = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    contrast, brightness = (1 + drawn(_CONTRAST))[:, None, None, None], drawn(_BRIGHTNESS)[:, None, None, None]
    return (moved * contrast + brightness).clamp(-1, 1)


def trained(
    faces: GreyFaces, people: Int[np.ndarray, " faces"], updates: int, seed: int, *, augmented: bool
) -> Recogniser:
    """A recogniser of the people after so many updates, of `BATCH` pictures each, whatever number of faces there is.

    Pictures are taken in a random order, each as often as any other. The rate falls along a half cosine.
    """
    random = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)  # the first weights
    model = Recogniser(int(people.max()) + 1).train()
    optimiser = torch.optim.AdamW(model.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, updates)
    images, labels = as_images(faces), torch.from_numpy(people.astype(np.int64))
    rounds = -(-updates * BATCH // len(faces))
    order = torch.cat([torch.randperm(len(faces), generator=random) for _ in range(rounds)])
    for rows in order[: updates * BATCH].split(BATCH):
        batch = usual_augmentation(images[rows], random) if augmented else images[rows]
        optimiser.zero_grad()
        F.cross_entropy(model(batch), labels[rows]).backward()
        optimiser.step()
        schedule.step()
    return model.eval()


def rank_1(model: Recogniser, probes: GreyFaces, people: Int[np.ndarray, " probes"]) -> float:
    """Share of the probes whose likeliest person is the right one."""
    with torch.inference_mode():
        said = torch.cat([model(some).argmax(1) for some in as_images(probes).split(64)])
    return float((said.numpy() == people).mean())


def as_images(faces: GreyFaces) -> Images:
    """In [-1, 1]."""
    return torch.from_numpy(faces[:, None].astype(np.float32)) / 127.5 - 1
