"""A process of a training on several devices that is not the first one: `python -m mien.tasks.train.member`.

It computes its parts of each batch, and knows nothing of Prefect, MLflow and checkpoints.
"""

from __future__ import annotations

import os
import sys
import threading

import torch.distributed as dist

from mien.model.device import keep_freed_memory
from mien.model.errors import GroupError
from mien.model.training.fit import follow
from mien.model.training.together import Together
from mien.model.training.trainer import Trainer
from mien.storage import Root
from mien.tasks.train.face_index import read_index
from mien.tasks.train.faces import training_faces
from mien.tasks.train.processes import READY, Work, meet_by_torchrun, put_first


def take_part(group: Together, device: str) -> None:
    """Trains what the first process says, until it says that it is over.

    Raises:
        GroupError: another process has gone.
    """
    given = group.shared()
    if given is None:  # there is nothing to train
        return
    work = Work.from_json(given)
    root, settings = Root(work.root), work.settings
    keep_freed_memory()
    faces = training_faces(root, work.sets, read_index(root, work.sets).of_split("train"), settings)
    trainer = Trainer(settings, faces, device, group=group)
    trainer.load_state(*group.shared_state())
    follow(trainer, group)


def take_part_by_torchrun() -> None:
    """The same as one of the processes that torchrun has started."""
    group, device = meet_by_torchrun()
    try:
        take_part(group, device)
    finally:
        group.leave()


def _end_with_parent() -> None:
    """Its end of the pipe is closed when it has ended, however it did; this process may wait for it elsewhere."""
    while os.read(0, 1):
        pass
    os._exit(3)


def main() -> None:
    """`NUMBER SIZE PORT DEVICE`, as `processes.py` gives them."""
    number, size, port = map(int, sys.argv[1:4])
    threading.Thread(target=_end_with_parent, daemon=True).start()
    store = dist.TCPStore("127.0.0.1", port, is_master=False)
    store.set(f"{READY}{number}", "")
    put_first(sys.argv[4])
    try:
        take_part(Together(number, size, store, cuda=sys.argv[4] != "cpu"), sys.argv[4])
    except GroupError as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
