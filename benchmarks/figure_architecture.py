"""The motion generator as a figure; sizes and channels are those of the default configuration."""

from __future__ import annotations

from benchmarks.svg import ACCENT, DRAWN, FAINT, arrow, box, figure, text
from mien.model.networks.config import GeneratorConfig
from mien.model.networks.motion import CHANNELS, MOTION_PX

_ENCODER_X, _DECODER_X, _WIDTH, _HEIGHT = 375, 620, 110, 54
_ROWS_Y = (92, 184, 276, 368)


def architecture() -> str:
    """SVG text."""
    config = GeneratorConfig(kind="motion")
    return figure(
        1130, 450, "architecture of the motion generator", [*_inputs(config), *_unet(config), *_result(config)]
    )


def _inputs(config: GeneratorConfig) -> list[str]:
    size = f"{config.size_px}²"
    return [
        box(20, 92, 120, 54, ["I_s", f"source photo, {size}"]),
        box(20, 214, 120, 70, ["L_s, L_t", "68 landmarks each,", f"{config.parts} heatmaps each"]),
        box(190, 92, 130, 54, ["moved source", f"warp, {size}"]),
        box(190, 222, 130, 54, ["motion", f"closed form, {MOTION_PX}²"], ACCENT),
        arrow((140, 119), (188, 119)),
        arrow((140, 249), (188, 249)),
        arrow((255, 222), (255, 148), head="g"),
        arrow((320, 119), (_ENCODER_X - 2, 119)),
        arrow((320, 249), (344, 249), (344, 130), (_ENCODER_X - 2, 130), head="g"),
        arrow((80, 284), (80, 312), (358, 312), (358, 140), (_ENCODER_X - 2, 140)),
        text(220, 306, "heatmaps, openings", 11.5, FAINT),
    ]


def _unet(config: GeneratorConfig) -> list[str]:
    sides = [config.fine_px // 2**level for level in range(4)]
    grids = [f"{side}² × {times * config.channels}" for side, times in zip(sides, CHANNELS, strict=True)]
    shapes: list[str] = []
    for x, finest in ((_ENCODER_X, "convolution"), (_DECODER_X, "sum")):
        for grid, y in zip(grids[:3], _ROWS_Y, strict=False):
            shapes.append(box(x, y, _WIDTH, _HEIGHT, [grid, finest if grid is grids[0] else "residual block"]))
    core = [grids[3], f"{config.blocks} residual blocks"]
    shapes.append(box(_ENCODER_X + 90, _ROWS_Y[3], _DECODER_X - _ENCODER_X - 70, _HEIGHT, core))
    middle, other = _ENCODER_X + _WIDTH / 2, _DECODER_X + _WIDTH / 2
    for upper, lower in ((0, 1), (1, 2)):
        shapes.append(arrow((middle, _ROWS_Y[upper] + _HEIGHT), (middle, _ROWS_Y[lower] - 2)))
        shapes.append(arrow((other, _ROWS_Y[lower]), (other, _ROWS_Y[upper] + _HEIGHT + 2)))
    deep = _ROWS_Y[3] + _HEIGHT / 2
    shapes.append(arrow((middle, _ROWS_Y[2] + _HEIGHT), (middle, deep), (_ENCODER_X + 88, deep)))
    shapes.append(arrow((_DECODER_X + 20, deep), (other, deep), (other, _ROWS_Y[2] + _HEIGHT + 2)))
    for y, words in zip(_ROWS_Y, ("coarse flow", "coarse flow", "skip"), strict=False):
        colour = "g" if words != "skip" else "a"
        shapes.append(arrow((_ENCODER_X + _WIDTH, y + 27), (_DECODER_X - 2, y + 27), head=colour, dashed=True))
        words = words if words == "skip" else f"skip, by {words}"
        shapes.append(text((_ENCODER_X + _WIDTH + _DECODER_X) / 2, y + 20, words, 11.5, FAINT))
    return shapes


def _result(config: GeneratorConfig) -> list[str]:
    size, right = f"{config.size_px}²", _DECODER_X + _WIDTH
    return [
        box(785, 92, 120, 54, ["flow f", f"residual, {config.fine_px}²"], ACCENT),
        box(785, 160, 120, 44, ["mask m", size], DRAWN),
        box(785, 214, 120, 44, ["layer d", f"{size} × 3"], DRAWN),
        box(785, 276, 120, 54, ["coarse flow", f"{config.fine_px // 4}²"], ACCENT),
        box(965, 92, 145, 54, ["moved source", "I_s by motion + f"]),
        box(965, 186, 145, 72, ["Î_t", "m · moved source + d", size]),
        arrow((right, 113), (783, 113), head="g"),
        arrow((right, 125), (757, 125), (757, 182), (783, 182), head="d"),
        arrow((757, 182), (757, 236), (783, 236), head="d"),
        arrow((right, 303), (783, 303), head="g"),
        arrow((905, 303), (925, 303), (925, 132), (907, 132), head="g"),
        text(932, 222, "+", 14, ACCENT, 600),
        arrow((905, 113), (963, 113), head="g"),
        arrow((905, 182), (940, 182), (940, 212), (963, 212), head="d"),
        arrow((905, 236), (963, 236), head="d"),
        arrow((1037, 146), (1037, 184)),
        arrow((80, 92), (80, 40), (1037, 40), (1037, 90)),
        arrow((344, 130), (344, 56), (1010, 56), (1010, 90), head="g"),
        text(560, 33, "I_s from the start: what is shown is sampled once", 11.5, FAINT),
        text(560, 72, "motion", 11.5, ACCENT),
        text(560, 440, "green: motion · brown: drawn", 11.5, FAINT),
    ]
