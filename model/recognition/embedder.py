"""An embedder of people that is trained here: a judge that no generator learned from and no gate asks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mien.model.recognition.pictures import GreyFaces, Images, as_images, usual_augmentation
from mien.model.recognition.recogniser import Labels

DIMENSIONS = 64
WIDTHS = (16, 32, 64, 128)
PEOPLE, PHOTOS = 16, 3
"""In a batch: so many people, so many photos of each."""
LEARNING_RATE, WEIGHT_DECAY = 3e-3, 0.05
SCALE, MARGIN = 16.0, 0.2
"""Of the large margin cosine loss (CosFace: Wang and others 2018), for some hundred people and few dimensions."""
_AT_ONCE = 64

Embeddings = Float[np.ndarray, "faces dimensions"]


class _Block(nn.Module):
    """Half the side, with a way around it."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.around = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(inputs, outputs, 1, bias=False))
        self.through = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, images: Tensor) -> Tensor:
        return F.relu(self.around(images) + self.through(images))


class Embedder(nn.Module):
    """Unit vectors; faces of one person have a high cosine."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(_Block(inputs, outputs) for inputs, outputs in zip((1, *WIDTHS[:-1]), WIDTHS, strict=True))
        )
        self.out = nn.Linear(WIDTHS[-1] * 16, DIMENSIONS, bias=False)
        self.norm = nn.BatchNorm1d(DIMENSIONS, affine=False)
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]  # updates take less time

    def forward(self, images: Images) -> Float[Tensor, "batch dimensions"]:
        """Of length 1."""
        return F.normalize(self.norm(self.out(self.body(images).flatten(1))))


def fit_embedder(
    faces: GreyFaces, people: Labels, updates: int, seed: int, begin: Embedder | None = None, rate: float = 1.0
) -> Embedder:
    """An embedder that tells these people apart, after so many updates with the usual augmentation.

    Each update shows some photos of some people, all people equally often whatever the number of their photos. The same
    arguments give the same weights on one kind of processor.

    Args:
        faces: Photos.
        people: A number for each, from 0.
        updates: Of the optimiser.
        seed: Of first weights and draws.
        begin: The embedder that is trained further; a fresh one if None. It stays as it is.
        rate: Factor of the learning rate.
    """
    random = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)  # the first weights
    model, count = Embedder(), int(people.max()) + 1
    if begin is not None:
        model.load_state_dict(begin.state_dict())
    model.train()
    centres = nn.Parameter(torch.randn(count, DIMENSIONS))
    learned = [*model.parameters(), centres]
    optimiser = torch.optim.AdamW(learned, LEARNING_RATE * rate, weight_decay=WEIGHT_DECAY, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, updates)
    images = as_images(faces)
    own = [torch.from_numpy(np.flatnonzero(people == number)) for number in range(count)]
    for _ in range(updates):
        chosen = torch.randperm(count, generator=random)[:PEOPLE]
        rows = torch.cat([own[n][torch.randint(len(own[n]), (PHOTOS,), generator=random)] for n in chosen.tolist()])
        labels = chosen.repeat_interleave(PHOTOS)
        cosines = model(usual_augmentation(images[rows], random)) @ F.normalize(centres).T
        margins = F.one_hot(labels, count) * MARGIN
        optimiser.zero_grad()
        F.cross_entropy(SCALE * (cosines - margins), labels).backward()
        optimiser.step()
        schedule.step()
    return model.eval()


def embed(model: Embedder, faces: GreyFaces) -> Embeddings:
    """Each face with its mirror image: the mean of both, of length 1."""
    found: list[Tensor] = [torch.zeros(0, DIMENSIONS)]
    with torch.inference_mode():
        for some in as_images(faces).split(_AT_ONCE):
            found.append(F.normalize(model(some) + model(some.flip(-1))))
    return torch.cat(found).numpy()


def as_arrays(model: Embedder) -> dict[str, np.ndarray]:
    """The weights by name."""
    return {name: value.numpy() for name, value in model.state_dict().items()}


def from_arrays(arrays: Mapping[str, np.ndarray]) -> Embedder:
    """The embedder with these weights.

    Raises:
        ValueError: they are not those of an embedder.
    """
    model = Embedder()
    try:
        model.load_state_dict({name: torch.from_numpy(np.asarray(value)) for name, value in arrays.items()})
    except (RuntimeError, TypeError) as error:
        raise ValueError("not the weights of an embedder") from error
    return model.eval()
