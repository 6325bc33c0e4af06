"""Draws the figures of docs/: python -m benchmarks.figures"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks.figure_architecture import architecture
from benchmarks.figure_heatmaps import heatmap_forms
from benchmarks.figure_motion import motion_field
from benchmarks.figure_rooms import rooms

FOLDER = Path(__file__).parents[1] / "docs" / "figures"
FIGURES: dict[str, Callable[[], str]] = {
    "motion-generator.svg": architecture,
    "motion-field.svg": motion_field,
    "heatmap-forms.svg": heatmap_forms,
    "rooms.svg": rooms,
}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, draw in FIGURES.items():
        (FOLDER / name).write_text(draw())
        print(FOLDER / name)


if __name__ == "__main__":
    main()
