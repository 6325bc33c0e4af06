"""What a person sees of a long step."""

from __future__ import annotations

import io

from rich.console import Console

from mien.tasks.runtime.progress import UNKNOWN, BarDisplay, LineDisplay


def test_lines_come_at_intervals_and_at_the_end() -> None:
    lines: list[str] = []
    display = LineDisplay(lines.append, every_s=0)
    step = display.open("detect", 4, "photos")
    for _ in range(4):
        display.advance(step, 1)
    display.close(step)
    assert len(lines) == 5
    assert lines[0].startswith("detect: 1/4 photos, ")
    assert "s left" in lines[0]
    assert lines[-1].startswith("detect: 4/4 photos, ")
    assert "left" not in lines[-1]


def test_a_total_that_nobody_knows_yet_is_not_shown() -> None:
    lines: list[str] = []
    display = LineDisplay(lines.append, every_s=0)
    step = display.open("train", UNKNOWN, "images")
    display.advance(step, 40)
    display.advance(step, 40, 1600)
    assert lines[0].startswith("train: 40 images, ")
    assert "left" not in lines[0]
    assert lines[1].startswith("train: 80/1600 images, ")


def test_few_lines_where_steps_are_fast() -> None:
    lines: list[str] = []
    display = LineDisplay(lines.append, every_s=60)
    step = display.open("render", 1000, "faces")
    for _ in range(1000):
        display.advance(step, 1)
    display.close(step)
    assert len(lines) == 1


def test_bars_show_title_count_and_rate() -> None:
    out = io.StringIO()
    with BarDisplay(Console(file=out, force_terminal=True, width=120, color_system=None)) as bars:
        step = bars.open("transfer expressions", 10, "faces")
        bars.advance(step, 10)
        bars.close(step)
    assert "transfer expressions" in out.getvalue()
    assert "10/10" in out.getvalue()
