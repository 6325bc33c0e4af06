"""A compact classifier of faces, trained from nothing."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from mien.model.recognition.pictures import GreyFaces, Images, as_images, usual_augmentation

BATCH = 32
LEARNING_RATE, WEIGHT_DECAY = 3e-3, 0.05
WIDTHS = (32, 64, 128)
STEM_PX, STEM_STRIDE = 6, 4
"""Of the first convolution. Two of stride 2 in its place cost twice as much, and tell people no better."""
_AT_ONCE = 64

Labels = Int[np.ndarray, " faces"]


class Recogniser(nn.Module):
    """Three strided convolutions, the mean over ninths of the picture, and a likelihood for each class."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(1, WIDTHS[0], STEM_PX, STEM_STRIDE, padding=1, bias=False)]
        for inputs, outputs in itertools.pairwise(WIDTHS):
            layers += [nn.BatchNorm2d(inputs), nn.ReLU(), nn.Conv2d(inputs, outputs, 3, 2, padding=1, bias=False)]
        self.body = nn.Sequential(*layers, nn.BatchNorm2d(WIDTHS[-1]), nn.ReLU())
        self.head = nn.Linear(WIDTHS[-1] * 9, classes)
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]  # updates take two thirds

    def forward(self, images: Images) -> Float[Tensor, "batch classes"]:
        """Logits."""
        return self.head(F.adaptive_avg_pool2d(self.body(images), 3).flatten(1))


@dataclass(frozen=True)
class TrainingSet:
    """Photos, and the faces that are made from them. A batch has as many of either, whatever their numbers."""

    photos: GreyFaces
    of_photos: Labels
    made: UInt8[np.ndarray, "made side side"] | None = None
    of_made: Int[np.ndarray, " made"] | None = None


def trained(faces: TrainingSet, classes: int, updates: int, seed: int, *, augmented: bool) -> Recogniser:
    """A recogniser after so many updates, of `BATCH` pictures each, whatever number of faces there is.

    Half of the pictures of each update are photos where there are made faces, all of them where there are none. They
    are taken in a random order, each as often as any other of its kind. The rate falls along a half cosine. The same
    arguments give the same weights on one kind of processor.
    """
    random = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)  # the first weights
    model = Recogniser(classes).train()
    optimiser = torch.optim.AdamW(model.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, updates)
    parts = [(faces.photos, faces.of_photos)]
    if faces.made is not None and faces.of_made is not None:
        parts.append((faces.made, faces.of_made))
    share = BATCH // len(parts)
    streams = [
        (as_images(pictures), torch.from_numpy(labels.astype(np.int64)), _order(len(pictures), updates * share, random))
        for pictures, labels in parts
    ]
    for update in range(updates):
        taken = [(images, labels, order[update * share : (update + 1) * share]) for images, labels, order in streams]
        batch = torch.cat([images[rows] for images, _, rows in taken])
        labels = torch.cat([labels[rows] for _, labels, rows in taken])
        batch = usual_augmentation(batch, random) if augmented else batch
        optimiser.zero_grad()
        F.cross_entropy(model(batch), labels).backward()
        optimiser.step()
        schedule.step()
    return model.eval()


def _order(count: int, needed: int, random: torch.Generator) -> Tensor:
    rounds = -(-needed // count)
    return torch.cat([torch.randperm(count, generator=random) for _ in range(rounds)])[:needed]


def classes_of(model: Recogniser, faces: GreyFaces) -> Labels:
    """The likeliest class of each face."""
    with torch.inference_mode():
        return torch.cat([model(some).argmax(1) for some in as_images(faces).split(_AT_ONCE)]).numpy()
