"""What batching, memory layout, inference mode and bfloat16 change in a generator's time and pixels."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
import torch

from benchmarks.transfer_bench import Bench, all_batches
from mien.model.device import Compute, uses_bfloat16
from mien.model.images.tensors import from_uint8
from mien.model.inference.exported_generator import ExportedGenerator
from mien.model.landmarks.keypoints import KeypointInfo, heatmaps_to_float

if TYPE_CHECKING:
    from mien.model.networks.base import Sources
from mien.tasks.generator.inputs import GeneratorInputs


def ways(bench: Bench, rounds: int) -> None:
    """Prints what batching, memory layout, inference mode and bfloat16 change."""
    inputs = all_batches(bench)[0].generator
    folder = bench.root.local_path(f"models/{bench.settings.model.sha256}")
    assert folder is not None
    half = uses_bfloat16("auto", torch.device("cpu")) or torch.cuda.is_available()
    usual = ExportedGenerator.load(folder)
    rows = [
        ("as it is: batches of 16, channels_last, inference mode, float32", usual, inputs),
        ("a pair at a time", usual, inputs),
        ("plain memory layout", _plain(ExportedGenerator.load(folder)), inputs),
        ("with gradients kept", usual, inputs),
        (
            "bfloat16",
            ExportedGenerator.load(folder, compute=Compute(Compute.chosen("auto").device, "bfloat16")),
            inputs,
        ),
    ]
    runs: dict[str, Callable[[ExportedGenerator, GeneratorInputs], np.ndarray]] = {
        rows[1][0]: _one_by_one, rows[3][0]: _with_gradients,
    }  # fmt: skip
    pixels = {what: runs.get(what, _generate)(model, given) for what, model, given in rows}
    times: defaultdict[str, list[float]] = defaultdict(list)
    for _ in range(rounds):
        for what, model, given in rows if half else rows[:-1]:
            start_s = time.process_time()
            runs.get(what, _generate)(model, given)
            times[what].append(time.process_time() - start_s)
    first = rows[0][0]
    print("\n| generator | time over the usual way | most and mean difference of a pixel, of 255 |")
    print("|---|---|---|")
    for what in pixels:
        off = np.abs(pixels[what].astype(int) - pixels[first].astype(int))
        took = f"{median(times[what]) / median(times[first]):.2f}" if times[what] else "not in this hardware"
        print(f"| {what} | {took} | {off.max()}, {off.mean():.4f} |")


def _plain(model: ExportedGenerator) -> ExportedGenerator:
    model.generator.to(memory_format=torch.contiguous_format)  # pyright: ignore[reportCallIssue]
    return model


def _generate(model: ExportedGenerator, inputs: GeneratorInputs) -> np.ndarray:
    return model.generate(**vars(inputs))


def _one_by_one(model: ExportedGenerator, inputs: GeneratorInputs) -> np.ndarray:
    each = range(len(inputs.sources))
    return np.concatenate([model.generate(**{k: v[n : n + 1] for k, v in vars(inputs).items()}) for n in each])


def _with_gradients(model: ExportedGenerator, inputs: GeneratorInputs) -> np.ndarray:
    model.generator.requires_grad_(True)
    photos = from_uint8(torch.from_numpy(np.ascontiguousarray(inputs.sources[:, 0].transpose(0, 3, 1, 2))))
    keypoints = [
        KeypointInfo(heatmaps_to_float(torch.from_numpy(heatmaps)), torch.from_numpy(points).float())
        for heatmaps, points in (
            (inputs.source_heatmaps[:, 0], inputs.source_points[:, 0]),
            (inputs.target_heatmaps, inputs.target_points),
        )
    ]
    sources = Sources.single(photos.contiguous(memory_format=torch.channels_last), keypoints[0])
    image = model.generator(sources, keypoints[1], photos.shape[-1]).image.detach()
    model.generator.requires_grad_(False)
    return ((image + 1) * 127.5).round().clamp(0, 255).byte().numpy().transpose(0, 2, 3, 1)
