"""The experiments of docs/results.md from a clean root: prepares, trains and measures with the commands of `mien`.

python -m benchmarks.experiments --faces FOLDER [--root ROOT] [--minutes 60] [--minutes-orl 15] [--only NAME …]
                                 [--tables FILE]
python -m benchmarks.experiments --short [--root ROOT]

FOLDER holds actors/, london/ and clips/ (faces of labelled people, two photos of each person, videos of people). Half
of the actors and of the London people are held back; a generator is trained on the others and on the clips, and a
second one on s1 to s20 of the AT&T (ORL) faces. `--short` needs no folder: a generator of three minutes, few seeds and
updates, on the ORL faces alone. Its figures say that everything runs, and nothing more. Each command is printed before
it runs, and what is there already is found. `--tables` writes what the experiments found as one page, which is how
docs/results-tables.md is made.
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.clip_frames import take_frames

REGISTERED = re.compile(r"(models:/[\w.-]+/\d+) (?:is registered|came of this training before)")
ORL_A, ORL_B = ([f"sample:orl/s{n}" for n in numbers] for numbers in (range(1, 21), range(21, 41)))
NAMES = ("orl", "orl-b", "actors", "london", "verification", "expression", "turned")


def mien(root: Path, *arguments: str) -> str:
    """What a command printed.

    Raises:
        SystemExit: it failed.
    """
    command = ["mien", *arguments, "--root", str(root)]
    print(f"\n$ {' '.join(command)}", flush=True)
    began = time.monotonic()
    quiet = os.environ | {"DO_NOT_TRACK": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
    done = subprocess.run([sys.executable, "-m", "mien.flows.cli.app", *command[1:]], stdout=subprocess.PIPE, text=True,
                          env=quiet)  # fmt: skip
    print(done.stdout, flush=True)
    print(f"({time.monotonic() - began:.0f} s)", flush=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}")
    return done.stdout


def prepare(root: Path, faces: Path, frames: Path) -> None:
    """The sets; half of the actors and of the London people are held back."""
    held = ("--val-fraction", "0.08", "--test-fraction", "0.5")
    all_ = ("--val-fraction", "0", "--test-fraction", "0")
    mien(
        root,
        "prepare",
        str(faces / "actors"),
        "--set",
        "actors",
        "--pattern",
        "{identity}/????{expression}??.jpg",
        *held,
    )
    mien(root, "prepare", str(faces / "london"), "--set", "london", "--pattern", "{identity}/{expression}.jpg", *held)
    mien(root, "prepare", str(take_frames(faces / "clips", frames)), "--set", "clips", *all_)
    mien(root, "prepare", "sample:orl", "--set", "orl", *all_)


def prepare_orl_halves(root: Path) -> None:
    """s1 to s20, of whom two choose the generator, and s21 to s40."""
    mien(root, "prepare", *ORL_A, "--set", "orl-a", "--val-fraction", "0.1", "--test-fraction", "0")
    mien(root, "prepare", *ORL_B, "--set", "orl-b", "--val-fraction", "0", "--test-fraction", "0")


def train(root: Path, sets: Sequence[str], minutes: float) -> str:
    """The registered version, `models:/name/version`."""
    named = [part for name in sets for part in ("--set", name)]
    found = REGISTERED.search(mien(root, "train", *named, "--minutes", f"{minutes:g}"))
    if found is None:
        raise SystemExit("the training registered no generator")
    return found[1]


def experiments(model: str, of_orl: str | None) -> Iterator[tuple[str, list[str]]]:
    """(name, arguments of the command) of the tables of docs/results.md."""
    judge = [part for name in ("london", "clips", "actors", "orl") for part in ("--embedder-set", name)]
    curves = [part for dose in (5, 10, 50) for part in ("--dose", str(dose))]
    curves += ["--strength", "0.5", "--strength", "1.3"]

    def of(kind: str, name: str, *more: str, generator: str = model) -> list[str]:
        return ["experiment", kind, "--set", name, *more, "--model", generator]

    yield "orl", of("recognition", "orl", "--expressions", "actors", *judge, *curves)
    if of_orl is not None:
        yield "orl-b", of("recognition", "orl-b", "--expressions", "orl-a", *judge, generator=of_orl)
    for name in ("actors", "london"):
        yield name, of("recognition", name, "--expressions", "actors", *judge)
    for name in ("orl", "actors"):
        yield "verification", of("verification", name, "--expressions", "actors", *judge)
    yield "expression", of("expression", "actors")
    yield "turned", of("recognition", "orl", "--expressions", "clips", *judge, "--prefix", "orl-turned")


HEAD = """# Tables of the experiments

What the experiments found, as `python -m benchmarks.experiments --faces FOLDER --tables docs/results-tables.md`
writes it. [results.md](results.md) says what it means, and [experiments.md](experiments.md) what the words do.
"""


def section(root: Path, arguments: Sequence[str]) -> str:
    """What an experiment found, under the command that gives it."""
    kind, given = arguments[1], dict(itertools.pairwise(arguments))
    found = root / "experiment-pages" / given.get("--prefix", f"{given['--set']}-{kind}") / "experiment.md"
    title, _, rest = found.read_text().partition("\n")
    return f"{title}\n\n```bash\nmien {' '.join(arguments)}\n```\n{rest}"


def short(root: Path) -> None:
    """Everything once, in a quarter of an hour."""
    prepare_orl_halves(root)
    by = ["--model", train(root, ["orl-a"], 3)]
    few = ["--set", "orl-b", "--expressions", "orl-a", "--per-identity", "5", *by]
    judge = ["--embedder-set", "orl-a"]
    mien(root, "experiment", "recognition", *few, *judge, "--seeds", "2", "--updates", "100", "--dose", "2")
    mien(root, "experiment", "verification", *few, *judge)
    mien(root, "prepare", *ORL_B, "--set", "posed", "--pattern", "{identity}/{expression}.pgm", "--val-fraction", "0",
         "--test-fraction", "0")  # fmt: skip
    mien(root, "experiment", "expression", "--set", "posed", "--per-identity", "5", "--folds", "2", "--share", "0.5",
         "--seeds", "1", "--updates", "50", *by)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=Path)
    parser.add_argument("--root", type=Path, default=Path("data/experiments"))
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--minutes-orl", type=float, default=15, help="0 leaves out the generator of s1 to s20")
    parser.add_argument("--only", action="append", choices=NAMES)
    parser.add_argument("--tables", type=Path)
    parser.add_argument("--short", action="store_true")
    asked = parser.parse_args()
    if asked.tables is not None and (asked.only or asked.short):
        parser.error("--tables is a page of all experiments: leave out --only and --short")
    if asked.short:
        short(asked.root)
        return
    if asked.faces is None:
        parser.error("needs --faces FOLDER, or --short")
    prepare(asked.root, asked.faces, asked.root.with_name(f"{asked.root.name}-frames"))
    model, of_orl = train(asked.root, ["actors", "london", "clips"], asked.minutes), None
    if asked.minutes_orl:
        prepare_orl_halves(asked.root)
        of_orl = train(asked.root, ["orl-a"], asked.minutes_orl)
    sections = [HEAD]
    for name, arguments in experiments(model, of_orl):
        if not asked.only or name in asked.only:
            mien(asked.root, *arguments)
            sections.append(section(asked.root, arguments))
    if asked.tables is not None:
        asked.tables.write_text("\n".join(sections))


if __name__ == "__main__":
    main()
