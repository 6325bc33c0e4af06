"""How good a trained generator is, from photos to tables: prepares, trains, measures, each figure beside its aim.

python -m benchmarks.quality --faces FOLDER [--minutes 60] [--root ROOT] [--workers N]
python -m benchmarks.quality --faces FOLDER --ablate [--ablate-steps 1000] [--root ROOT]

FOLDER holds `actors` and `london`, photos in a folder per person, and `clips`, videos in a folder per person. Some of
the actors are held out; all others are trained on. What is done already in ROOT is not done again.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from mien.flows.cli.terminal import quiet_servers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=Path, required=True, help="folder with actors, london and clips")
    parser.add_argument("--minutes", type=float, default=60.0, help="of training the motion generator")
    parser.add_argument("--root", help="default: a temporary folder")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--ablate", action="store_true", help="short runs with one part left out each")
    parser.add_argument("--ablate-steps", type=int, default=1000)
    asked = parser.parse_args()

    # Prefect and MLflow are imported here: workers, which import this module again, need neither, and they are to be
    # quieted first.
    quiet_servers()
    from benchmarks.ablation import ablate
    from benchmarks.quality_report import SETS, SIZE_PX, prepare, report
    from mien.storage import Root
    from mien.tasks.runtime.progress import terminal_display
    from mien.tasks.sets.faces import face_tables

    with tempfile.TemporaryDirectory() as folder, terminal_display():
        root = Root(asked.root or folder)
        prepare(root, asked.faces, asked.workers)
        if asked.ablate:
            table = ablate(root, [face_tables(root, name) for name in SETS], asked.ablate_steps, 0, SIZE_PX)
            root.write_bytes("quality/ablation.md", table.encode())
        else:
            print(report(root, asked.minutes, asked.workers))


if __name__ == "__main__":
    main()
