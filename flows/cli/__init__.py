"""The `mien` command: made from the flows, and what a terminal needs."""
