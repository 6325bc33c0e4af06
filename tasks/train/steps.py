"""The Prefect tasks of this package: wrappers, and nothing else."""

from __future__ import annotations

from mien.tasks.runtime.prefect_tasks import once
from mien.tasks.train.register import register as _register
from mien.tasks.train.train import train as _train

train = once("train-gan")(_train)
register = once("register-generator")(_register)
