"""How good a face is: its measures, their limits, the gate."""
