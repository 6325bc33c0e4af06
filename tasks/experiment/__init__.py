"""Experiments on what generated faces are worth: with controls, on people whom the generator never saw."""
