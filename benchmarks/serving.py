"""A served generator: seconds for a pair of photos on one core, once it is loaded.

python -m benchmarks.serving [FOLDER] [--pairs 40] [--size 128] [--faces mediapipe] [--model URI | FOLDER]

FOLDER holds photos of faces (searched through all its folders); without one, AT&T (ORL) faces, which are small, are
taken. Each pair is a row of a table of its own, two other photos as bytes of their files, as requests come in; all
libraries have one thread. An untrained motion generator of the usual size is measured unless `--model` names another:
its time does not depend on what it has learnt.
"""

# ruff: noqa: E402  # libraries read the number of threads when they are imported

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import cv2
import mlflow
import numpy as np
import pandas as pd
import torch

from mien.model.inference.exported_generator import ExportedGenerator
from mien.model.inference.pyfunc import ServedGenerator, _load_pyfunc
from mien.model.landmarks.heatmap_spec import HeatmapSpec
from mien.model.landmarks.reference import AlignmentSettings
from mien.model.networks.config import GeneratorConfig
from mien.model.networks.generator import build_generator
from mien.storage import list_images, read_source

AIM_S = 0.5
SAMPLES = [f"sample:orl/s{person}" for person in range(1, 11)]


def photos_of(folder: str | None, count: int) -> list[bytes]:
    """Bytes of so many photos, evenly over the folder, in a fixed order."""
    listed = sorted(item.uri for item in list_images([folder] if folder else SAMPLES))
    chosen = np.linspace(0, len(listed) - 1, count).round().astype(int)
    return [read_source(listed[index]) for index in np.random.default_rng(0).permutation(chosen)]


def untrained(folder: Path, size_px: int) -> Path:
    """The folder of a motion generator of the usual width and depth."""
    torch.manual_seed(0)
    network = build_generator(GeneratorConfig(size_px=size_px))
    ExportedGenerator(network, AlignmentSettings(), HeatmapSpec(), {}).save(folder)
    return folder


def loaded(model: str | None, size_px: int, faces: str) -> ServedGenerator:
    """What MLflow would serve."""
    if model is not None and model.startswith("models:/"):
        return mlflow.pyfunc.load_model(model)  # pyright: ignore[reportReturnType]  # it has the same `predict`
    with tempfile.TemporaryDirectory() as folder:
        exported = Path(model) if model else untrained(Path(folder), size_px)
        return _load_pyfunc(str(exported), {"faces": faces})  # pyright: ignore[reportReturnType]  # as configured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--faces", default="mediapipe")
    parser.add_argument("--model")
    given = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    photos = photos_of(given.folder, 2 * given.pairs)
    started = time.perf_counter()
    served = loaded(given.model, given.size, given.faces)
    load_s = time.perf_counter() - started
    walls: list[float] = []
    cpus: list[float] = []
    made = 0
    for source, driver in zip(photos[::2], photos[1::2], strict=True):
        wall, cpu = time.perf_counter(), time.process_time()
        answer = served.predict(pd.DataFrame({"source": [source], "driver": [driver]}))
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
        made += answer["image"][0] is not None
    print(f"loading {load_s:.2f} s, the first pair {walls[0]:.2f} s; {made} of {len(walls)} pairs gave a picture\n")
    print("| seconds a pair, the first left out | median | 95% | longest |\n|---|---|---|---|")
    for title, values in (("by the clock", walls[1:]), ("of the processor", cpus[1:])):
        print(f"| {title} | {np.median(values):.3f} | {np.quantile(values, 0.95):.3f} | {max(values):.3f} |")
    print(
        f"\naim: {AIM_S} s on one core: {'kept' if np.median(cpus[1:]) <= AIM_S else 'NOT kept'} by the median,", end=""
    )
    print(f" {'kept' if max(cpus[1:]) <= AIM_S else 'not kept'} by the longest")


if __name__ == "__main__":
    main()
