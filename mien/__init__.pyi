# The types of what `__init__.py` looks up when it is used. A stub, since imports there would count for the layers.
from mien.flows.augment import augment_faces as augment
from mien.flows.prepare import prepare_faces as prepare
from mien.flows.python.generator import load
from mien.flows.python.sets import open_set as open
from mien.flows.train import train_generator as train

__all__ = ["augment", "load", "open", "prepare", "train"]

__version__: str
